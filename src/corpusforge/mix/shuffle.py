"""The deterministic orders of a mix: which records come first in a source, and where each row stands in training.

Both depend on the seed and the record's id alone, never on shards or workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import xxhash

RING = 1 << 64


def sample_key(seed: int, identity: str) -> int:
    """A record's place in its source's stable order, in [0, 2^64); a mix takes prefixes of it."""
    return xxhash.xxh3_64_intdigest(f"sample\0{seed}\0{identity}")


def sample_keys(seed: int, identities: Iterable[str]) -> Iterator[int]:
    """`sample_key` of many records."""
    before, digest = f"sample\0{seed}\0", xxhash.xxh3_64_intdigest
    return (digest(before + identity) for identity in identities)


def position(seed: int, identity: str, repeat: int, of: int) -> int:
    """Where a row stands in the global order, in [0, 2^64).

    The `of` repeats of a record are spread over the whole order: repeat r lies in the r-th of `of` equal parts of a
    ring that begins at a point of the record's own. Two neighbours are at least half a part apart (on the ring), so
    no record meets itself again soon, and each pass has another order. Positions of many records are uniform.
    """
    start = xxhash.xxh3_64_intdigest(f"start\0{seed}\0{identity}")
    jitter = xxhash.xxh3_64_intdigest(f"jitter\0{seed}\0{repeat}\0{identity}")
    return (repeat * RING + start + jitter // 2) // of % RING
