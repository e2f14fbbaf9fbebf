"""Exact overlap of proposed pairs of records: a sketch may propose, only the sets themselves decide."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from corpusforge.curate.shingles import Ragged
    from corpusforge.curate.sketch import Frequency

OWN_ENOUGH = 10
SHARED_ENOUGH = 5


@dataclass(frozen=True, slots=True)
class Overlap:
    """For each pair: Jaccard similarity of all shingles, and of those that are not boilerplate, and what they rest on.

    `own_least` is how many shingles beside boilerplate the poorer record has, `own_shared` how many both have; `plain`
    says that neither record has any boilerplate.
    """

    full: NDArray[np.float64]
    own: NDArray[np.float64]
    own_least: NDArray[np.int64]
    own_shared: NDArray[np.int64]
    plain: NDArray[np.bool_]

    def near(self, similarity: float, link: float) -> NDArray[np.bool_]:
        """Which pairs are near duplicates: alike as a whole, and not merely by the template that they share.

        Two records that each have `OWN_ENOUGH` shingles of their own (more than two changed words make) must agree in
        those as well, at `link` or more; otherwise a long greeting would make all chats one (Marin issue 6851).
        """
        distinct = (self.own < link) & (self.own_least >= OWN_ENOUGH) & ~self.plain
        return (self.full >= similarity) & ~distinct

    def linked(self, similarity: float, link: float) -> NDArray[np.bool_]:
        """Which pairs must stay on one side of a split; boilerplate is a reason only where it is nearly everything."""
        content = (self.own >= link) & (self.plain | (self.own_shared >= SHARED_ENOUGH))
        return (self.full >= similarity) | content


def overlap(pairs: NDArray[np.int64], shingles: Ragged, frequency: Frequency, limit: int) -> Overlap:
    """Compare pairs of rows of `shingles`, shape (pairs, 2), ordered by their first column.

    A shingle in more than `limit` records counts as boilerplate.
    """
    import numpy as np

    common = frequency.above(shingles.values, limit)
    commons = np.zeros(len(common) + 1, np.int64)
    np.cumsum(common, out=commons[1:])
    sizes = np.diff(shingles.offsets)
    own_sizes = sizes - (commons[shingles.offsets[1:]] - commons[shingles.offsets[:-1]])
    shared = np.zeros(len(pairs), np.int64)
    own_shared = np.zeros(len(pairs), np.int64)
    changes = np.flatnonzero(pairs[1:, 0] != pairs[:-1, 0]) + 1
    for begin, end in pairwise([0, *changes.tolist(), len(pairs)]):
        if begin == end:
            continue
        left = pairs[begin, 0]
        mine = shingles.values[shingles.offsets[left] : shingles.offsets[left + 1]]
        for step in range(begin, end, 256):
            others = pairs[step : min(step + 256, end), 1]
            counts = sizes[others]
            starts = np.cumsum(counts) - counts
            rows = np.arange(int(counts.sum())) + np.repeat(shingles.offsets[others] - starts, counts)
            theirs = shingles.values[rows]
            place = np.minimum(np.searchsorted(mine, theirs), len(mine) - 1)
            hit = mine[place] == theirs
            shared[step : step + len(others)] = np.add.reduceat(hit, starts, dtype=np.int64)
            own_shared[step : step + len(others)] = np.add.reduceat(hit & ~common[rows], starts, dtype=np.int64)
    left_own, right_own = own_sizes[pairs[:, 0]], own_sizes[pairs[:, 1]]
    either = sizes[pairs[:, 0]] + sizes[pairs[:, 1]] - shared
    own_either = left_own + right_own - own_shared
    return Overlap(
        full=shared / np.maximum(either, 1),
        own=own_shared / np.maximum(own_either, 1),
        own_least=np.minimum(left_own, right_own),
        own_shared=own_shared,
        plain=(left_own == sizes[pairs[:, 0]]) & (right_own == sizes[pairs[:, 1]]),
    )
