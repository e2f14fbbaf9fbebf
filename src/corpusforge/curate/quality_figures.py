"""The figures of a text that a trained quality model weighs: length, layout, function words, case, marks, repeats."""

from __future__ import annotations

import math
import string
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain, repeat

import numpy as np
import xxhash
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

READ = 50_000
"""Characters of a text that are looked at: a book is judged by its beginning."""
_FUNCTION_WORDS = (
    "a about an and are as at be been but by can from had has have if in into is it its more not of on only or other "
    "so some such than that the their them then there these they this to was were what when which who will with would"
)
_BIT = {word: 1 << k for k, word in enumerate(_FUNCTION_WORDS.split())}
_PERSONS = (
    frozenset(("i", "me", "my", "we", "our", "us", "i'm", "i've")),
    frozenset(("you", "your", "yours", "you're", "you'll")),
    frozenset(("he", "she", "him", "her", "his", "they", "them", "their", "it", "its")),
)
_SUFFIXES = ("ed", "ing", "ly")
_MARKS = {
    "commas": ",",
    "exclamations": "!",
    "questions": "?",
    "quotes": '"“”',
    "colons": ":",
    "bars": "|>•·»",
    "brackets": "(",
    "stops": ".",
    "currencies": "$£€",
    "ellipses": "…",
    "dashes": "-–—",
    "semicolons": ";",
}
_EDGES = string.punctuation + "“”‘’…–—•·«»"
_SENTENCE = (".", "?", "!", "。", "？", "！")
_CLOSING = "\"')]”’»"
_LONG_LINE, _SHORT_LINE = 150, 30
_MOST_TOKENS = 1 << 17

FIGURES = (
    "words", "lines", "words_a_line", "ending_lines", "ending_line_chars", "prose", "long_line_chars", "short_lines",
    "repeated_lines", "function_words", "distinct_function_words", "worded", "numbered", "upper_case", "capitalised",
    "all_capitals", "mean_word", "distinct_words", "words_met_once", "top_3_gram", "repeated_3_grams",
    "words_a_sentence", "sentences", "first_person", "second_person", "third_person", "past", "progressive", "adverbs",
    "addresses", *_MARKS,
)  # fmt: skip
"""The names of the figures, in the order of the columns."""


class _Tokens:
    """What is counted of a token, looked up once for all texts: `counts` (tokens x columns) and `hashes` by number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.counts: Ints = np.zeros((1 << 12, _COLUMNS), np.int64)
        self.hashes: Hashes = np.zeros(1 << 12, np.uint64)

    def number(self, tokens: Sequence[str]) -> Ints:
        """Each token's number, new ones added."""
        numbers = np.fromiter(map(self.numbers.get, tokens, repeat(-1)), np.int64, len(tokens))
        missing = np.flatnonzero(numbers < 0).tolist()
        for token in dict.fromkeys(tokens[k] for k in missing):
            number = len(self.numbers)
            if number == len(self.hashes):
                self.counts = np.concatenate((self.counts, np.zeros_like(self.counts)))
                self.hashes = np.concatenate((self.hashes, np.zeros_like(self.hashes)))
            bare, self.counts[number] = _counted(token)
            self.hashes[number] = xxhash.xxh3_64_intdigest(bare.encode("utf-8", "surrogatepass"))
            self.numbers[token] = number
        numbers[missing] = [self.numbers[tokens[k]] for k in missing]
        return numbers


# Columns of `_counted`.
_LETTERS, _UPPER, _CAPITAL, _CAPITALS, _NUMBER, _FUNCTION, _WORD, _END, _ADDRESS, _PERSON, _SUFFIX = (
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12,
)  # fmt: skip
_COLUMNS = 15


def _counted(token: str) -> tuple[str, tuple[int, ...]]:
    bare = token.strip(_EDGES).lower().replace("’", "'")
    letters = sum(map(str.isalpha, token))
    upper = sum(map(str.isupper, token))
    inner = token.lstrip(_EDGES)
    return bare, (
        letters,
        upper,
        int(inner[:1].isupper()),
        int(letters > 1 and letters == upper),
        int(letters == 0 and any(map(str.isdigit, token))),
        _BIT.get(bare, 0),
        int(letters > 0),
        int(token.rstrip(_CLOSING).endswith(_SENTENCE)),
        int("http" in bare or "www." in bare or "@" in bare or ".com" in bare),
        *(int(bare in person) for person in _PERSONS),
        *(int(len(bare) > 4 and bare.endswith(suffix)) for suffix in _SUFFIXES),
    )


@lru_cache(maxsize=1)
def _tokens() -> list[_Tokens]:
    return [_Tokens()]


class Counted:
    """A batch of texts with what their figures and n-grams are made of. No text is empty of tokens: one stands in."""

    def __init__(self, texts: Sequence[str]) -> None:
        held = _tokens()
        if len(held[0].numbers) > _MOST_TOKENS:
            held[0] = _Tokens()
        self.texts = [text[:READ] for text in texts]
        split = [text.split() or [""] for text in self.texts]
        self.sizes = np.array([len(each) for each in split], np.int64)
        self.starts = np.cumsum(self.sizes) - self.sizes
        numbers = held[0].number(list(chain.from_iterable(split)))
        self.hashes = held[0].hashes[numbers]
        self.owner = np.repeat(np.arange(len(split)), self.sizes)
        tokens = held[0].counts[numbers]
        self.distinct_function_words = _ones(np.bitwise_or.reduceat(tokens[:, _FUNCTION], self.starts))
        tokens[:, _FUNCTION] = tokens[:, _FUNCTION] > 0
        self.sums = np.add.reduceat(tokens, self.starts, axis=0)

    def grams(self, n: int) -> tuple[Hashes, Ints]:
        """A hash for each run of `n` words within a text, and the text's place in the batch."""
        hashes, owner = self.hashes.copy(), self.owner
        for k in range(1, n):
            hashes = hashes[:-1] * np.uint64(0x9E3779B97F4A7C15) + self.hashes[k:]
        within = owner[: len(hashes)] == owner[n - 1 :]
        return hashes[within], owner[: len(hashes)][within]


def figures(counted: Counted) -> Floats:
    """For n texts: n x `FIGURES`. Counts as logarithms, rates as square roots: both then spread about evenly."""
    sums = counted.sums.astype(np.float64)
    words = np.maximum(1.0, sums[:, _WORD])
    letters = np.maximum(1.0, sums[:, _LETTERS])
    layout = np.array([_layout(text) for text in counted.texts])
    lines = layout[:, 0]
    distinct, once, _ = _repeats(counted, 1)
    distinct_3, _, top_3 = _repeats(counted, 3)
    runs = np.maximum(1.0, counted.sizes - 2.0)
    sentences = np.maximum(1.0, sums[:, _END])
    columns = [
        np.log(words),
        np.log(lines),
        np.log1p(words / lines),
        *layout[:, 1:3].T,
        np.log1p(layout[:, 3]),
        *layout[:, 4:].T,
        sums[:, _FUNCTION] / words,
        np.sqrt(counted.distinct_function_words),
        sums[:, _WORD] / counted.sizes,
        sums[:, _NUMBER] / counted.sizes,
        sums[:, _UPPER] / letters,
        sums[:, _CAPITAL] / words,
        sums[:, _CAPITALS] / words,
        letters / words,
        distinct / counted.sizes**0.8,
        once / counted.sizes,
        np.sqrt(top_3 / words),
        1 - np.minimum(1.0, distinct_3 / runs),
        np.log(words / sentences),
        np.log(sentences),
        *np.sqrt(sums[:, _PERSON : _PERSON + 3].T / words),
        *np.sqrt(sums[:, _SUFFIX : _SUFFIX + 3].T / words),
        np.sqrt(sums[:, _ADDRESS] / words),
        *np.sqrt(np.array([_marks(text) for text in counted.texts], np.float64).T / words),
    ]
    return np.stack(columns, axis=1)


def _layout(text: str) -> tuple[float, ...]:
    """Lines that are not blank; shares of lines and characters that end a sentence; such characters; shares of
    characters in long lines, of short lines, of repeated lines."""
    lines = [line for line in map(str.strip, text.split("\n")) if line] or [""]
    ending = [len(line) for line in lines if line.rstrip(_CLOSING).endswith(_SENTENCE)]
    length, n = max(1, len(text)), len(lines)
    sizes = [len(line) for line in lines]
    return (
        n,
        len(ending) / n,
        sum(ending) / length,
        sum(ending),
        sum(size for size in sizes if size > _LONG_LINE) / length,
        sum(size <= _SHORT_LINE for size in sizes) / n,
        1 - len(set(lines)) / n,
    )


def _marks(text: str) -> list[int]:
    return [sum(map(text.count, marks)) for marks in _MARKS.values()]


def _repeats(counted: Counted, n: int) -> tuple[Floats, Floats, Floats]:
    """For each text: how many distinct runs of `n` words, how many that occur once, how often the most frequent."""
    grams, owner = counted.grams(n)
    size = len(counted.texts)
    if not len(grams):
        return np.zeros(size), np.zeros(size), np.zeros(size)
    # One sort for all texts: the text's place above 48 bits of the hash.
    ordered = np.sort(owner.astype(np.uint64) << np.uint64(48) | grams >> np.uint64(16))
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    times = np.diff(starts, append=len(ordered))
    owner = (ordered[starts] >> np.uint64(48)).astype(np.int64)
    heads = np.flatnonzero(np.diff(owner, prepend=-1))
    most = np.zeros(size)
    most[owner[heads]] = np.maximum.reduceat(times, heads)
    distinct = np.bincount(owner, minlength=size).astype(np.float64)
    return distinct, np.bincount(owner[times == 1], minlength=size).astype(np.float64), most


def _ones(masks: Iterable[int]) -> Floats:
    return np.array([int(mask).bit_count() for mask in masks], np.float64)


def spread(values: Floats) -> float:
    """The standard deviation, or 1 where all are the same and nothing can be told."""
    deviation = float(values.std())
    return deviation if math.isfinite(deviation) and deviation > 1e-9 else 1.0
