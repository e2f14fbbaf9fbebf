"""The segment stage: long records in pieces that end where a paragraph, sentence or turn ends, nothing lost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Self

from pydantic import Field, model_validator

from corpusforge.record import Message, Record, Span, speaker
from corpusforge.stage import Item, Stage, StageContext, StageSettings

# From the best place to cut to the worst; each matches what stays with the piece before.
_BOUNDARIES = (
    re.compile(r"\n[ \t]*\n\s*"),
    re.compile(r"\n\s*"),
    re.compile(r"[.!?…]['\")\]’”»]*\s+(?=[\"'(\[‘“«¿¡]*[A-Z\u00c0-\u00de\u0370-\uffff0-9])|[。！？]"),
    re.compile(r"\s+"),
)


class SegmentSettings(StageSettings):
    """Settings of `segment`."""

    max_chars: int = Field(8000, ge=100, description="Longest piece, in characters.")
    min_chars: int = Field(1000, ge=0, description="Shortest piece to cut for the sake of a better boundary.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.min_chars * 2 > self.max_chars:
            raise ValueError("min_chars must be at most half of max_chars.")
        return self


class Segment(Stage):
    """Splits records over `max_chars` into pieces `{id}#{k}` that keep group, title and origin.

    `meta.piece` is a piece's [start, end) in its parent's text, in characters. Pieces of a text concatenate to it
    exactly; pieces of a chat do when joined by the newline between turns. A chat is cut between turns only, so a turn
    longer than `max_chars` is one piece.
    """

    name: ClassVar[str] = "segment"
    version: ClassVar[int] = 1
    Settings: ClassVar[type[StageSettings]] = SegmentSettings

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Short and labelled records as they are; every other record as its pieces."""
        settings: SegmentSettings = ctx.settings
        for record in records:
            if len(record.text) <= settings.max_chars or record.kind == "labelled":
                yield record
                continue
            pieces = 0
            for piece in segmented(record, settings.max_chars, settings.min_chars):
                pieces += 1
                yield piece
            if pieces > 1:
                ctx.count(record.source, "split")
                ctx.count(record.source, "pieces", pieces)


def segmented(record: Record, max_chars: int, min_chars: int) -> Iterator[Record]:
    """A record's pieces, or the record itself where there is no place to cut it."""
    if record.messages is not None:
        groups = list(_turn_groups(record.messages, max_chars))
        if len(groups) == 1:
            yield record
            return
        start = 0
        for k, group in enumerate(groups):
            piece = record.with_messages(group)
            end = start + len(piece.text)
            yield _piece(record, replace(piece, spans=_within(record.spans, start, end)), k, start, end)
            start = end + 1
        return
    start = 0
    for k, end in enumerate(cuts(record.text, max_chars, min_chars, record.spans)):
        piece = replace(record, text=record.text[start:end], spans=_within(record.spans, start, end))
        yield _piece(record, piece, k, start, end)
        start = end


def cuts(text: str, max_chars: int, min_chars: int, spans: Sequence[Span] = ()) -> Iterator[int]:
    """The ends of the pieces of `text`, the last being its length; no cut falls inside a span.

    Of all places within reach the last paragraph end wins, then line, sentence and word; a run without any of them is
    cut at `max_chars`. Pieces are between `min_chars` and `max_chars` where the text allows it.
    """
    start = 0
    length = len(text)
    inside = sorted(spans, key=lambda span: span.start)
    while length - start > max_chars:
        # The rest after this cut must not be a crumb: leave at least min_chars.
        limit = min(start + max_chars, max(length - min_chars, start + max_chars // 2))
        end = _outside(_cut(text, start + max(min_chars, 1), limit), inside, start, length)
        yield end
        start = end
    if start < length or not length:
        yield length


def _cut(text: str, low: int, limit: int) -> int:
    for boundary in _BOUNDARIES:
        found = 0
        for match in boundary.finditer(text, max(0, low - 1), limit + 1):
            if low <= match.end() <= limit:
                found = match.end()
        if found:
            return found
    return limit


def _outside(end: int, spans: Sequence[Span], start: int, length: int) -> int:
    for span in spans:
        if span.start < end < span.end:
            # Before the placeholder, unless the piece would be empty.
            return span.start if span.start > start else min(span.end, length)
    return end


def _turn_groups(messages: Sequence[Message], max_chars: int) -> Iterator[list[Message]]:
    group: list[Message] = []
    size = 0
    for message in messages:
        length = len(speaker(message)) + 2 + len(message.content)
        if group and size + 1 + length > max_chars:
            yield group
            group, size = [], 0
        size += length + bool(group)
        group.append(message)
    yield group


def _within(spans: Sequence[Span], start: int, end: int) -> tuple[Span, ...]:
    return tuple(
        replace(span, start=span.start - start, end=span.end - start)
        for span in spans
        if start <= span.start and span.end <= end
    )


def _piece(parent: Record, piece: Record, k: int, start: int, end: int) -> Record:
    if start == 0 and end == len(parent.text):
        return parent
    # Tokens were counted for the whole; a piece of a piece stays relative to the outermost parent's text.
    base = parent.meta.get("piece", [0, 0])[0]
    return replace(piece, id=f"{parent.id}#{k}", tokens=-1, meta={**parent.meta, "piece": [base + start, base + end]})
