"""Numbers the chunks of texts and keeps their tokens and counts for all filters, so that each is split once."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, count, islice, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.chunks import Chunks, Hashes, Ints
from corpusforge.curate.english_words import EnglishWords
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
MOST_CHUNKS = 500_000
MOST_CHARACTERS = 16_000_000
"""A vocabulary that has grown over either is full: about 150 MB. What is measured does not depend on it."""

_BASE = 0x9E3779B97F4A7C15
_MIX = 0x94D049BB133111EB
_AS_DIGITS = bytes.maketrans(bytes((0, 1, 2)), b"012")
_STOPS = {word: 1 << k for k, word in enumerate(STOP_WORDS)}


class Vocabulary:
    """Every chunk (run of characters without white space) and every token seen so far, with arrays by their numbers.

    Chunks: `counts` (tokens, plus words * 2^32), `sizes` (characters of words, plus tokens with a letter * 2^32),
    `stops` (bits of `STOP_WORDS`), `signs` (bits of `SIGNS`: what the chunk holds that rules look for), `first` and
    `many` (their tokens in `flat`). Tokens: `length` in characters, `mark` (a 64-bit polynomial of the characters) and
    `shift` (the factor that puts a token of this length behind another, so that the polynomial of a run of tokens is
    that of the string they make), `sentence` (0 ends one, 1 is punctuation that neither ends nor begins one, 2 begins
    one after an end).

    A word is a token that is not punctuation alone, in datatrove's sense of punctuation.
    """

    def __init__(self, words: EnglishWords) -> None:
        from datatrove.utils.text import PUNCTUATION_SET
        from spacy.pipeline import Sentencizer

        self._words = words
        self._punctuation = frozenset(PUNCTUATION_SET)
        self._ends = frozenset(Sentencizer.default_punct_chars)
        self._chunks = MarkTable()
        self._tokens: defaultdict[str, int] = defaultdict(count().__next__)
        self._characters = 0
        self._columns: dict[str, tuple[NDArray[Any], int]] = {}
        for name, kind in _KINDS.items():
            self._columns[name] = (np.zeros(1 << 14, kind), 0)
            setattr(self, name, self._columns[name][0])

    counts: Ints
    sizes: Ints
    stops: NDArray[np.uint8]
    signs: NDArray[np.uint8]
    first: NDArray[np.int32]
    many: NDArray[np.int32]
    flat: NDArray[np.int32]
    length: NDArray[np.int32]
    mark: Hashes
    shift: Hashes
    sentence: NDArray[np.uint8]

    @property
    def size(self) -> int:
        """How many chunks are known."""
        return self._chunks.count

    @property
    def full(self) -> bool:
        """Whether it is time for a new one."""
        return self._chunks.count > MOST_CHUNKS or self._characters > MOST_CHARACTERS

    def number(self, chunks: Chunks) -> NDArray[np.int32]:
        """The number of each chunk."""
        numbers = self._chunks.find(chunks.marks)
        missing = np.flatnonzero(numbers < 0)
        if len(missing):
            new, first, which = np.unique(chunks.marks[missing], return_index=True, return_inverse=True)
            numbers[missing] = self._chunks.add(new)[which]
            self._learn(chunks.texts(missing[first]))
        return numbers

    def tokens_of(self, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
        """The numbers of the tokens of some chunks, in order."""
        many = self.many[numbers]
        ends = np.cumsum(many, dtype=np.int32)
        total = int(ends[-1]) if len(ends) else 0
        at = np.repeat(self.first[numbers] - (ends - many), many)
        at += np.arange(total, dtype=np.int32)
        tokens: NDArray[np.int32] = self.flat[at]
        return tokens

    def sentence_kinds(self, lines: Sequence[str]) -> list[bytes]:
        """The `sentence` digits of the tokens of each line."""
        chunks = Chunks(lines)
        numbers = self.number(chunks)
        digits = self.sentence[self.tokens_of(numbers)].tobytes().translate(_AS_DIGITS)
        behind = np.zeros(len(numbers) + 1, np.int64)
        np.cumsum(self.many[numbers], out=behind[1:])
        return [digits[start:end] for start, end in pairwise(behind[chunks.bounds].tolist())]

    def _learn(self, chunks: list[str]) -> None:
        split = [self._words.split(chunk) for chunk in chunks]
        flat = list(chain.from_iterable(split))
        known = len(self._tokens)
        tokens = np.fromiter(map(self._tokens.__getitem__, flat), np.int32, len(flat))
        if len(self._tokens) > known:
            self._learn_tokens(list(islice(reversed(self._tokens), len(self._tokens) - known))[::-1])
        many = np.fromiter(map(len, split), np.int32, len(split))
        starts = np.cumsum(many) - many
        length, kind = self.length[tokens].astype(np.int64), self._kind[tokens]
        word, lettered = (kind & 1).astype(np.int64), (kind >> 1 & 1).astype(np.int64)
        self._extend("first", starts + self._columns["flat"][1])
        self._extend("many", many)
        self._extend("flat", tokens)
        self._extend("counts", many + (np.add.reduceat(word, starts) << 32))
        self._extend("sizes", np.add.reduceat(length * word + (lettered << 32), starts))
        self._extend("signs", _signs(chunks))
        self._extend("stops", np.bitwise_or.reduceat(self._stop[tokens], starts))

    _kind: NDArray[np.uint8]
    _stop: NDArray[np.uint8]

    def _learn_tokens(self, tokens: list[str]) -> None:
        lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
        self._characters += int(lengths.sum())
        self._extend("length", lengths)
        codes = np.frombuffer("".join(tokens).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
        mixed = (codes + np.uint64(1)) * np.uint64(_MIX)
        mixed ^= mixed >> np.uint64(29)
        powers = _powers(int(lengths.max()))
        ends = np.cumsum(lengths)
        behind = np.repeat(ends, lengths) - 1 - np.arange(len(codes))
        self._extend("mark", np.add.reduceat(mixed * powers[behind], ends - lengths))
        self._extend("shift", powers[lengths])
        plain = np.fromiter(map(str.isalpha, tokens), np.bool_, len(tokens))
        kinds = np.where(plain, np.uint8(3), np.uint8(0))
        sentences = np.full(len(tokens), 2, np.uint8)
        for at in np.flatnonzero(~plain).tolist():
            token = tokens[at]
            kinds[at] = (not self._punctuation.issuperset(token)) | any(map(str.isalpha, token)) << 1
            if token in self._ends:
                sentences[at] = 0
            elif all(unicodedata.category(character)[0] == "P" for character in token):
                sentences[at] = 1
        self._extend("_kind", kinds)
        self._extend("sentence", sentences)
        self._extend("_stop", np.fromiter((_STOPS.get(token, 0) for token in tokens), np.uint8, len(tokens)))

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
    "flat": np.int32,
    "length": np.int32,
    "mark": np.uint64,
    "shift": np.uint64,
    "sentence": np.uint8,
    "_kind": np.uint8,
    "_stop": np.uint8,
}


def _signs(chunks: list[str]) -> NDArray[np.uint8]:
    found = np.zeros(len(chunks), np.uint8)
    ends = np.cumsum(np.fromiter(map(len, chunks), np.int64, len(chunks)) + 1)
    # This letter alone is two in lower case.
    joined = "\n".join(("", *chunks)).replace("İ", "i").lower()
    for bit, strings in enumerate(SIGNS.values()):
        places = [place for string in strings for place in _places(joined, string)]
        found[np.searchsorted(ends, np.array(places, np.int64), side="right")] |= 1 << bit
    return found


def _places(text: str, string: str) -> Iterator[int]:
    place = text.find(string)
    while place >= 0:
        yield place
        place = text.find(string, place + 1)


def _powers(most: int) -> Hashes:
    factors = np.full(most + 1, _BASE, np.uint64)
    factors[0] = 1
    return np.multiply.accumulate(factors)
