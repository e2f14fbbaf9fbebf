"""Cuts a record into chunks by its structure, none longer than a limit in tokens, each a span of the record's text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from corpusforge.generate.page import named
from corpusforge.generate.passages import Block, Section, split, trimmed
from corpusforge.generate.sentences import sentences
from corpusforge.record import Record, part_offsets, speaker, stable_hash

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a record's text, [start, end) in characters; `section` names the headings that lie above it."""

    record: Record
    start: int
    end: int
    section: str = ""

    @property
    def text(self) -> str:
        """What the stretch says."""
        return self.record.text[self.start : self.end]

    @property
    def byte_span(self) -> Span:
        """The stretch in bytes of the text's UTF-8."""
        start = len(self.record.text[: self.start].encode("utf-8", "surrogatepass"))
        return start, start + len(self.text.encode("utf-8", "surrogatepass"))


def tokens_bound(text: str, bytes_per_token: float) -> int:
    """How many tokens a text has at most, where a token stands for `bytes_per_token` bytes of UTF-8 on average or more.

    Three is on the safe side for the tokenizers of today's models: English has about four, and a character of Chinese
    or Japanese (three bytes) is one token at most; a model that reads bytes has one.
    """
    return ceil(len(text.encode("utf-8", "surrogatepass")) / bytes_per_token)


def chunks(record: Record, tokens: int, bytes_per_token: float, smallest: int) -> list[Chunk]:
    """The chunks of a record in order: no two overlap, and together they hold all but white space.

    Sections (turns in a conversation) stay whole and share a chunk while they fit; what is longer than `tokens` is cut
    at blocks, then list items and table rows, then sentences, then words. Chunks below `smallest` tokens are left out.
    """
    cutter = _Cutter(record, tokens, bytes_per_token)
    made: list[Chunk] = []
    for start, end, section in cutter.pieces():
        if made and cutter.fits(made[-1].start, end):
            made[-1] = Chunk(record, made[-1].start, end, made[-1].section)
        else:
            made.append(Chunk(record, start, end, section))
    return [chunk for chunk in made if tokens_bound(chunk.text, bytes_per_token) >= smallest]


def chosen(found: Sequence[Chunk], most: int) -> list[Chunk]:
    """At most `most` of a record's chunks in their order; which ones, their content decides and never their place."""
    if len(found) <= most:
        return list(found)
    kept = sorted(found, key=lambda chunk: stable_hash(chunk.record.id, chunk.text))[:most]
    return sorted(kept, key=lambda chunk: chunk.start)


class _Cutter:
    def __init__(self, record: Record, tokens: int, bytes_per_token: float) -> None:
        self.record, self.text = record, record.text
        self.tokens, self.bytes_per_token = tokens, bytes_per_token

    def fits(self, start: int, end: int) -> bool:
        """Whether text[start:end] is within the limit."""
        if end - start > self.tokens * self.bytes_per_token:
            return False
        return tokens_bound(self.text[start:end], self.bytes_per_token) <= self.tokens

    def pieces(self) -> Iterator[tuple[int, int, str]]:
        """Stretches that fit, in order, each with the headings above it."""
        if self.record.messages is not None:
            for start, end in self._turns():
                yield from ((*piece, "") for piece in self._cut(start, end))
            return
        for section in split(self.text):
            above = [named(name) for name in section.path]
            whole = trimmed(self.text, section.start, section.end)
            if whole[0] == whole[1]:
                continue
            if self.fits(*whole):
                yield *whole, _path(above)
                continue
            first = whole[0]
            for start, end in self._of_section(section, whole):
                # Behind the piece that holds the heading itself, the heading is told instead.
                yield start, end, _path(above if start == first else [*above, named(section.heading)])

    def _turns(self) -> Iterator[Span]:
        messages = self.record.messages or ()
        for message, offset in zip(messages, part_offsets(messages), strict=True):
            yield trimmed(self.text, offset - len(speaker(message)) - 2, offset + len(message.content))

    def _of_section(self, section: Section, whole: Span) -> Iterator[Span]:
        start = whole[0]
        for at, block in enumerate(section.blocks):
            # The heading goes with the first block; text between blocks (a rule) with the one before it.
            end = section.blocks[at + 1].start if at + 1 < len(section.blocks) else whole[1]
            begin = start if at == 0 else block.start
            span = trimmed(self.text, begin, end)
            if self.fits(*span):
                yield span
            else:
                yield from self._of_block(block, span)
        if not section.blocks:
            yield from self._cut(*whole)

    def _of_block(self, block: Block, span: Span) -> Iterator[Span]:
        marks = [item.start for item in block.items] or [row[0].start for row in block.rows if row]
        # An item starts at its mark, a row at its bar: both at the beginning of their line.
        starts = [max(span[0], self.text.rfind("\n", span[0], mark) + 1) for mark in marks[1:]]
        edges = [span[0], *starts, span[1]]
        for start, end in pairwise(edges):
            piece = trimmed(self.text, start, end)
            if piece[0] < piece[1]:
                yield from self._cut(*piece)

    def _cut(self, start: int, end: int) -> Iterator[Span]:
        """A stretch as it is if it fits, else as sentences, else as words, else by force."""
        if start == end:
            return
        if self.fits(start, end):
            yield start, end
            return
        for a, b in sentences(self.text, start, end):
            if self.fits(a, b):
                yield trimmed(self.text, a, b)
            else:
                yield from self._words(a, b)

    def _words(self, start: int, end: int) -> Iterator[Span]:
        most = max(1, int(self.tokens * self.bytes_per_token))
        while start < end:
            stop = min(end, start + most)
            while stop > start + 1 and not self.fits(start, stop):
                stop = start + max(1, (stop - start) * 3 // 4)
            if stop < end:
                blank = max(self.text.rfind(" ", start + 1, stop), self.text.rfind("\n", start + 1, stop))
                stop = self._outside(start, blank if blank > start else stop)
            piece = trimmed(self.text, start, stop)
            if piece[0] < piece[1]:
                yield piece
            start = stop

    def _outside(self, start: int, stop: int) -> int:
        """A place to cut that does not split a placeholder."""
        inside = next((span for span in self.record.spans if span.start < stop < span.end), None)
        return stop if inside is None or inside.start <= start else inside.start


def _path(names: Sequence[str]) -> str:
    return " > ".join(name for name in names if name)
