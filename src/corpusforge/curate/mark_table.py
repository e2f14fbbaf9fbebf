"""A hash table from 64-bit marks to numbers, looked up and filled by arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int32]

_FIRST_SIZE = 16
_FULL = 0.3


class MarkTable:
    """Open addressing with linear probing: arrays of marks and of their numbers, at most 0.3 full.

    Marks must be spread evenly over 64 bits; 0 stands for an empty place and counts as 1.
    """

    def __init__(self) -> None:
        self.count = 0
        self._reserve(_FIRST_SIZE)

    def _reserve(self, bits: int) -> None:
        self._bits = np.uint64(64 - bits)
        self._last = (1 << bits) - 1
        self._marks = np.zeros(1 << bits, np.uint64)
        self._numbers = np.zeros(1 << bits, np.int32)

    def find(self, marks: Hashes) -> Numbers:
        """The number of each mark, -1 where it is not in the table."""
        marks = np.maximum(marks, np.uint64(1))
        places = (marks >> self._bits).view(np.int64)
        numbers = self._numbers[places]
        left = np.flatnonzero(self._marks[places] != marks)
        return self._probed(numbers, left, places[left], marks[left]) if len(left) else numbers

    def _probed(self, numbers: Numbers, left: NDArray[np.int64], places: NDArray[np.int64], marks: Hashes) -> Numbers:
        found = self._marks[places]
        while len(left):
            empty = found == 0
            numbers[left[empty]] = -1
            on = ~empty
            left, places, marks = left[on], (places[on] + 1) & self._last, marks[on]
            found = self._marks[places]
            same = found == marks
            numbers[left[same]] = self._numbers[places[same]]
            other = ~same
            left, places, marks, found = left[other], places[other], marks[other], found[other]
        return numbers

    def add(self, marks: Hashes) -> Numbers:
        """Number new, distinct marks on from `count`, in their order."""
        numbers = np.arange(self.count, self.count + len(marks), dtype=np.int32)
        self.count += len(marks)
        bits = 64 - int(self._bits)
        if self.count > _FULL * (1 << bits):
            old, known = self._marks, self._numbers
            while self.count > _FULL * (1 << bits):
                bits += 2
            self._reserve(bits)
            filled = np.flatnonzero(old)
            self._fill(old[filled], known[filled])
        self._fill(np.maximum(marks, np.uint64(1)), numbers)
        return numbers

    def _fill(self, marks: Hashes, numbers: Numbers) -> None:
        places = (marks >> self._bits).view(np.int64)
        while len(marks):
            free = np.flatnonzero(self._marks[places] == 0)
            # Of several that want one place the last written has it; the others go on.
            self._marks[places[free]] = marks[free]
            won = self._marks[places] == marks
            self._numbers[places[won]] = numbers[won]
            lost = ~won
            marks, numbers, places = marks[lost], numbers[lost], (places[lost] + 1) & self._last
