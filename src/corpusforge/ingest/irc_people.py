"""Knows the nicks of an IRC log and finds them in what people write: addressed (`nick: text`) or mentioned."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

_EDGES = "\"'`()<>,:;.!?*~/@"
_ADDRESS_END = (":", ",", ";", ">")
_BOT = re.compile(r"(?:ubot[a-z]*\d*|floodbot.*|chanserv|nickserv|dpkg|.+[-_]bot\d*|meetingology)", re.IGNORECASE)
_COMMON = frozenset(
    re.findall(
        r"\S+",
        """
        a about after again ah all also am an and another any anyone are as ask at away back bash be because been
        before better bit boot bug but by bye can car cat cd code com could cow daemon day default desktop did disk
        do does dog done dos down else error even evil file find fine firefox first for from game get gnome go god
        good got great group guest ha had has have he hello help her here hey hi him his hm hmm home host how i if
        in install is it its just kde kernel know laptop last later let like linux list live load log lol look lost
        lots love mac machine mail make man many may maybe me memory mine mint mode more most mouse my name need net
        never new next nice nick no none not nothing now of off ok old on one only open or os other out over package
        part people ping play please power problem program question quit ram ran rather read ready really repo right
        root run same say screen search see server set she shell should show so some someone something sorry space
        spam still stop stuff sudo super sure system take test than thank thanks that the their them then there they
        thing think this time tip to too top trash trouble try two type ubuntu ubuntu-user uh unix until up update
        us use used user vi video vim void wait want was way we web well were what when where which who whoa why
        wifi will win windows wireless with work would wow write x yea yeah year yes you your zero zip
        """,
    )
)

_Hit = tuple[str, str, bool, bool]
"""A nick in a text: lower-cased, as written, whether it ends like an address, whether only addresses precede it."""


class Mentions(NamedTuple):
    """Whom a message names, as person numbers: `addressed` at its start, `named` anywhere else, in order."""

    addressed: tuple[int, ...]
    named: tuple[int, ...]


@dataclass(slots=True)
class People:
    """Persons of one log. A nick change keeps the person; nicks are compared without case, as IRC does (RFC 2812)."""

    numbers: dict[str, int] = field(default_factory=dict)
    bots: set[int] = field(default_factory=set)
    extra_bots: frozenset[str] = frozenset()
    _count: int = 0

    def number(self, nick: str) -> int:
        """The person who has this nick now; a new person if nobody has."""
        key = nick.lower()
        found = self.numbers.get(key)
        if found is None:
            found = self.numbers[key] = self._count
            self._count += 1
            if key in self.extra_bots or _BOT.fullmatch(key):
                self.bots.add(found)
        return found

    def rename(self, old: str, new: str) -> None:
        """`old` is called `new` from here on; the old nick keeps pointing to the same person."""
        self.numbers[new.lower()] = self.number(old)

    def mentions(
        self, texts: Sequence[str], speakers: Sequence[int]
    ) -> tuple[list[Mentions], list[tuple[str, ...]], set[str]]:
        """Whom each text names, the nicks as they are written in it, and the nicks that are plain words.

        A nick that people write far more often as a plain word than to address somebody (`help`, `linux`) names a
        person only where it stands as an address. For the second and third answer, which redaction uses, the evidence
        that it is a plain word must be stronger: a word redacted in vain costs less than a nick that stays.
        """
        hits: list[list[_Hit]] = []
        plain: Counter[str] = Counter()
        formal: Counter[str] = Counter()
        for text in texts:
            found = self._hits(text)
            hits.append(found)
            for key, _, ends_as_address, at_start in found:
                (formal if ends_as_address and at_start else plain)[key] += 1
        words = {key for key in plain if key in _COMMON or len(key) < 2 or plain[key] > 2 * formal[key] + 5}
        surely = {key for key in words if key in _COMMON or len(key) < 2 or plain[key] > 10 * formal[key] + 40}
        named = [self._resolve(found, words, speaker) for found, speaker in zip(hits, speakers, strict=True)]
        written = [tuple(raw for key, raw, _, _ in found if key not in surely) for found in hits]
        return named, written, surely | _COMMON

    def _hits(self, text: str) -> list[_Hit]:
        numbers = self.numbers
        found: list[_Hit] = []
        only_addresses = True
        for place, word in enumerate(text.lower().split()):
            key = word
            if key not in numbers:
                key = word.strip(_EDGES)
                if key not in numbers:
                    continue
            raw = text.split()[place]
            where = word.find(key)
            # `well, ...` opens many a sentence; a nick that is a common word is addressed with a colon.
            ends = word.endswith(":" if key in _COMMON else _ADDRESS_END)
            # `al, bo: text` addresses two; `al said bo: ...` one.
            at_start = only_addresses and place == len(found)
            found.append((key, raw[where : where + len(key)], ends, at_start))
            only_addresses = at_start and ends
        return found

    def _resolve(self, found: list[_Hit], words: set[str], speaker: int) -> Mentions:
        addressed: list[int] = []
        named: list[int] = []
        for key, _, ends_as_address, at_start in found:
            person = self.numbers[key]
            if person == speaker:
                continue
            if at_start and (ends_as_address or key not in words):
                addressed.append(person)
            elif key not in words:
                named.append(person)
        return Mentions(tuple(addressed[:2]), tuple(named[:2]))
