"""A batch of texts measured at once by compiled loops over its bytes, each figure when a rule asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.chunks import Chunks, Ints
from corpusforge.curate.compiled import compiled
from corpusforge.curate.english_words import english_words
from corpusforge.curate.line_counts import LineCounts
from corpusforge.curate.repeats import Repeats
from corpusforge.curate.vocabulary import SIGNS, STOPS, Vocabulary

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]

# Columns of the sums over a text's chunks.
_TOKENS, _WORDS, _CHARACTERS, _LETTERED, _STOPS, _FIRST_SIGN = range(6)
_SIGNS = len(SIGNS)


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
    def _numbers(self) -> NDArray[np.int32]:
        return self.vocabulary.number(self.chunks)

    @cached_property
    def _counts(self) -> Ints:
        numbers = self._numbers
        return _summed(self.vocabulary.chunks, numbers, self.chunks.bounds)

    def _sum(self, column: int) -> Ints:
        sums: Ints = self._counts[column]
        return sums

    @cached_property
    def tokens(self) -> Ints:
        """Words and punctuation marks."""
        return np.maximum(self._sum(_TOKENS), 1)

    @property
    def words(self) -> Ints:
        """Tokens that are not punctuation."""
        return self._sum(_WORDS)

    @cached_property
    def mean_word(self) -> Floats:
        """Mean characters of the tokens that are not punctuation; 0 where there are none."""
        return self._sum(_CHARACTERS) / np.maximum(self.words, 1)

    @cached_property
    def alphabetic(self) -> Floats:
        """Share of the tokens with at least one letter."""
        return self._sum(_LETTERED) / self.tokens

    @cached_property
    def stop_words(self) -> Ints:
        """Different English stop words."""
        return np.bitwise_count(self._sum(_STOPS)).astype(np.int64)

    def with_sign(self, sign: str) -> Ints:
        """How many chunks of each text have one of `SIGNS`."""
        return self._sum(_FIRST_SIGN + list(SIGNS).index(sign))

    @cached_property
    def line_counts(self) -> LineCounts:
        """Counts of the texts' lines and paragraphs."""
        return LineCounts(self.chunks, self.vocabulary, self._numbers)

    @cached_property
    def repeats(self) -> Repeats:
        """Shares of the texts in repeated runs of tokens."""
        vocabulary, numbers = self.vocabulary, self._numbers
        words = self.chunks.bounds, numbers, vocabulary.chunks, vocabulary.tokens
        return Repeats(words, vocabulary.factors, self._sum(_TOKENS), self.lengths)

    def sentences(self, rows: Rows) -> Ints:
        """Sentences in the lines that C4 keeps of some texts."""
        return self.line_counts.sentences(self.vocabulary, rows)

    def each(self, rows: Rows, figure: Callable[[str], float]) -> Floats:
        """A figure of a string, for the texts of `rows`."""
        return np.fromiter((figure(self.texts[row]) for row in rows.tolist()), np.float64, len(rows))


@compiled
def _summed(facts: Ints, numbers: NDArray[np.int32], bounds: Ints) -> Ints:
    """By column the sums over each text's chunks; of stop words the bits."""
    found = np.zeros((_FIRST_SIGN + _SIGNS, len(bounds) - 1), np.int64)
    low = np.int64(0xFFFFFFFF)
    for text in range(len(bounds) - 1):
        # Sums of packed counts cannot overflow: a record has fewer than 2^31 characters.
        counts, sizes, stops = np.int64(0), np.int64(0), np.int64(0)
        for place in range(bounds[text], bounds[text + 1]):
            row = numbers[place]
            counts += facts[row, 0]
            sizes += facts[row, 1]
            bits = facts[row, 3]
            stops |= bits
            if bits > low:
                for sign in range(_SIGNS):
                    found[_FIRST_SIGN + sign, text] += (bits >> (32 + sign)) & 1
        found[_TOKENS, text], found[_WORDS, text] = counts & low, counts >> 32
        found[_CHARACTERS, text], found[_LETTERED, text] = sizes & low, sizes >> 32
        found[_STOPS, text] = stops & STOPS
    return found
