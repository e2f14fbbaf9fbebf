"""Exact overlap of proposed pairs of records: a sketch may propose, only the sets themselves decide."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from corpusforge.curate.shingles import Ragged

PASSAGE = 12
SHARED_ENOUGH = 5


@dataclass(frozen=True, slots=True)
class Overlap:
    """For each pair: Jaccard similarity of all shingles, of those that are not boilerplate, and what they rest on.

    `own_shared` is how many shingles beside boilerplate both records have; `passages` says that each has a passage of
    its own, `plain` that neither has any boilerplate.
    """

    full: NDArray[np.float64]
    own: NDArray[np.float64]
    own_shared: NDArray[np.int64]
    passages: NDArray[np.bool_]
    plain: NDArray[np.bool_]

    def near(self, similarity: float, link: float) -> NDArray[np.bool_]:
        """Which pairs are near duplicates: alike as a whole, and not merely by the template that they share.

        Two records that each have a passage of their own must agree beside the boilerplate as well, at `link` or more;
        otherwise a long greeting would make all chats one (Marin issue 6851). Words changed here and there are no
        passage, or many versions of one article would pass as a template.
        """
        distinct = (self.own < link) & self.passages & ~self.plain
        return (self.full >= similarity) & ~distinct

    def linked(self, similarity: float, link: float) -> NDArray[np.bool_]:
        """Which pairs must stay on one side of a split; what boilerplate they share is no reason."""
        content = (self.own >= link) & (self.plain | (self.own_shared >= SHARED_ENOUGH))
        return self.near(similarity, link) | content


def longest_passage(common: NDArray[np.bool_], shingles: Ragged, places: NDArray[np.uint32]) -> NDArray[np.int64]:
    """For each text the most shingles in a row that are not boilerplate (`common`); a passage of w words has w + n - 1.

    `places` are the words at which the shingles begin.
    """
    import numpy as np

    texts = len(shingles.offsets) - 1
    text_of = np.repeat(np.arange(texts), np.diff(shingles.offsets))[~common]
    place = places[~common].astype(np.int64)
    order = np.lexsort((place, text_of))
    text_of, place = text_of[order], place[order]
    begins = np.ones(len(place), bool)
    begins[1:] = (place[1:] != place[:-1] + 1) | (text_of[1:] != text_of[:-1])
    starts = np.flatnonzero(begins)
    longest = np.zeros(texts, np.int64)
    np.maximum.at(longest, text_of[starts], np.diff(np.append(starts, len(place))))
    return longest


def overlap(
    pairs: NDArray[np.int64],
    shingles: Ragged,
    common: NDArray[np.bool_],
    passages: NDArray[np.bool_],
) -> Overlap:
    """Compare pairs of rows of `shingles`, shape (pairs, 2), ordered by their first column.

    `common` marks the shingles that are boilerplate, `passages` the rows that have a passage without any.
    """
    import numpy as np

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
        own_shared=own_shared,
        passages=passages[pairs[:, 0]] & passages[pairs[:, 1]],
        plain=(left_own == sizes[pairs[:, 0]]) & (right_own == sizes[pairs[:, 1]]),
    )
