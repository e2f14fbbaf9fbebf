"""Takes a record apart into the texts that are redacted, and puts it together again with the spans in their places."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from corpusforge.curate.redaction.asked import Before
from corpusforge.curate.redaction.kinds import PLACEHOLDER
from corpusforge.curate.redaction.placeholders import Ledger
from corpusforge.curate.redaction.units import Unit
from corpusforge.curate.redaction.words import is_role
from corpusforge.record import Message, Record, Span, part_offsets, speaker

# Fields of `meta` whose whole value is personal whatever it looks like, by the last words of their key.
_KEYS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(rf"(?:.*_)?(?:{words})", re.IGNORECASE))
    for kind, words in (
        ("PERSON",
         r"author|customer|client|owner|sender|recipient|assignee|reporter|assigned_to|(?:created|reported|written)_by"
         r"|(?:first|last|full|sur|given|family|display)_?name|(?:customer|user|client|agent|contact)_?name"
         r"|name_of_\w+"),
        ("USERNAME", r"user|username|login|nick|nickname|screen_?name|handle"),
        ("PHONE_NUMBER", r"(?:phone|mobile|cell_?phone|cell|telephone|tel|fax|whatsapp)(?:_?(?:number|no))?|msisdn"),
        ("US_SSN", r"ssn|social_security(?:_number|_no)?"),
        ("DATE_OF_BIRTH", r"dob|date_of_birth|birth_?(?:day|date)"),
        ("CREDIT_CARD", r"(?:credit_?|debit_?)?card(?:_?(?:number|no))?|pan"),
        ("ACCOUNT_NUMBER", r"account_?(?:id|number|no)|acct(?:_?(?:id|number|no))?|iban"),
        ("CUSTOMER_ID", r"(?:customer|client|member|patient|employee|subscriber)_?(?:id|number|no)"),
        ("STREET_ADDRESS",
         r"street|street_?address|(?:home|billing|shipping|mailing|postal|delivery)_?address|post_?code"
         r"|zip(?:_?code)?"),
        ("SECRET", r"password|passwd|pwd|secret|api_?key|(?:access|auth|refresh)_?token|pin_?code|cvv"),
    )
)  # fmt: skip
Scalar = str | int | float
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MIN_NUMBER = 10**6
_MOMENT = re.compile(r"(?:19|20)\d\d-[01]\d-[0-3]\d(?:[T ][\d:.]{4,15} ?(?:Z|UTC|[+-]\d\d:?\d\d)?)?")
# What stands in a message's `time`; anything else there is a field that was mapped by mistake.
_TIME = re.compile(
    r"(?:[\d\s:.,/()+-]|[TZ]\b|T(?=\d)|(?:[ap]m|utc|gmt|[ecmp][ds]t|[ceaw]e?s?t|[bij]st|mon|tues?|wed(?:nes)?"
    r"|thu(?:rs)?|fri|sat(?:ur)?|sun"
    r"|jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)(?:day)?(?![a-z])){0,48}",
    re.IGNORECASE,
)


@lru_cache(maxsize=1024)
def labelled_kind(key: str) -> str:
    """The kind that a meta key promises (`customer_name`, `createdBy`, `phone`), or nothing."""
    words = _CAMEL.sub("_", key).replace("-", "_").replace(" ", "_")
    return next((kind for kind, pattern in _KEYS if pattern.fullmatch(words)), "")


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
            starts = part_offsets(record.messages) if record.spans else [0] * len(record.messages)
            for message, start in zip(record.messages, starts, strict=True):
                if not record.spans:
                    self.speakers.append(Unit(message.name))
                    self.parts.append(Unit(message.content))
                    continue
                head = start - len(speaker(message)) - 2
                self.speakers.append(Unit(message.name, _inside(record, head, head + len(message.name))))
                self.parts.append(Unit(message.content, _inside(record, start, start + len(message.content))))
        # Turns that somebody else asked for, as far as that was looked up.
        self._asks: dict[int, bool] = {}
        self._places = {id(unit): place for place, unit in enumerate(self.parts)}
        meta = {key: value for key, value in record.meta.items() if not (names and key == "handles")}
        self._meta_units: list[Unit] = []
        self._keys: set[int] = set()
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

    @property
    def values(self) -> list[Unit]:
        """What is searched, less the names of meta's fields."""
        return [unit for unit in self.texts if id(unit) not in self._keys]

    def is_part(self, unit: Unit) -> bool:
        """Whether a text is the record's own, not its title or meta."""
        return id(unit) in self._places

    def is_person(self, name: str) -> bool:
        """Whether a speaker's name is a person's: not a role, not a placeholder."""
        return any(c.isalnum() for c in name) and not is_role(name) and not PLACEHOLDER.fullmatch(name)

    def is_value(self, value: str, kind: str) -> bool:
        """Whether a labelled field says something of somebody: not empty, no role, not a placeholder."""
        if kind in ("PERSON", "USERNAME"):
            return self.is_person(value)
        return any(c.isalnum() for c in value) and not PLACEHOLDER.fullmatch(value)

    def question(self, unit: Unit, ledger: Ledger) -> str | None:
        """The turn before a turn, if somebody else said it.

        In a labelled set nobody asks anybody: an instruction and a customer's words stand before a label, and a class
        such as `mail-password` would be taken for the login that they speak of.
        """
        messages, place = self._record.messages, self._place_behind(unit)
        if messages is None or not place:
            return None
        asks = self._asks.get(place)
        if asks is None:
            before = messages[place - 1]
            asks = ("?" in before.content or "please" in before.content.casefold()) and (
                speaker(before) != speaker(messages[place])
            )
            self._asks[place] = asks
        return self.parts[place - 1].text(ledger) if asks else None

    def before(self, unit: Unit, ledger: Ledger) -> Before | None:
        """The turn before a turn of a conversation, who ever said it; none in a labelled set, where nobody answers."""
        messages, place = self._record.messages, self._place_behind(unit)
        if messages is None or not place:
            return None
        return Before(self.parts[place - 1].text(ledger), speaker(messages[place - 1]) == speaker(messages[place]))

    def _place_behind(self, unit: Unit) -> int:
        """The place of a turn that stands behind another one; 0 for all else, and in labelled sets."""
        return 0 if self._record.kind == "labelled" else self._places.get(id(unit), 0)

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
                _said(message, name.text(ledger), part.text(ledger))
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
        meta = self._walk(self._meta, lambda value, key: _restored(value, next(units).text(ledger)))
        return replace(made, spans=tuple(spans), meta=meta)

    def _collect(self, value: Scalar, key: str) -> Scalar:
        unit = Unit(_plain(value))
        self._meta_units.append(unit)
        if not key:
            self._keys.add(id(unit))
        if kind := labelled_kind(key):
            self.labelled_units.append((unit, kind))
        return value

    def _walk(self, value: Any, visit: Callable[[Scalar, str], Any], key: str = "") -> Any:
        """A copy of a JSON value with every string, key and long number passed through `visit`, in a fixed order.

        Moments (a log's date) and the byte ranges that readers write are nobody's, and no string of digits besides.
        """
        if isinstance(value, str):
            moment = _MOMENT.fullmatch(value) and not labelled_kind(key)
            return value if moment else visit(value, key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            if abs(value) >= _MIN_NUMBER or (key and labelled_kind(key)):
                return visit(value, key)
            return value
        if isinstance(value, dict):
            return {
                visit(name, ""): item if name == "lines" and _ranges(item) else self._walk(item, visit, name)
                for name, item in sorted(value.items())
            }
        if isinstance(value, list | tuple):
            return [self._walk(item, visit, key) for item in value]
        return value


def _said(message: Message, name: str, content: str) -> Message:
    time = message.time if _TIME.fullmatch(message.time) else ""
    if (name, content, time) == (message.name, message.content, message.time):
        return message
    return replace(message, name=name, content=content, time=time)


def _ranges(value: Any) -> bool:
    """Whether a value is a list of [start, end) pairs that ascend, as readers write them."""
    end = 0
    for pair in value if isinstance(value, list) else ():
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(place, int) for place in pair)):
            return False
        if not end <= pair[0] < pair[1]:
            return False
        end = pair[1]
    return end > 0


def _plain(value: Scalar) -> str:
    """A text as it is; a whole number without the point that spreadsheets put behind it."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _restored(original: Scalar, text: str) -> Scalar:
    return original if text == _plain(original) else text


def _inside(record: Record, start: int, end: int) -> list[Span]:
    return [
        replace(s, start=s.start - start, end=s.end - start) for s in record.spans if start <= s.start and s.end <= end
    ]
