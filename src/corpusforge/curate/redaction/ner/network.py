"""The name tagger's network: two convolutions over word vectors, in integers, so that every machine decides alike.

Weights and activations are integers of at most eight bits, held as floats: their products and sums stay below 2**24,
where float32 is exact, so the order in which a BLAS adds them cannot matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from corpusforge.curate.redaction.ner.words import features

Floats = npt.NDArray[np.float32]
# Neighbours on each side that a convolution sees; two convolutions make twice as many.
REACH = 2
LIMIT = 127
# Word vectors that a process remembers: chats use few words often.
CACHED_WORDS = 1 << 16
EXACT = float(1 << 24)


@dataclass(frozen=True, slots=True)
class Weights:
    """What a model file holds. `table` [rows, width] int8; `first` [5*width, hidden], `second` [5*hidden, hidden] and
    `last` [width+2*hidden, labels] int8; biases int32; scales float32: what a sum is multiplied with before rounding;
    `score_scale` natural-log units per unit of score.
    """

    table: npt.NDArray[np.int8]
    first: npt.NDArray[np.int8]
    first_bias: npt.NDArray[np.int32]
    second: npt.NDArray[np.int8]
    second_bias: npt.NDArray[np.int32]
    last: npt.NDArray[np.int8]
    last_bias: npt.NDArray[np.int32]
    word_scale: npt.NDArray[np.float32]
    first_scale: npt.NDArray[np.float32]
    second_scale: npt.NDArray[np.float32]
    score_scale: npt.NDArray[np.float32]


@dataclass
class Network:
    """Decides a label number for every word. Not thread-safe: it remembers word vectors."""

    weights: Weights
    _index: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        w = self.weights
        self._first, self._second, self._last = (
            np.ascontiguousarray(part, np.float32) for part in (w.first, w.second, w.last)
        )
        self._biases = tuple(part.astype(np.float32) for part in (w.first_bias, w.second_bias, w.last_bias))
        for part, bias in ((w.first, w.first_bias), (w.second, w.second_bias), (w.last, w.last_bias)):
            largest = np.abs(part.astype(np.int64)).sum(axis=0) * LIMIT + np.abs(bias.astype(np.int64))
            if largest.max(initial=0) >= EXACT:
                raise ValueError("the weights are too large for exact sums")
        self._vectors = np.zeros((1024, w.table.shape[1]), np.float32)
        self._size = 1  # row 0 is the edge of a text

    def scores(self, texts: Sequence[Sequence[str]]) -> list[Floats]:
        """For each text (its words) an array [words, labels] of exact integer scores; the largest decides."""
        if self._size > CACHED_WORDS:
            self._index.clear()
            self._size = 1
        index = self._index
        gap = 2 * REACH
        rows: list[int] = [0] * gap
        starts = []
        for words in texts:
            starts.append(len(rows))
            for word in words:
                row = index.get(word)
                rows.append(self._learn(word) if row is None else row)
            rows += [0] * gap
        x = self._vectors[rows]
        inside = np.array(rows, np.int64) > 0
        w = self.weights
        first = _activated(wide(x) @ self._first, self._biases[0], w.first_scale)
        # Beyond a text's edge there is nothing, not the network's answer to nothing.
        first[~inside] = 0
        second = _activated(wide(first) @ self._second, self._biases[1], w.second_scale)
        out = np.concatenate([x, first, second], axis=1) @ self._last + self._biases[2]
        return [out[start : start + len(words)] for start, words in zip(starts, texts, strict=True)]

    def _learn(self, word: str) -> int:
        whole, grams = features(word, len(self.weights.table))
        table = self.weights.table
        total = table[whole].astype(np.int32).sum(axis=0).astype(np.float32)
        if len(grams):
            total += np.rint(table[grams].astype(np.int32).sum(axis=0) / np.float32(len(grams)))
        if self._size == len(self._vectors):
            self._vectors = np.concatenate([self._vectors, np.zeros_like(self._vectors)])
        self._vectors[self._size] = np.clip(np.rint(total * self.weights.word_scale), -LIMIT, LIMIT)
        self._index[word] = self._size
        self._size += 1
        return self._size - 1


def wide(x: Floats) -> Floats:
    """Each row beside its neighbours, from REACH before to REACH after; zeros beyond the ends."""
    rows, width = x.shape
    made = np.zeros((rows, (2 * REACH + 1) * width), np.float32)
    for at, shift in enumerate(range(-REACH, REACH + 1)):
        low, high = max(0, -shift), rows - max(0, shift)
        made[low:high, at * width : (at + 1) * width] = x[low + shift : high + shift]
    return made


def _activated(sums: Floats, bias: Floats, scale: Floats) -> Floats:
    sums += bias
    sums *= scale
    np.rint(sums, out=sums)
    return np.clip(sums, 0, LIMIT, out=sums)
