"""Numbers the chunks of texts and keeps their tokens and counts for all filters, so that each is split once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.chunk_tokens import ALPHABETIC, END, NO_PUNCTUATION, WORDY, ChunkTokens, Spelling, token_factors
from corpusforge.curate.chunks import Chunks, Hashes, Ints
from corpusforge.curate.compiled import compiled
from corpusforge.curate.english_words import LONGEST, EnglishWords
from corpusforge.curate.mark_table import MarkTable

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
# Expressions for the lower-case form of a chunk with a newline before it and one after it.
SIGNS = {
    # What C4 takes out of a line.
    "citation": r"\[(?:\d*\]|edit\]|citation(?=\n))",
    # What it drops lines or pages for, by a word of it: braces, scripts, filler text, policies.
    "c4": r"\{|javascript|lorem(?=\n)|terms(?=\n)|(?<=\n)policy|(?<=\n)cookies",
    "hash": "#",
    "ellipsis": r"\.\.\.|…",
    "bullet": "\n[-•]",
}
MOST_CHUNKS = 1_200_000
"""A vocabulary with more is full: about 150 MB. What is measured does not depend on it."""

_AS_DIGITS = bytes.maketrans(bytes((0, 1, 2)), b"012")
_HALF = np.uint64(32)
_LONGEST_STOP = max(map(len, STOP_WORDS))


class Vocabulary:
    """Every chunk (run of characters without white space) and every token seen so far, in rows by their numbers.

    Rows of `chunks`: tokens + words * 2^32; characters of words + tokens with a letter * 2^32; the first of its rows
    of `tokens` + how many * 2^32; bits of `STOP_WORDS` + bits of `SIGNS` (what it holds that rules look for) * 2^32.
    Rows of `tokens`: a 64-bit polynomial of the characters, so that that of a run of tokens follows from theirs and
    `factors`; characters + kind in a sentence * 2^32 (0 ends one, 1 is punctuation that neither ends nor begins one, 2
    begins one after an end). `factors` by length puts a token behind another.

    A word is a token that is not punctuation alone, in datatrove's sense of punctuation.
    """

    def __init__(self, words: EnglishWords) -> None:
        from datatrove.utils.text import PUNCTUATION_SET
        from spacy.pipeline import Sentencizer

        self._splitter = ChunkTokens(words, frozenset(PUNCTUATION_SET), frozenset(Sentencizer.default_punct_chars))
        self._table = MarkTable()
        self.chunks: Ints = np.zeros((1 << 14, 4), np.int64)
        self.tokens: Hashes = np.zeros((1 << 14, 2), np.uint64)
        self._chunks_used = self._tokens_used = 0
        self.factors = token_factors(LONGEST)

    @property
    def size(self) -> int:
        """How many chunks are known."""
        return self._table.count

    @property
    def full(self) -> bool:
        """Whether it is time for a new one."""
        return self._table.count > MOST_CHUNKS

    def number(self, chunks: Chunks) -> NDArray[np.int32]:
        """The number of each chunk."""
        numbers, new = self._table.number(chunks.marks)
        if len(new):
            self._learn(Spelling(chunks.joined(new)))
        return numbers

    def token_rows(self, numbers: NDArray[np.int32], size: int) -> Hashes:
        """The rows of `tokens` of some chunks, one after the other; `size` is how many they are."""
        rows: Hashes = _token_rows(self.chunks, self.tokens, numbers, size)
        return rows

    def sentence_kinds(self, lines: Sequence[str]) -> list[bytes]:
        """The kinds of the tokens of each line, as digits."""
        chunks = Chunks(lines)
        numbers = self.number(chunks)
        behind = np.zeros(len(numbers) + 1, np.int64)
        np.cumsum(self.chunks[numbers, 2] >> 32, out=behind[1:])
        kinds = (self.token_rows(numbers, int(behind[-1]))[:, 1] >> _HALF).astype(np.uint8)
        digits = kinds.tobytes().translate(_AS_DIGITS)
        return [digits[start:end] for start, end in pairwise(behind[chunks.bounds].tolist())]

    def _learn(self, spelling: Spelling) -> None:
        flags = self._splitter.flags(spelling)
        begins = self._splitter.begins(spelling, flags)
        tokens = np.flatnonzero(begins)
        first = np.searchsorted(tokens, spelling.starts)
        many = np.diff(first, append=len(tokens))
        ends = np.append(tokens[1:], 0)
        ends[first[1:] - 1], ends[-1:] = spelling.ends[:-1], spelling.ends[-1:]
        length = ends - tokens
        # The newline between chunks counts neither as what a token has nor as what it lacks.
        flags[spelling.ends] = 0
        flags[0] = 0
        met = np.bitwise_or.reduceat(flags, tokens)
        lettered = ((met & ALPHABETIC) != 0).astype(np.int64)
        word = ((met & WORDY) != 0).astype(np.int64)
        marks = spelling.marks(tokens, ends)
        ending = (length == 1) & ((met & END) != 0)
        stops = np.where(length <= _LONGEST_STOP, _stop_bits(marks), np.uint8(0))
        known, self._tokens_used = self._tokens_used, self._tokens_used + len(tokens)
        self.tokens = _grown(self.tokens, self._tokens_used)
        kinds = np.where(ending, 0, np.where(met & NO_PUNCTUATION, 2, 1))
        rows = self.tokens[known : self._tokens_used]
        rows[:, 0] = marks
        rows[:, 1] = (length + (kinds << 32)).view(np.uint64)
        start, self._chunks_used = self._chunks_used, self._chunks_used + len(first)
        self.chunks = _grown(self.chunks, self._chunks_used)
        facts = self.chunks[start : self._chunks_used]
        facts[:, 0] = many + (np.add.reduceat(word, first) << 32)
        facts[:, 1] = np.add.reduceat(length * word + (lettered << 32), first)
        facts[:, 2] = first + known + (many << 32)
        facts[:, 3] = np.bitwise_or.reduceat(stops, first).astype(np.int64) + (_signs(spelling).astype(np.int64) << 32)


Rows = TypeVar("Rows", Ints, Hashes)


def _grown(rows: Rows, needed: int) -> Rows:
    if needed <= len(rows):
        return rows
    grown = np.zeros((max(needed, 2 * len(rows)), rows.shape[1]), rows.dtype)
    grown[: len(rows)] = rows
    return grown


@compiled
def _token_rows(facts: Ints, tokens: Hashes, numbers: NDArray[np.int32], size: int) -> Hashes:
    rows = np.empty((size, 2), np.uint64)
    place = 0
    for number in numbers:
        at = facts[number, 2]
        first = at & 0xFFFFFFFF
        for row in range(first, first + (at >> 32)):
            rows[place, 0], rows[place, 1] = tokens[row, 0], tokens[row, 1]
            place += 1
    return rows


def _stop_bits(marks: Hashes) -> NDArray[np.uint8]:
    ordered, bits = _stops()
    places = np.minimum(np.searchsorted(ordered, marks), len(ordered) - 1)
    return np.where(ordered[places] == marks, bits[places], np.uint8(0))


@lru_cache(maxsize=1)
def _stops() -> tuple[Hashes, NDArray[np.uint8]]:
    spelling = Spelling("\n".join(("", *STOP_WORDS, "")))
    marks = spelling.marks(spelling.starts, spelling.ends)
    order = np.argsort(marks)
    return marks[order], (1 << order).astype(np.uint8)


def _signs(spelling: Spelling) -> NDArray[np.uint8]:
    found = np.zeros(len(spelling.ends), np.uint8)
    # This letter alone is two in lower case.
    joined = spelling.joined.replace("İ", "i").lower()
    for bit, expression in enumerate(_expressions()):
        # From the newline before a chunk on, places belong to it.
        places = [match.start() for match in expression.finditer(joined)]
        found[np.searchsorted(spelling.ends, np.array(places, np.int64), side="right")] |= 1 << bit
    return found


@lru_cache(maxsize=1)
def _expressions() -> tuple[re.Pattern[str], ...]:
    return tuple(map(re.compile, SIGNS.values()))
