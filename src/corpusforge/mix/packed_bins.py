"""Puts documents into sequences of a fixed length: none is cut that fits, none loses a token.

A document longer than a sequence fills as many whole ones as it can and continues in one more; every sequence's pieces
stay apart in training. Documents are met in the order of the mix, so that repeats stay spaced, and go to the open
sequence that they fill best (bounded-space best fit). Rejected: sorting by length first, which trains long documents
before short ones (TRL), and cutting a stream at every multiple of the length, which cuts nearly every sequence's ends.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

OPEN = 64
_AGE = 2


@dataclass(slots=True)
class Packing:
    """Sequences of one source. Piece p is `size[p]` tokens of row `row[p]` from `start[p]` on; sequence s holds the
    pieces from `ends[s - 1]` to `ends[s]`.
    """

    row: array[int] = field(default_factory=lambda: array("q"))
    start: array[int] = field(default_factory=lambda: array("q"))
    size: array[int] = field(default_factory=lambda: array("q"))
    ends: array[int] = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.ends)

    def add(self, pieces: Iterable[tuple[int, int, int]]) -> None:
        """Append one sequence."""
        for row, start, size in pieces:
            self.row.append(row)
            self.start.append(start)
            self.size.append(size)
        self.ends.append(len(self.row))

    def pieces(self, sequence: int) -> range:
        """The pieces of a sequence."""
        return range(self.ends[sequence - 1] if sequence else 0, self.ends[sequence])

    def tokens(self) -> npt.NDArray[np.int64]:
        """Tokens of each sequence, shape [sequences]."""
        import numpy as np

        total = np.concatenate([[0], np.cumsum(np.asarray(self.size, dtype=np.int64))])
        made: npt.NDArray[np.int64] = np.diff(total[np.concatenate([[0], np.asarray(self.ends, dtype=np.int64)])])
        return made


def keep_open(tokens: int, length: int, repeated: bool) -> int:
    """How many sequences of a source may wait for more: few of all where documents repeat, so that they stay apart."""
    return max(2, min(OPEN, tokens // length // 32)) if repeated else OPEN


def pack(documents: Iterable[tuple[int, int, str]], length: int, most_open: int = OPEN) -> Packing:
    """Pack documents (row, tokens, record) in their order into sequences of at most `length` tokens.

    A document of k * length + r tokens fills k sequences alone, and its last r tokens (1 to `length`) share one. No
    sequence holds two pieces of one record, so repeats never meet. Documents without tokens are left out. At most
    `most_open` sequences wait for more at a time, and none while twice as many are begun after it: so the order
    of the mix is kept to within a few hundred sequences.
    """
    packing = Packing()
    rooms: list[tuple[int, int]] = []
    bins: dict[int, tuple[list[tuple[int, int, int]], set[str]]] = {}
    made = 0
    for row, size, record in documents:
        if size < 1:
            continue
        whole = (size - 1) // length
        for k in range(whole):
            packing.add([(row, k * length, length)])
        rest = size - whole * length
        place = bisect_left(rooms, (rest, -1))
        while place < len(rooms) and record in bins[rooms[place][1]][1]:
            place += 1
        if place < len(rooms):
            room, number = rooms.pop(place)
        else:
            room, number = length, made
            made += 1
            bins[number] = ([], set())
        pieces, records = bins[number]
        pieces.append((row, whole * length, rest))
        records.add(record)
        if room == rest:
            packing.add(bins.pop(number)[0])
            continue
        insort(rooms, (room - rest, number))
        oldest = next(iter(bins))
        if made - oldest > _AGE * most_open:
            rooms.remove((length - sum(size for _, _, size in bins[oldest][0]), oldest))
            packing.add(bins.pop(oldest)[0])
        elif len(rooms) > most_open:
            packing.add(bins.pop(rooms.pop(0)[1])[0])
    for number in sorted(bins):
        packing.add(bins[number][0])
    return packing
