"""A batch of texts measured at once: word counts over arrays, lines by strings, each figure when a rule asks for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from itertools import filterfalse
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.chunks import Chunks, Ints
from corpusforge.curate.english_words import english_words
from corpusforge.curate.line_counts import LineCounts
from corpusforge.curate.vocabulary import SIGNS, Vocabulary

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]
Found = TypeVar("Found")

_PARAGRAPHS = re.compile(r"\n{2,}")


@lru_cache(maxsize=1)
def _shared() -> Vocabulary:
    return Vocabulary(english_words())


def shared_vocabulary() -> Vocabulary:
    """This process's vocabulary, a new one where the last has grown full."""
    if _shared().full:
        _shared.cache_clear()
    return _shared()


class Measured:
    """Texts of one batch, measured together. All figures are arrays with one value for each text, in order.

    `lengths` are characters, at least 1 so that they can divide; `tokens` likewise at least 1.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.lengths: Floats = np.fromiter((len(text) or 1 for text in texts), np.float64, len(texts))

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary that the batch's numbers belong to."""
        return shared_vocabulary()

    @cached_property
    def chunks(self) -> Chunks:
        """The chunks of all texts of the batch."""
        return Chunks(self.texts)

    @cached_property
    def _chunks(self) -> tuple[NDArray[np.int32], Ints]:
        return self.vocabulary.number(self.chunks), self.chunks.bounds

    def _summed(self, values: Ints) -> Ints:
        sums = np.zeros(len(values) + 1, np.int64)
        np.cumsum(values, out=sums[1:])
        bounds = self._chunks[1]
        return sums[bounds[1:]] - sums[bounds[:-1]]

    @cached_property
    def _counts(self) -> tuple[Ints, Ints, Ints, Ints]:
        # Sums of packed counts cannot overflow: a record has fewer than 2^31 characters.
        chunks = self._chunks[0]
        counts = self._summed(self.vocabulary.counts[chunks])
        sizes = self._summed(self.vocabulary.sizes[chunks])
        low = np.int64(0xFFFFFFFF)
        return counts & low, counts >> 32, sizes & low, sizes >> 32

    @cached_property
    def tokens(self) -> Ints:
        """Words and punctuation marks."""
        return np.maximum(self._counts[0], 1)

    @property
    def words(self) -> Ints:
        """Tokens that are not punctuation."""
        return self._counts[1]

    @cached_property
    def mean_word(self) -> Floats:
        """Mean characters of the tokens that are not punctuation; 0 where there are none."""
        return self._counts[2] / np.maximum(self.words, 1)

    @cached_property
    def alphabetic(self) -> Floats:
        """Share of the tokens with at least one letter."""
        return self._counts[3] / self.tokens

    @cached_property
    def stop_words(self) -> Ints:
        """Different English stop words."""
        chunks, bounds = self._chunks
        found = np.zeros(len(self.texts), np.uint8)
        filled = np.flatnonzero(bounds[1:] > bounds[:-1])
        if len(filled):
            found[filled] = np.bitwise_or.reduceat(self.vocabulary.stops[chunks], bounds[:-1][filled])
        return np.bitwise_count(found).astype(np.int64)

    @cached_property
    def sequence(self) -> tuple[NDArray[np.int32], Ints]:
        """The numbers of all tokens of the batch, and where each text's begin (one more than texts)."""
        chunks, _ = self._chunks
        bounds = np.zeros(len(self.texts) + 1, np.int64)
        np.cumsum(self._counts[0], out=bounds[1:])
        return self.vocabulary.tokens_of(chunks), bounds

    @cached_property
    def line_counts(self) -> LineCounts:
        """Counts of the texts' lines."""
        return LineCounts(self.chunks, self._sign("citation"), self._sign("c4"))

    @cached_property
    def _signs(self) -> NDArray[np.uint8]:
        numbers = self._chunks[0]
        signs: NDArray[np.uint8] = self.vocabulary.signs[numbers]
        return signs

    def _sign(self, sign: str) -> Ints:
        return np.flatnonzero(self._signs & (1 << list(SIGNS).index(sign)))

    def with_sign(self, sign: str) -> Ints:
        """How many chunks of each text have one of `SIGNS`."""
        owner = np.searchsorted(self._chunks[1], self._sign(sign), side="right") - 1
        return np.bincount(owner, minlength=len(self.texts))

    def sentences(self, rows: Rows) -> Ints:
        """Sentences in the lines that C4 keeps of some texts."""
        vocabulary, (numbers, _) = self.vocabulary, self._chunks
        behind = np.zeros(len(numbers) + 1, np.int64)
        np.cumsum(vocabulary.many[numbers], out=behind[1:])
        return self.line_counts.sentences(vocabulary, vocabulary.sentence[self.sequence[0]], behind, rows)

    def each(self, rows: Rows, figure: Callable[[str], float]) -> Floats:
        """A figure of a string, for the texts of `rows`."""
        return np.fromiter((figure(self.texts[row]) for row in rows.tolist()), np.float64, len(rows))

    @cached_property
    def _looked_at(self) -> dict[Callable[[str], Any], dict[int, Any]]:
        return {}

    def looked_at(self, rows: Rows, look: Callable[[str], Found]) -> list[Found]:
        """What `look` finds in the texts of `rows`, looked for once in each text."""
        known: dict[int, Found] = self._looked_at.setdefault(look, {})
        return [known[row] if row in known else known.setdefault(row, look(self.texts[row])) for row in rows.tolist()]

    def lines(self, rows: Rows) -> list[LineFigures]:
        """The figures of the lines of some texts."""
        return self.looked_at(rows, LineFigures)

    def paragraphs(self, rows: Rows) -> list[tuple[float, float]]:
        """Shares of repeated paragraphs of some texts: of the paragraphs, and of the characters."""
        return self.looked_at(rows, _paragraphs)


class LineFigures:
    """What rules ask of one text's lines: `filled` are those that are not empty, `said` those that are not blank."""

    __slots__ = ("characters", "count", "filled", "repeated", "repeated_characters", "said", "same")

    def __init__(self, text: str) -> None:
        self.filled = list(filter(None, text.split("\n")))
        self.said = list(filterfalse(str.isspace, self.filled))
        self.same = len(self.said) == len(self.filled)
        self.characters = len(text)
        distinct = set(self.filled)
        # As datatrove splits, a text that begins or ends with a newline has an empty line there.
        borders = text.startswith("\n") + text.endswith("\n") if text else 1
        self.count = len(self.filled) + borders
        self.repeated = len(self.filled) - len(distinct) + (borders == 2)
        self.repeated_characters = (
            sum(map(len, self.filled)) - sum(map(len, distinct)) if len(distinct) < len(self.filled) else 0
        )

    @property
    def duplicates(self) -> float:
        """Share of lines that occurred before."""
        return self.repeated / self.count

    @property
    def duplicate_characters(self) -> float:
        """Share of the text's characters in such lines."""
        return self.repeated_characters / (self.characters or 1)

    @property
    def said_duplicate_characters(self) -> int:
        """Characters in lines that occurred before, blank ones left out."""
        if self.same or not self.repeated_characters:
            return self.repeated_characters
        return sum(map(len, self.said)) - sum(map(len, set(self.said)))


def _paragraphs(text: str) -> tuple[float, float]:
    stripped = text.strip()
    if "\n\n" not in stripped:
        return 0.0, 0.0
    paragraphs = _PARAGRAPHS.split(stripped) if "\n\n\n" in stripped else stripped.split("\n\n")
    distinct = set(paragraphs)
    if len(distinct) == len(paragraphs):
        return 0.0, 0.0
    characters = sum(map(len, paragraphs)) - sum(map(len, distinct))
    return (len(paragraphs) - len(distinct)) / len(paragraphs), characters / len(text)
