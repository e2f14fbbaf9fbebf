"""From records that meet in a band to pairs worth comparing, to those that go, and to groups that stay together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Index = NDArray[np.int64]

FULL_BUCKET = 32
LEADERS = 3
WINDOW = 2


def candidate_pairs(keys: NDArray[np.uint32], members: Index) -> Index:
    """Distinct pairs (low, high) of `members` that share a key in some band, shape (pairs, 2), ascending.

    `keys` has one row a band and one column a record; `members` are the columns to look at, in ascending order, low
    ones being kept first. In a bucket of more than `FULL_BUCKET` records each is compared with the bucket's `LEADERS`
    foremost records, and with its `WINDOW` neighbours when the bucket is ordered by the next bands, so that the work
    stays linear. A pair that this leaves out here shares other, smaller buckets: those of the n-grams that the crowd
    does not have.
    """
    import numpy as np

    found = np.zeros(0, np.uint64)
    fresh: list[NDArray[np.uint64]] = []
    for band, row in enumerate(keys):
        packed = (row[members].astype(np.uint64) << np.uint64(32)) | members.astype(np.uint64)
        packed.sort()
        key = packed >> np.uint64(32)
        same = np.flatnonzero(key[1:] == key[:-1])
        # Runs of neighbours with one key, as first position and length; nearly all records are in none.
        first = same[np.diff(same, prepend=-2) > 1]
        sizes = same[np.diff(same, append=len(key) + 1) > 1] + 2 - first
        ordered = (packed & np.uint64(0xFFFFFFFF)).astype(np.int64)
        for size in np.unique(sizes).tolist():
            buckets = ordered[first[sizes == size][:, None] + np.arange(size)]
            if size > FULL_BUCKET:
                leaders = buckets[:, :LEADERS]
                fresh.append(_packed(np.repeat(buckets, LEADERS, axis=1), np.tile(leaders, (1, size))))
                buckets = np.stack([_by_next_bands(keys, band, bucket) for bucket in buckets])
            left, right = _within(size)
            fresh.append(_packed(buckets[:, left], buckets[:, right]))
        if sum(map(len, fresh)) > 4_000_000 or band == len(keys) - 1:
            found = np.unique(np.concatenate([found, *fresh]))
            fresh = []
    return np.stack([found >> np.uint64(32), found & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int64)


def _by_next_bands(keys: NDArray[np.uint32], band: int, bucket: Index) -> Index:
    import numpy as np

    bands = len(keys)
    return bucket[np.lexsort((bucket, keys[(band + 2) % bands][bucket], keys[(band + 1) % bands][bucket]))]


def _within(size: int) -> tuple[Index, Index]:
    """Positions of the pairs to compare in an ordered bucket."""
    import numpy as np

    if size <= FULL_BUCKET:
        left, right = np.triu_indices(size, 1)
        return left.astype(np.int64), right.astype(np.int64)
    left = np.repeat(np.arange(size), WINDOW)
    right = left + np.tile(np.arange(1, WINDOW + 1), size)
    return left[right < size], right[right < size]


def _packed(left: Index, right: Index) -> NDArray[np.uint64]:
    """Pairs as one number each, the lower record in the high half; a record with itself is left out."""
    import numpy as np

    low, high = np.minimum(left, right), np.maximum(left, right)
    packed = (low.astype(np.uint64) << np.uint64(32)) | high.astype(np.uint64)
    return np.unique(packed[low != high])


def keepers(pairs: Iterable[tuple[int, int, float]]) -> dict[int, tuple[int, float]]:
    """For each record that goes: the record kept instead and their similarity. `pairs` are (low, high, similarity).

    Low numbers are kept first. A record goes only for one that stays: of a chain a~b~c, a and c stay.
    """
    rivals: dict[int, list[tuple[float, int]]] = {}
    for low, high, similarity in pairs:
        rivals.setdefault(high, []).append((-similarity, low))
    gone: dict[int, tuple[int, float]] = {}
    for record in sorted(rivals):
        staying = [rival for rival in rivals[record] if rival[1] not in gone]
        if staying:
            similarity, low = min(staying)
            gone[record] = (low, -similarity)
    return gone


class Groups:
    """Union-find over numbered groups; a merged group bears its smallest number."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))
        self.merged = 0

    def root(self, group: int) -> int:
        """The number that stands for this group's component."""
        parent = self._parent
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    def merge(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Join the groups of each pair."""
        for left, right in pairs:
            a, b = self.root(left), self.root(right)
            if a != b:
                self._parent[max(a, b)] = min(a, b)
                self.merged += 1

    def changed(self) -> Iterator[tuple[int, int]]:
        """Every group that lost its own number, with the number it bears now."""
        for group in range(len(self._parent)):
            if (root := self.root(group)) != group:
                yield group, root
