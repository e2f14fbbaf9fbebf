"""Small fixed-size sketches of shingle sets, from which alike records are proposed without comparing all pairs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from corpusforge.curate.shingles import Ragged, mix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from corpusforge.curate.shingles import Hashes

BINS = 256
_PROBES = 8
_CHUNK = 2048
_EMPTY = 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True, slots=True)
class Bands:
    """How a sketch is cut: two records meet when all `rows` values of any one of `count` bands agree."""

    count: int
    rows: int

    def recall(self, similarity: float) -> float:
        """The chance that a pair of this Jaccard similarity meets: 1 - (1 - s^rows)^count (Broder 1997)."""
        return float(1 - (1 - similarity**self.rows) ** self.count)


def choose_bands(similarity: float, recall: float) -> Bands:
    """The most selective bands whose recall at exactly `similarity` is at least `recall`."""
    for rows in range(16, 1, -1):
        bands = Bands(BINS // rows, rows)
        if bands.recall(similarity) >= recall:
            return bands
    return Bands(BINS, 1)


def band_keys(shingles: Ragged, bands: Bands) -> NDArray[np.uint32]:
    """One key for each record and band, shape (records, bands.count); records must have at least one shingle."""
    import numpy as np

    records = len(shingles.offsets) - 1
    keys = np.zeros((records, bands.count), np.uint32)
    for begin in range(0, records, _CHUNK):
        end = min(begin + _CHUNK, records)
        part = shingles.values[shingles.offsets[begin] : shingles.offsets[end]]
        values = _sketch(part, shingles.offsets[begin : end + 1] - shingles.offsets[begin])
        cut = values[:, : bands.count * bands.rows].reshape(end - begin, bands.count, bands.rows)
        key = cut[:, :, 0].copy()
        for row in range(1, bands.rows):
            key = mix(key + cut[:, :, row])
        keys[begin:end] = (mix(key) >> np.uint64(32)).astype(np.uint32)
    return keys


def _sketch(values: Hashes, offsets: NDArray[np.int64]) -> Hashes:
    """One-permutation MinHash (Li, Owen and Zhang 2012): the smallest hash of each of 256 ranges, in one pass.

    Sorted sets make it a look at neighbours. Empty bins borrow from bins probed in an order that depends on the bin
    alone (Shrivastava 2017); what eight probes leave empty takes a classical MinHash value of its own.
    """
    import numpy as np

    records = len(offsets) - 1
    sizes = np.diff(offsets)
    record_of = np.repeat(np.arange(records), sizes)
    slot = record_of * BINS + (values >> np.uint64(56)).astype(np.int64)
    first = np.ones(len(slot), bool)
    first[1:] = slot[1:] != slot[:-1]
    flat = np.full(records * BINS, _EMPTY, np.uint64)
    flat[slot[first]] = values[first]
    own = flat.reshape(records, BINS)
    out = own.copy()
    probes, seeds = _probe_table()
    rows, bins = np.nonzero(own == np.uint64(_EMPTY))
    for attempt in range(_PROBES):
        borrowed = own[rows, probes[attempt][bins]]
        out[rows, bins] = borrowed
        missing = borrowed == np.uint64(_EMPTY)
        rows, bins = rows[missing], bins[missing]
    if len(rows):
        counts = sizes[rows]
        starts = np.cumsum(counts) - counts
        position = np.arange(int(counts.sum())) - np.repeat(starts, counts) + np.repeat(offsets[rows], counts)
        hashed = mix(values[position] ^ np.repeat(seeds[bins], counts))
        out[rows, bins] = np.minimum.reduceat(hashed, starts)
    return out


@lru_cache(maxsize=1)
def _probe_table() -> tuple[NDArray[np.int64], Hashes]:
    import numpy as np

    numbers = np.arange(1, BINS * (_PROBES + 1) + 1, dtype=np.uint64)
    mixed = mix(numbers * np.uint64(0x9E3779B97F4A7C15))
    return (mixed[: BINS * _PROBES] >> np.uint64(56)).astype(np.int64).reshape(_PROBES, BINS), mixed[BINS * _PROBES :]


class Frequency:
    """In how many records each shingle occurs: a count-min sketch (Cormode and Muthukrishnan 2005) of bounded size.

    Each shingle has two counters in one table of at most 512 MiB, eight times as large as there are shingles while it
    can be. Only a shingle that shares both with frequent ones is taken for frequent.
    """

    def __init__(self, shingles: int) -> None:
        import numpy as np

        self._bits = min(27, max(20, (8 * shingles).bit_length()))
        self._counts = np.zeros(1 << self._bits, np.uint32)

    def add(self, values: Hashes) -> None:
        """Count each of these shingles once more."""
        import numpy as np

        for slots in self._slots(values):
            np.add.at(self._counts, slots, np.uint32(1))

    def above(self, values: Hashes, limit: int) -> NDArray[np.bool_]:
        """Which of these shingles occur in more than `limit` records."""
        first, second = self._slots(values)
        return (self._counts[first] > limit) & (self._counts[second] > limit)

    def _slots(self, values: Hashes) -> tuple[Hashes, Hashes]:
        import numpy as np

        # Mixed once more: the sketch's bins are cut from the top bits, and collisions should not follow them.
        mixed = mix(values)
        return mixed >> np.uint64(64 - self._bits), mixed & np.uint64((1 << self._bits) - 1)
