"""The name tagger's network: two convolutions over word vectors, in integers, so that every machine decides alike.

Weights and activations are integers of at most eight bits, held as floats: their products and sums stay below 2**24,
where float32 is exact, so the order in which a BLAS adds them cannot matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import numpy.typing as npt

from corpusforge.curate.redaction.ner.words import features

Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
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
        out, starts = self._read(texts)
        return [out[start : start + len(words)] for start, words in zip(starts, texts, strict=True)]

    def labels(self, texts: Sequence[Sequence[str]], caution: int = 0) -> list[Numbers | None]:
        """For each text an array [words] of label numbers, None where all are 0; `caution` is taken off the score of
        label 0.
        """
        out, starts = self._read(texts)
        out[:, 0] -= caution
        decided = out.argmax(axis=1)
        some = np.flatnonzero(decided)
        found: list[Numbers | None] = []
        for start, words in zip(starts, texts, strict=True):
            end = start + len(words)
            place = np.searchsorted(some, start)
            found.append(decided[start:end] if place < len(some) and some[place] < end else None)
        return found

    def _read(self, texts: Sequence[Sequence[str]]) -> tuple[Floats, list[int]]:
        """The scores of all texts one below the other with gaps between them, and where each begins."""
        if self._size > CACHED_WORDS:
            self._index.clear()
            self._size = 1
        index = self._index
        new = [word for word in dict.fromkeys(chain.from_iterable(texts)) if word not in index]
        if new:
            self._learn(new)
        gap = 2 * REACH
        rows: list[int] = [0] * gap
        starts = []
        for words in texts:
            starts.append(len(rows))
            rows += map(index.__getitem__, words)
            rows += [0] * gap
        places = np.array(rows, np.int64)
        x = self._vectors[places]
        w = self.weights
        first = _activated(wide(x) @ self._first, self._biases[0], w.first_scale)
        # Beyond a text's edge there is nothing, not the network's answer to nothing.
        first[places == 0] = 0
        second = _activated(wide(first) @ self._second, self._biases[1], w.second_scale)
        return np.concatenate([x, first, second], axis=1) @ self._last + self._biases[2], starts

    def _learn(self, words: Sequence[str]) -> None:
        table = self.weights.table
        wholes: list[int] = []
        grams: list[int] = []
        counts: list[int] = []
        for word in words:
            whole, parts = features(word, len(table))
            wholes += whole
            grams += parts or [0]
            counts.append(len(parts))
        total = table[wholes].reshape(len(words), -1, table.shape[1]).sum(axis=1, dtype=np.int32).astype(np.float32)
        sizes = np.maximum(counts, 1)
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        sums = np.add.reduceat(table[grams].astype(np.int32), starts, axis=0)
        total += np.rint(sums / sizes[:, None]) * (np.array(counts) > 0)[:, None]
        while self._size + len(words) > len(self._vectors):
            self._vectors = np.concatenate([self._vectors, np.zeros_like(self._vectors)])
        end = self._size + len(words)
        self._vectors[self._size : end] = np.clip(np.rint(total * self.weights.word_scale), -LIMIT, LIMIT)
        self._index.update(zip(words, range(self._size, end), strict=True))
        self._size = end


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
