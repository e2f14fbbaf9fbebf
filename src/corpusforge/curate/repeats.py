"""Repeated runs of tokens in a batch of texts, longer ones looked for only where shorter ones repeat."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.chunks import Hashes, Ints
from corpusforge.curate.measured import Floats, Measured, Rows

_MIX = np.uint64(0xBF58476D1CE4E5B9)
_PLACE = np.int64(40)
"""Bits of a score that hold a position; the count above them decides first, then the earlier position."""


@dataclass(frozen=True, slots=True)
class _Level:
    """The runs of n tokens that occur at least twice within a text.

    `at` are their positions in the batch in ascending order, `marks` numbers that are equal where the strings are,
    `later` whether the run occurred before. `best` has for each text the count and the first position of its most
    frequent run as one score, 0 where no run repeats.
    """

    at: Ints
    marks: Hashes
    later: NDArray[np.bool_]
    best: Ints


class Repeats:
    """Repeats in a batch: equal strings are found by 64-bit polynomials of their characters.

    A run that makes the same string as another by other tokens counts as its repeat, as it does for datatrove, where
    each of its neighbouring pairs of tokens has a counterpart too.
    """

    def __init__(self, measured: Measured) -> None:
        tokens, self._bounds = measured.sequence
        vocabulary = measured.vocabulary
        self._characters = measured.lengths
        self._marks: Hashes = vocabulary.mark[tokens]
        length = vocabulary.length[tokens]
        self._factors: Hashes = vocabulary.factors[length]
        self._ends = np.zeros(len(tokens) + 1, np.int64)
        np.cumsum(length, out=self._ends[1:])
        self._owner = np.repeat(np.arange(len(self._bounds) - 1), np.diff(self._bounds))
        self._salts: Hashes = (self._owner.astype(np.uint64) + np.uint64(1)) * _MIX
        self._levels: dict[int, _Level] = {}
        self._covered: dict[int, Floats] = {}

    def top(self, rows: Rows, n: int) -> Floats:
        """Share of the characters in a text's most frequent run of n tokens, the first of equally frequent ones."""
        best = self._level(n).best[rows]
        place = (np.int64(1) << _PLACE) - 1
        starts, stops = self._bounds[rows], self._bounds[rows + 1]
        first = np.where(best > 0, place - (best & place), starts)
        times = np.maximum(best >> _PLACE, 1)
        enough = stops - starts >= n
        first = np.where(enough, first, 0)
        lengths = self._ends[np.minimum(first + n, len(self._ends) - 1)] - self._ends[first] + n - 1
        return np.where(enough, times * lengths / self._characters[rows], 0.0)

    def repeated_bounds(self, rows: Rows, n: int) -> Floats:
        """Share of the characters within runs of n tokens that occurred before: never below `repeated`."""
        if n not in self._covered:
            level = self._level(n)
            inside = np.zeros(len(self._owner), np.bool_)
            later = level.at[level.later]
            for offset in range(n):
                inside[later + offset] = True
            at = np.flatnonzero(inside)
            sizes = self._ends[at + 1] - self._ends[at]
            self._covered[n] = np.bincount(self._owner[at], sizes, len(self._bounds) - 1) / self._characters
        return self._covered[n][rows]

    def repeated(self, row: int, n: int) -> float:
        """Share of a text's characters in runs of n tokens that occurred before, each character counted once.

        A run counts as one that occurred only where it was looked at: not inside a repeat that was counted before it.
        """
        level = self._level(n)
        start, stop = np.searchsorted(level.at, self._bounds[row : row + 2])
        seen: set[int] = set()
        counted: list[int] = []
        free = -1
        for position, mark in zip(level.at[start:stop].tolist(), level.marks[start:stop].tolist(), strict=True):
            if position < free:
                continue
            if mark in seen:
                counted.append(position)
                free = position + n
            else:
                seen.add(mark)
        at = np.array(counted, np.int64)
        return float((self._ends[at + n] - self._ends[at]).sum()) / float(self._characters[row])

    def _level(self, n: int) -> _Level:
        if n not in self._levels:
            self._levels[n] = self._found(*self._candidates(n))
        return self._levels[n]

    def _candidates(self, n: int) -> tuple[Ints, Hashes]:
        if n == 2:
            at = np.flatnonzero(self._owner[1:] == self._owner[:-1])
            marks = self._marks[at]
        else:
            # A run that repeats begins and ends with shorter ones that do.
            shorter = self._level(n - 1)
            here = np.flatnonzero(shorter.at[1:] == shorter.at[:-1] + 1)
            at, marks = shorter.at[here], shorter.marks[here]
        last = at + (n - 1)
        return at, marks * self._factors[last] + self._marks[last]

    def _found(self, at: Ints, marks: Hashes) -> _Level:
        best = np.zeros(len(self._bounds) - 1, np.int64)
        # Hash and position share one number, so that a plain sort does for an argsort five times as slow. The text's
        # number goes into the hash: runs of different texts differ.
        width = np.uint64(len(at).bit_length())
        keys = (marks + self._salts[at]) * _MIX
        # What is alone in its cell of a table occurs once: only the rest is sorted.
        cells = (keys >> (np.uint64(61) - width)).view(np.int64)
        shared = np.flatnonzero(np.bincount(cells)[cells] > 1)
        keys = keys[shared]
        keys >>= width
        keys <<= width
        keys |= shared.view(np.uint64)
        keys.sort()
        order = (keys & ((np.uint64(1) << width) - np.uint64(1))).astype(np.int64)
        keys >>= width
        again = np.flatnonzero(keys[1:] == keys[:-1]) + 1
        again = again[marks[order[again]] == marks[order[again - 1]]]
        if not len(again):
            nothing = np.zeros(0, np.int64)
            return _Level(nothing, marks[:0], nothing.astype(np.bool_), best)
        # k equal keys in a row are k - 1 consecutive numbers in `again`.
        opens = np.flatnonzero(np.diff(again, prepend=-1) != 1)
        counts = np.diff(opens, append=len(again)) + 1
        firsts = order[again[opens] - 1]
        scores = (counts << _PLACE) + ((np.int64(1) << _PLACE) - 1 - at[firsts])
        np.maximum.at(best, self._owner[at[firsts]], scores)
        later = np.zeros(len(at), np.bool_)
        later[order[again]] = True
        member = later.copy()
        member[firsts] = True
        return _Level(at[member], marks[member], later[member], best)


_REPEATS: WeakKeyDictionary[Measured, Repeats] = WeakKeyDictionary()


def repeats(measured: Measured) -> Repeats:
    """The repeats of a batch, looked for once."""
    if measured not in _REPEATS:
        _REPEATS[measured] = Repeats(measured)
    return _REPEATS[measured]
