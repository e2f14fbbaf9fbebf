"""A hash table from 64-bit marks to numbers, looked up and filled by arrays."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.compiled import Number, compiled

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int32]
Rows = TypeVar("Rows", NDArray[np.int32], NDArray[np.int64], NDArray[np.uint64])

_FIRST_SIZE = 1 << 10
_FULL = 0.4
_ONE, _HALF = np.uint64(1), np.uint64(32)


class MarkTable:
    """Open addressing with linear probing, at most 0.4 full: `places` are rows of a mark and its number.

    Marks must be spread evenly over 64 bits; 0 stands for an empty place and counts as 1.
    """

    def __init__(self, expected: int = 0) -> None:
        """A table that does not grow before it has `expected` marks."""
        self.count = 0
        self.places: Hashes = np.zeros((_size(_FIRST_SIZE, expected), 2), np.uint64)

    def number(self, marks: Hashes) -> tuple[Numbers, NDArray[np.int64]]:
        """The number of each mark, those not in the table numbered on from `count`, and where each of these first
        stands among the marks.
        """
        size = _size(len(self.places), self.count + len(marks))
        if size > len(self.places):
            grown = np.zeros((size, 2), np.uint64)
            _move(self.places, grown)
            self.places = grown
        numbers, new = _numbered(self.places, marks, self.count)
        self.count += len(new)
        return numbers, new


def grown(rows: Rows, needed: int) -> Rows:
    """What is kept by the numbers of a table, with room for at least so many rows; new ones hold anything."""
    if needed <= len(rows):
        return rows
    more = np.empty((max(needed, 2 * len(rows)), rows.shape[1]), rows.dtype)
    more[: len(rows)] = rows
    return more


def _size(least: int, count: int) -> int:
    size = least
    while count > _FULL * size:
        size *= 2
    return size


@compiled
def _place(places: Hashes, mark: Number) -> Number:
    """Where a mark stands, or the empty place where it would."""
    last = np.int64(len(places) - 1)
    place = np.int64(mark ^ (mark >> _HALF)) & last
    while places[place, 0] != mark and places[place, 0] != 0:
        place = (place + 1) & last
    return place


@compiled
def probe(places: Hashes, mark: Number) -> Number:
    """The number of a mark in a table's places, -1 where it is not there."""
    mark = max(mark, _ONE)
    place = _place(places, mark)
    return np.int64(places[place, 1]) if places[place, 0] == mark else np.int64(-1)


@compiled
def _numbered(places: Hashes, marks: Hashes, count: int) -> tuple[Numbers, NDArray[np.int64]]:
    numbers, new = np.empty(len(marks), np.int32), np.empty(len(marks), np.int64)
    found = 0
    for k in range(len(marks)):
        mark = max(marks[k], _ONE)
        place = _place(places, mark)
        if places[place, 0] == 0:
            places[place, 0], places[place, 1] = mark, np.uint64(count + found)
            new[found] = k
            found += 1
        numbers[k] = np.int32(places[place, 1])
    return numbers, new[:found].copy()


@compiled
def _move(places: Hashes, grown: Hashes) -> None:
    for k in range(len(places)):
        mark = places[k, 0]
        if mark != 0:
            place = _place(grown, mark)
            grown[place, 0], grown[place, 1] = mark, places[k, 1]
