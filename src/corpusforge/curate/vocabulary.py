"""Numbers the chunks of texts and keeps their tokens and counts for all filters, so that each is split once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.chunk_tokens import ALPHABETIC, END, NO_PUNCTUATION, WORDY, ChunkTokens, Spelling, token_factors
from corpusforge.curate.chunks import Chunks, Hashes, Ints
from corpusforge.curate.compiled import compiled
from corpusforge.curate.english_words import LONGEST, EnglishWords
from corpusforge.curate.mark_table import MarkTable, grown

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
SIGNS = {
    # What C4 takes out of a line, where `_CITATION` matches.
    "citation": ("[",),
    # What it drops lines or pages for, by a word of it: braces, scripts, filler text, policies.
    "c4": ("{", "javascript", "lorem\n", "terms\n", "\npolicy", "\ncookies"),
    "hash": ("#",),
    "ellipsis": ("...", "…"),
    "bullet": ("\n-", "\n•"),
}
"""Strings in the lower-case form of a chunk with a newline before it and one after it."""
STOPS = (1 << len(STOP_WORDS)) - 1
BEGINS, SEVERAL, ENDS, GOES_ON = (1 << len(STOP_WORDS) + bit for bit in range(4))
"""What a chunk does to sentences: it begins one if the last has ended; some end within it; it ends with the end of one;
it ends with what is no end.
"""
MOST_CHUNKS = 1_200_000
"""A vocabulary with more is full: about 150 MB. What is measured does not depend on it."""

_CITATION = re.compile(r"\[(?:\d*\]|edit\]|citation\n)")
_AS_DIGITS = bytes.maketrans(bytes((0, 1, 2)), b"012")
_HALF = np.uint64(32)


class Vocabulary:
    """Every chunk (run of characters without white space) and every token seen so far, in rows by their numbers.

    Rows of `chunks`: tokens + words * 2^32; characters of words + tokens with a letter * 2^32; the first of its rows
    of `tokens` + how many * 2^32; bits of `STOP_WORDS`, then `BEGINS` to `GOES_ON`, + bits of `SIGNS` (what it holds
    that rules look for) * 2^32.
    Rows of `tokens`: a 64-bit polynomial of the characters, so that that of a run of tokens follows from theirs and
    `factors`; characters + kind in a sentence * 2^32 (0 ends one, 1 is punctuation that neither ends nor begins one, 2
    begins one after an end). `factors` by length puts a token behind another.

    A word is a token that is not punctuation alone, in datatrove's sense of punctuation.
    """

    def __init__(self, words: EnglishWords) -> None:
        from datatrove.utils.text import PUNCTUATION_SET
        from spacy.pipeline import Sentencizer

        self._splitter = ChunkTokens(words, frozenset(PUNCTUATION_SET), frozenset(Sentencizer.default_punct_chars))
        # To grow again and again takes more time than room: pages that nothing is written to take no memory.
        self._table = MarkTable(MOST_CHUNKS // 2)
        self.chunks: Ints = np.empty((MOST_CHUNKS, 4), np.int64)
        self.tokens: Hashes = np.empty((2 * MOST_CHUNKS, 2), np.uint64)
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
        known, self._tokens_used = self._tokens_used, self._tokens_used + len(tokens)
        self.tokens = grown(self.tokens, self._tokens_used)
        start, self._chunks_used = self._chunks_used, self._chunks_used + len(spelling.starts)
        self.chunks = grown(self.chunks, self._chunks_used)
        rows = self.chunks[start : self._chunks_used]
        rows[:, 3] = _signs(spelling) << 32
        marks, stops = (spelling.sums, spelling.powers), _stops()
        _describe(marks, flags, (tokens, spelling.ends), stops, known, self.tokens, rows)


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


@compiled
def _describe(
    marks: tuple[Hashes, Hashes],
    flags: NDArray[np.uint32],
    begins: tuple[Ints, Ints],
    stops: Hashes,
    first: int,
    tokens: Hashes,
    facts: Ints,
) -> None:
    """Fills the rows of chunks, whose signs are known, and those of their tokens from row `first` on.

    `begins` are where tokens begin and chunks end, `stops` the marks of `STOP_WORDS`.
    """
    sums, powers = marks
    starts, ends = begins
    token = 0
    for chunk in range(len(ends)):
        words = characters = lettered = bits = np.int64(0)
        begun, last = token, 1
        while token < len(starts) and starts[token] < ends[chunk]:
            start = starts[token]
            inside = token + 1 < len(starts) and starts[token + 1] < ends[chunk]
            end = starts[token + 1] if inside else ends[chunk]
            met = np.int64(0)
            for place in range(start, end):
                met |= flags[place]
            mark = (sums[end] - sums[start]) * powers[end - 1]
            kind = 2 if met & NO_PUNCTUATION else 1
            if met & END and end - start == 1:
                kind = 0
            if kind == 2:
                bits |= BEGINS if last == 1 else SEVERAL if last == 0 else 0
            last = last if kind == 1 else kind
            if met & WORDY:
                words += 1
                characters += end - start
            lettered += (met & ALPHABETIC) != 0
            for bit in range(len(stops)):
                if stops[bit] == mark:
                    bits |= 1 << bit
            tokens[first + token, 0], tokens[first + token, 1] = mark, np.uint64(end - start + (kind << 32))
            token += 1
        facts[chunk, 0] = token - begun + (words << 32)
        facts[chunk, 1] = characters + (lettered << 32)
        facts[chunk, 2] = first + begun + ((token - begun) << 32)
        facts[chunk, 3] |= bits | (ENDS if last == 0 else GOES_ON if last == 2 else 0)


@lru_cache(maxsize=1)
def _stops() -> Hashes:
    spelling = Spelling("\n".join(("", *STOP_WORDS, "")))
    return spelling.marks(spelling.starts, spelling.ends)


def _signs(spelling: Spelling) -> Ints:
    found = np.zeros(len(spelling.ends), np.int64)
    # This letter alone is two in lower case.
    joined = spelling.joined.replace("İ", "i").lower()
    for bit, (sign, strings) in enumerate(SIGNS.items()):
        for string in strings:
            places = _places(joined, spelling, string)
            if sign == "citation":
                places = places[[_CITATION.match(joined, place) is not None for place in places.tolist()]]
            # From the newline before a chunk on, places belong to it.
            found[np.searchsorted(spelling.ends, places, side="right")] |= 1 << bit
    return found


def _places(joined: str, spelling: Spelling, string: str) -> Ints:
    """Where a string begins in some chunks' lower case; marks are looked for by their codes."""
    if not string.strip().isalpha() and len(string) < 3:
        at = np.flatnonzero(spelling.codes == ord(string[-1])) + 1 - len(string)
        return at if len(string) == 1 else at[spelling.codes[at] == ord(string[0])]
    places = []
    place = joined.find(string)
    while place >= 0:
        places.append(place)
        place = joined.find(string, place + 1)
    return np.array(places, np.int64)
