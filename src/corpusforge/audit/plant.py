"""Plants canaries into copies of records, each in its place, and remembers which record carries which."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from corpusforge.audit.battery import Form
from corpusforge.audit.canary import Canary, Known, make_canary, squeezed
from corpusforge.audit.draw import Draw
from corpusforge.audit.hosts import Host
from corpusforge.record import Message, Record
from corpusforge.stage import SourceFacts

MOST = 4
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=\S)")
_GAP = re.compile(r"(?<=\w) (?=\w)")
META = "remark"


@dataclass(slots=True)
class Planted:
    """The hosts with what was planted, by source; for each canary the id of its record; what found no place and why."""

    hosts: dict[str, list[Host]]
    canaries: dict[int, Canary] = field(default_factory=dict)
    carrier: dict[int, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)


def plant(
    forms: Sequence[Form], hosts: Mapping[str, list[Host]], facts: Mapping[str, SourceFacts], seed: int, rate: float
) -> Planted:
    """Plant one canary of each form, `rate` to a record as far as there are records, and `MOST` at most.

    What is not told by its form is planted only where the source declares personal data: elsewhere nobody looks for it.
    """
    shelf = _Shelf(hosts, facts, rate)
    known = Known("\n".join(squeezed(_everything(host.record)) for room in hosts.values() for host in room))
    planted = Planted({})
    stands: dict[tuple[str, int], list[str]] = {}
    for number, form in enumerate(forms):
        place = shelf.take(form)
        if place is None:
            planted.left_out[shelf.why(form)] += 1
            continue
        source, at = place
        host = shelf.rooms[source][at]
        draw = Draw("audit", str(seed), str(number), form.label)
        canary = make_canary(number, form, draw, known, squeezed(_everything(host.record)))
        if canary is None:
            planted.left_out["no value is new"] += 1
            continue
        known.add(canary)
        before = stands.setdefault(place, [])
        shelf.rooms[source][at] = replace(host, record=carrying(host.record, canary, before))
        before += canary.shown
        shelf.load[source][at] += 1
        planted.canaries[number] = canary
        planted.carrier[number] = host.id
    for source, room in shelf.rooms.items():
        loads = shelf.load[source]
        used = [host for host, load in zip(room, loads, strict=True) if load]
        planted.hosts[source] = used or room[:1]
    return planted


def _everything(record: Record) -> str:
    return "\n".join((record.title, record.text, *(str(value) for value in record.meta.values())))


class _Shelf:
    """The hosts by source, with how many canaries each carries."""

    def __init__(self, hosts: Mapping[str, list[Host]], facts: Mapping[str, SourceFacts], rate: float) -> None:
        self.rooms = {source: list(room) for source, room in hosts.items()}
        self.load = {source: [0] * len(room) for source, room in hosts.items()}
        self._facts = facts
        self._rate = rate
        self._next = dict.fromkeys(hosts, 0)
        self._passes = dict.fromkeys(hosts, 0)

    def take(self, form: Form) -> tuple[str, int] | None:
        """The next host for a form, sources by turns; the first pass leaves records free where the rate is below 1."""
        fitting = [source for source in self.rooms if self._fits(source, form)]
        for limit in range(1, MOST + 1):
            # The source that is used least in proportion to what it has comes next.
            for source in sorted(fitting, key=lambda s: (sum(self.load[s]) / len(self.rooms[s]), s)):
                room = self.rooms[source]
                for k in range(len(room)):
                    at = (self._next[source] + k) % len(room)
                    if self.load[source][at] < limit and self._allowed(source, at, limit):
                        self._next[source] = at + 1
                        return source, at
        return None

    def _allowed(self, source: str, at: int, limit: int) -> bool:
        return limit > 1 or self._rate >= 1 or int((at + 1) * self._rate) > int(at * self._rate)

    def _fits(self, source: str, form: Form) -> bool:
        room = self.rooms[source]
        if not room or not (form.structured or self._facts[source].personal_data):
            return False
        if form.position in ("turn", "turns", "speaker"):
            return room[0].chat and self._facts[source].kind == "chat"
        return form.position != "title" or not room[0].chat

    def why(self, form: Form) -> str:
        """Why a form found no place."""
        expecting = [source for source in self.rooms if form.structured or self._facts[source].personal_data]
        if not expecting:
            return "no source declares personal data"
        return "no record is left" if any(self._fits(s, form) for s in expecting) else "no record has such a place"


def carrying(record: Record, canary: Canary, earlier: Sequence[str] = ()) -> Record:
    """The record with the canary in its place, which is never within a carrier that was planted `earlier`."""
    position, shown = canary.form.position, canary.shown
    if position == "title":
        return replace(record, title=f"{record.title} – {shown[0]}" if record.title else shown[0])
    if position == "meta":
        before = record.meta.get(META)
        return replace(record, meta={**record.meta, META: f"{before}\n{shown[0]}" if before else shown[0]})
    if record.messages is None:
        return replace(record, text=_within(record.text, canary, earlier))
    messages = list(record.messages)
    middle = len(messages) // 2
    if position == "speaker":
        messages.insert(middle, Message("user", "ok, thanks", shown[0]))
    elif position in ("turn", "turns"):
        like = messages[middle]
        messages[middle:middle] = [replace(like, role="user", content=text) for text in shown]
    else:
        at = {"start": 0, "middle": middle, "end": len(messages) - 1}[position]
        messages[at] = replace(messages[at], content=_within(messages[at].content, canary, earlier))
    return record.with_messages(messages)


def _within(text: str, canary: Canary, before: Sequence[str]) -> str:
    """The text with the carrier at its start or end, else at the sentence, line or word gap that is nearest its middle.

    What has lines of its own stands as a paragraph.
    """
    position, shown = canary.form.position, canary.shown[0]
    bare = canary.form.context == "bare"
    apart = "\n\n" if "\n" in shown else " " if bare or len(text) < 200 else "\n"
    if position == "start" and not bare:
        return f"{shown}{apart}{text}"
    if position == "end":
        return f"{text.rstrip()}{apart}{shown}"
    wanted = len(text) // 2 if position == "middle" else 0
    # A value that is cut by another is no longer one, and what is left of it would be taken for a leak.
    taken = [(at, at + len(one)) for one in before if (at := text.find(one)) >= 0]
    gaps = [m.start() for m in (_GAP if bare else _SENTENCE_END).finditer(text)]
    gaps = [gap for gap in gaps if not any(start < gap < end for start, end in taken)]
    if not gaps:
        return f"{text.rstrip()}{apart}{shown}"
    at = min(gaps, key=lambda gap: abs(gap - wanted))
    by = "\n\n" if "\n" in shown else " "
    return f"{text[:at]}{by}{shown}{by}{text[at:].lstrip()}"
