"""What flows through a build: records, the places where they came from, and what was left out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Kind = Literal["chat", "article", "doc", "labelled", "public", "qa", "mcq", "reading", "rewrite", "turns"]
SYNTHETIC: tuple[Kind, ...] = ("qa", "mcq", "reading", "rewrite", "turns")
Unit = Literal["byte", "char", "row", "page"]
Side = Literal["train", "holdout"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record lies in its source: a file relative to the source's root, and [start, end) in `unit`s.

    `byte` counts bytes of the decompressed file, `row` rows from 0, `page` pages from 0.
    """

    file: str
    start: int
    end: int
    unit: Unit = "byte"


@dataclass(frozen=True, slots=True)
class Span:
    """A redaction: `text[start:end]` of the *redacted* text is the placeholder. The original is kept nowhere."""

    kind: str
    start: int
    end: int
    detector: str
    score: float


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `role` is user, assistant or system, `name` the speaker if known."""

    role: str
    content: str
    name: str = ""
    time: str = ""


@dataclass(slots=True)
class Record:
    """One unit of text with its identity, lineage and labels.

    Law: a record with `messages` has `text == render(messages)`; use `with_parts` or `with_messages` to keep it.
    `group` names what must stay on one side of the split (conversation, document, duplicate cluster).
    `meta` holds JSON values only. Units: `text` offsets are Python characters (code points).
    """

    id: str
    source: str
    kind: Kind
    text: str
    origin: Origin
    title: str = ""
    messages: tuple[Message, ...] | None = None
    group: str = ""
    language: str = ""
    licence: str = ""
    parents: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    side: Side = "train"
    tokens: int = -1
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[str, ...]:
        """The texts a stage may rewrite: each message's content, or the one text."""
        if self.messages is None:
            return (self.text,)
        return tuple(message.content for message in self.messages)

    @property
    def english(self) -> bool:
        """Whether rules that read English may read it: English of any region, or nobody said."""
        return self.language.partition("-")[0].lower() in ("", "en")

    def with_parts(self, parts: Sequence[str]) -> Record:
        """A copy with rewritten texts, one for each of `parts`."""
        if self.messages is None:
            (text,) = parts
            return replace(self, text=text)
        messages = tuple(replace(m, content=part) for m, part in zip(self.messages, parts, strict=True))
        return self.with_messages(messages)

    def with_messages(self, messages: Iterable[Message]) -> Record:
        """A copy with other messages and the text that follows from them."""
        kept = tuple(messages)
        return replace(self, messages=kept, text=render(kept))


@dataclass(frozen=True, slots=True)
class Dropped:
    """A record that a stage leaves out, with the rule's name, its value and the threshold it missed."""

    record: Record
    reason: str
    score: float | None = None
    threshold: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A piece of input that could not be read. Says where it lies, never what it holds (it may be personal data)."""

    source: str
    origin: Origin
    reason: str
    detail: str = ""


def speaker(message: Message) -> str:
    """The word in front of a turn: the name if there is one, else the role."""
    return message.name or message.role


def render(messages: Iterable[Message]) -> str:
    """A conversation as plain text, one `speaker: content` line a turn."""
    return "\n".join(f"{speaker(m)}: {m.content}" for m in messages)


def part_offsets(messages: Sequence[Message]) -> list[int]:
    """For each message, where its content starts in `render(messages)`, in characters."""
    offsets: list[int] = []
    position = 0
    for message in messages:
        position += len(speaker(message)) + 2
        offsets.append(position)
        position += len(message.content) + 1
    return offsets


def excerpt(text: str, length: int) -> str:
    """The beginning of a text, at most `length` characters, never ending inside a redaction placeholder."""
    if len(text) <= length:
        return text
    cut = text[:length]
    opened = cut.rfind("<")
    return cut[:opened] if opened >= 0 and ">" not in cut[opened:] and length - opened < 40 else cut


_LENGTHS = tuple(length.to_bytes(8, "little") for length in range(512))


def stable_hash(*parts: str, size: int = 8) -> str:
    """A hex digest (2 * `size` digits) of some strings, the same on every machine and in every process."""
    # Called a hundred times for a page: at once, and with the lengths at hand.
    data = b""
    for part in parts:
        try:
            raw = part.encode()
        except UnicodeEncodeError:
            raw = part.encode("utf-8", "surrogatepass")
        length = len(raw)
        data += _LENGTHS[length] if length < 512 else length.to_bytes(8, "little")
        data += raw
    return hashlib.blake2b(data, digest_size=size).hexdigest()


def record_id(source: str, key: str) -> str:
    """A record's id from its source and native key (never its position), such as `gnome-help:9f86d081884c7d65`."""
    return f"{source}:{stable_hash(source, key)}"
