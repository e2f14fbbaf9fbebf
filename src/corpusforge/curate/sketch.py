"""Small fixed-size sketches of n-gram sets, from which alike records are proposed without comparing all pairs."""

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
_CHUNK = 512
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
    """The most selective and then fewest bands whose recall at exactly `similarity` is at least `recall`."""
    for rows in range(16, 1, -1):
        most = Bands(BINS // rows, rows)
        if most.recall(similarity) >= recall:
            few = (count for count in range(1, most.count + 1) if Bands(count, rows).recall(similarity) >= recall)
            return Bands(next(few), rows)
    return Bands(BINS, 1)


def band_keys(shingles: Ragged, bands: Bands) -> NDArray[np.uint32]:
    """One key for each record and band, shape (records, bands.count); records must have at least one n-gram.

    The order of a record's n-grams, and how often one occurs, make no difference.
    """
    import numpy as np

    records = len(shingles.offsets) - 1
    keys = np.zeros((records, bands.count), np.uint32)
    for begin in range(0, records, _CHUNK):
        end = min(begin + _CHUNK, records)
        part = shingles.values[shingles.offsets[begin] : shingles.offsets[end]]
        values = _sketch(Ragged(part, shingles.offsets[begin : end + 1] - shingles.offsets[begin]), bands)
        cut = values.reshape(end - begin, bands.count, bands.rows)
        key: Hashes = cut[:, :, 0].copy()
        for row in range(1, bands.rows):
            key = mix(key + cut[:, :, row])
        keys[begin:end] = (mix(key) >> np.uint64(32)).astype(np.uint32)
    return keys


def _sketch(shingles: Ragged, bands: Bands) -> Hashes:
    """One-permutation MinHash (Li, Owen and Zhang 2012): the smallest hash of each of 256 ranges, as many as needed.

    Empty bins borrow from bins probed in an order that depends on the bin alone (Shrivastava 2017); what eight probes
    leave empty takes a classical MinHash value of its own.
    """
    import numpy as np

    values, offsets = shingles.values, shingles.offsets
    records = len(offsets) - 1
    flat = np.full(records * BINS, _EMPTY, np.uint64)
    np.minimum.at(flat, shingles.owners * BINS + (values >> np.uint64(56)).astype(np.int64), values)
    own = flat.reshape(records, BINS)
    out = own[:, : bands.count * bands.rows].copy()
    probes, seeds = _probe_table()
    missing = np.flatnonzero(out == np.uint64(_EMPTY))
    rows, bins = np.divmod(missing, out.shape[1])
    for attempt in range(_PROBES):
        borrowed = own[rows, probes[attempt][bins]]
        out[rows, bins] = borrowed
        still = borrowed == np.uint64(_EMPTY)
        rows, bins = rows[still], bins[still]
    if len(rows):
        counts = shingles.sizes[rows]
        starts = np.cumsum(counts) - counts
        position = np.arange(int(counts.sum())) - np.repeat(starts, counts) + np.repeat(offsets[rows], counts)
        seeded: Hashes = np.bitwise_xor(values[position], np.repeat(seeds[bins], counts))
        out[rows, bins] = np.minimum.reduceat(mix(seeded), starts)
    return out


@lru_cache(maxsize=1)
def _probe_table() -> tuple[NDArray[np.int64], Hashes]:
    import numpy as np

    numbers = np.arange(1, BINS * (_PROBES + 1) + 1, dtype=np.uint64)
    mixed = mix(numbers * np.uint64(0x9E3779B97F4A7C15))
    return (mixed[: BINS * _PROBES] >> np.uint64(56)).astype(np.int64).reshape(_PROBES, BINS), mixed[BINS * _PROBES :]
