"""Numbers the chunks of texts and keeps their tokens and counts for all filters, so that each is split once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.chunk_tokens import ALPHABETIC, END, NO_PUNCTUATION, WORDY, ChunkTokens, Spelling, token_factors
from corpusforge.curate.chunks import Chunks, Hashes, Ints
from corpusforge.curate.english_words import LONGEST, EnglishWords
from corpusforge.curate.mark_table import MarkTable

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
SIGNS = {
    "citation": ("[",),
    # What C4 drops lines or pages for, by a word of it: braces, scripts, filler text, policies.
    "c4": ("{", "javascript", "lorem", "terms", "policy", "cookies"),
    "hash": ("#",),
    "ellipsis": ("...", "…"),
    "bullet": ("\n-", "\n•"),
}
"""Strings in the lower-case form of a chunk with a newline before it."""
MOST_CHUNKS = 1_200_000
"""A vocabulary with more is full: about 150 MB. What is measured does not depend on it."""

_AS_DIGITS = bytes.maketrans(bytes((0, 1, 2)), b"012")
_LONGEST_STOP = max(map(len, STOP_WORDS))


class Vocabulary:
    """Every chunk (run of characters without white space) and every token seen so far, with arrays by their numbers.

    Chunks: `counts` (tokens, plus words * 2^32), `sizes` (characters of words, plus tokens with a letter * 2^32),
    `stops` (bits of `STOP_WORDS`), `signs` (bits of `SIGNS`: what the chunk holds that rules look for), `first` and
    `many` (their tokens). Tokens: `length` in characters, `mark` (a 64-bit polynomial of the characters, so that that
    of a run of tokens follows from theirs and `factors`), `sentence` (0 ends one, 1 is punctuation that neither ends
    nor begins one, 2 begins one after an end). `factors` by length puts a token behind another.

    A word is a token that is not punctuation alone, in datatrove's sense of punctuation.
    """

    def __init__(self, words: EnglishWords) -> None:
        from datatrove.utils.text import PUNCTUATION_SET
        from spacy.pipeline import Sentencizer

        self._splitter = ChunkTokens(words, frozenset(PUNCTUATION_SET), frozenset(Sentencizer.default_punct_chars))
        self._chunks = MarkTable()
        self._columns: dict[str, tuple[NDArray[Any], int]] = {}
        for name, kind in _KINDS.items():
            self._columns[name] = (np.zeros(1 << 14, kind), 0)
            setattr(self, name, self._columns[name][0])
        self.factors = token_factors(LONGEST)

    counts: Ints
    sizes: Ints
    stops: NDArray[np.uint8]
    signs: NDArray[np.uint8]
    first: NDArray[np.int32]
    many: NDArray[np.int32]
    length: NDArray[np.int32]
    mark: Hashes
    sentence: NDArray[np.uint8]

    @property
    def size(self) -> int:
        """How many chunks are known."""
        return self._chunks.count

    @property
    def full(self) -> bool:
        """Whether it is time for a new one."""
        return self._chunks.count > MOST_CHUNKS

    def number(self, chunks: Chunks) -> NDArray[np.int32]:
        """The number of each chunk."""
        numbers = self._chunks.find(chunks.marks)
        missing = np.flatnonzero(numbers < 0)
        if len(missing):
            new, first, which = np.unique(chunks.marks[missing], return_index=True, return_inverse=True)
            numbers[missing] = self._chunks.add(new)[which]
            self._learn(Spelling(chunks.joined(missing[first])))
        return numbers

    def tokens_of(self, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
        """The places of the tokens of some chunks in the columns of tokens, in order."""
        many = self.many[numbers]
        ends = np.cumsum(many, dtype=np.int32)
        total = int(ends[-1]) if len(ends) else 0
        at = np.repeat(self.first[numbers] - (ends - many), many)
        at += np.arange(total, dtype=np.int32)
        return at

    def sentence_kinds(self, lines: Sequence[str]) -> list[bytes]:
        """The `sentence` digits of the tokens of each line."""
        chunks = Chunks(lines)
        numbers = self.number(chunks)
        digits = self.sentence[self.tokens_of(numbers)].tobytes().translate(_AS_DIGITS)
        behind = np.zeros(len(numbers) + 1, np.int64)
        np.cumsum(self.many[numbers], out=behind[1:])
        return [digits[start:end] for start, end in pairwise(behind[chunks.bounds].tolist())]

    def _learn(self, spelling: Spelling) -> None:
        flags = self._splitter.flags(spelling)
        begins = self._splitter.begins(spelling, flags)
        chunks = spelling.starts
        tokens = np.flatnonzero(begins)
        first = np.searchsorted(tokens, chunks)
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
        self._extend("first", first + self._columns["length"][1])
        self._extend("many", many)
        self._extend("counts", many + (np.add.reduceat(word, first) << 32))
        self._extend("sizes", np.add.reduceat(length * word + (lettered << 32), first))
        self._extend("signs", _signs(spelling))
        stops = np.where(length <= _LONGEST_STOP, _stop_bits(marks), np.uint8(0))
        self._extend("stops", np.bitwise_or.reduceat(stops, first))
        self._extend("length", length)
        self._extend("mark", marks)
        self._extend("sentence", np.where(ending, 0, np.where(met & NO_PUNCTUATION, 2, 1)))

    def _extend(self, name: str, values: NDArray[Any]) -> None:
        column, used = self._columns[name]
        needed = used + len(values)
        if needed > len(column):
            grown = np.zeros(max(needed, 2 * len(column)), column.dtype)
            grown[:used] = column[:used]
            column = grown
            setattr(self, name, column)
        column[used:needed] = values
        self._columns[name] = (column, needed)


_KINDS: dict[str, Any] = {
    "counts": np.int64,
    "sizes": np.int64,
    "stops": np.uint8,
    "signs": np.uint8,
    "first": np.int32,
    "many": np.int32,
    "length": np.int32,
    "mark": np.uint64,
    "sentence": np.uint8,
}


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
    for bit, strings in enumerate(SIGNS.values()):
        places = [place for string in strings for place in _places(joined, string)]
        found[np.searchsorted(spelling.ends, np.array(places, np.int64), side="right")] |= 1 << bit
    return found


def _places(text: str, string: str) -> Iterator[int]:
    place = text.find(string)
    while place >= 0:
        yield place
        place = text.find(string, place + 1)
