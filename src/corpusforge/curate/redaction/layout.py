"""Takes a record apart into the texts that are redacted, and puts it together again with the spans in their places."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from corpusforge.curate.redaction.kinds import PLACEHOLDER
from corpusforge.curate.redaction.placeholders import Ledger
from corpusforge.curate.redaction.units import Unit
from corpusforge.curate.redaction.words import is_role
from corpusforge.record import Record, Span, part_offsets, speaker

# Keys of `meta` whose whole value is a person's name or login, whatever it looks like.
_NAME_KEY = re.compile(
    r"(?:.*_)?(?:author|customer|client|owner|sender|recipient|assignee|reporter|first_?name|last_?name|full_?name|surname"
    r"|(?:customer|user|client|agent|contact|display)_?name|name_of_\w+)",
    re.IGNORECASE,
)
_LOGIN_KEY = re.compile(r"(?:.*_)?(?:user|username|login|nick|nickname|screen_?name|handle)", re.IGNORECASE)
_MIN_NUMBER = 10**6


class Layout:
    """The texts of one record: `title`, `speakers`, `parts` and `meta`, each a Unit, in reading order."""

    def __init__(self, record: Record, *, names: bool) -> None:
        """`names`: speakers and meta names are replaced, and the log's list of nicks goes."""
        self._record = record
        self.title = Unit(record.title)
        self.speakers: list[Unit] = []
        self.parts: list[Unit] = []
        if record.messages is None:
            self.parts.append(Unit(record.text, record.spans))
        else:
            starts = part_offsets(record.messages)
            for message, start in zip(record.messages, starts, strict=True):
                head = start - len(speaker(message)) - 2
                self.speakers.append(Unit(message.name, _inside(record, head, head + len(message.name))))
                self.parts.append(Unit(message.content, _inside(record, start, start + len(message.content))))
        self._places = {id(unit): place for place, unit in enumerate(self.parts)}
        meta = {key: value for key, value in record.meta.items() if not (names and key == "handles")}
        self._meta_units: list[Unit] = []
        self.labelled_units: list[tuple[Unit, str]] = []
        self._meta = meta
        self._walk(meta, self._collect)

    @property
    def texts(self) -> list[Unit]:
        """What is searched, in reading order; speakers' names are replaced as a whole instead."""
        return [self.title, *self.parts, *self._meta_units]

    @property
    def units(self) -> Iterator[Unit]:
        """All texts in the order in which their placeholders are numbered."""
        yield self.title
        for place, part in enumerate(self.parts):
            if self.speakers:
                yield self.speakers[place]
            yield part
        yield from self._meta_units

    def is_person(self, name: str) -> bool:
        """Whether a speaker's name is a person's: not a role, not a placeholder."""
        return any(c.isalnum() for c in name) and not is_role(name) and not PLACEHOLDER.fullmatch(name)

    def question(self, unit: Unit, ledger: Ledger) -> str | None:
        """The turn before a turn, if somebody else said it."""
        messages = self._record.messages
        place = self._places.get(id(unit), 0)
        if not messages or not place:
            return None
        before = messages[place - 1]
        asks = "?" in before.content or "please" in before.content.casefold()
        return self.parts[place - 1].text(ledger) if asks and speaker(before) != speaker(messages[place]) else None

    def near(self, changed: list[Unit]) -> list[Unit]:
        """The changed units and the turns after them, whose question has changed."""
        wanted = {id(unit) for unit in changed}
        if self.speakers:
            wanted |= {
                id(after) for before, after in zip(self.parts, self.parts[1:], strict=False) if id(before) in wanted
            }
        return [unit for unit in self.texts if id(unit) in wanted]

    def rebuilt(self, ledger: Ledger) -> Record:
        """The record with the units' texts and spans."""
        record = self._record
        spans: list[Span] = []
        title = self.title.text(ledger)
        if record.messages is None:
            text = self.parts[0].text(ledger)
            spans = self.parts[0].spans(ledger, 0)
            made = replace(record, title=title, text=text)
        else:
            messages = tuple(
                replace(message, name=name.text(ledger), content=part.text(ledger))
                for message, name, part in zip(record.messages, self.speakers, self.parts, strict=True)
            )
            made = replace(record, title=title).with_messages(messages)
            for message, start, name, part in zip(
                messages, part_offsets(messages), self.speakers, self.parts, strict=True
            ):
                if message.name:
                    spans += name.spans(ledger, start - len(message.name) - 2)
                spans += part.spans(ledger, start)
        units = iter(self._meta_units)
        meta = self._walk(self._meta, lambda value, key, number: _restored(value, next(units).text(ledger), number))
        return replace(made, spans=tuple(spans), meta=meta)

    def _collect(self, value: str, key: str, number: bool) -> str:
        unit = Unit(value)
        self._meta_units.append(unit)
        if _NAME_KEY.fullmatch(key) and not number:
            self.labelled_units.append((unit, "PERSON"))
        elif _LOGIN_KEY.fullmatch(key) and not number:
            self.labelled_units.append((unit, "USERNAME"))
        return value

    def _walk(self, value: Any, visit: Callable[[str, str, bool], Any], key: str = "") -> Any:
        """A copy of a JSON value with every string, key and long number passed through `visit`, in a fixed order."""
        if isinstance(value, str):
            return visit(value, key, False)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _MIN_NUMBER:
            return visit(str(value), key, True)
        if isinstance(value, dict):
            return {visit(name, "", False): self._walk(value[name], visit, name) for name in sorted(value)}
        if isinstance(value, list | tuple):
            return [self._walk(item, visit, key) for item in value]
        return value


def _restored(original: str, text: str, number: bool) -> Any:
    return int(original) if number and text == original else text


def _inside(record: Record, start: int, end: int) -> list[Span]:
    return [
        replace(s, start=s.start - start, end=s.end - start) for s in record.spans if start <= s.start and s.end <= end
    ]
