"""A second, different detector for personal data in finished records: expressions that owe redaction nothing."""

from __future__ import annotations

import heapq
import ipaddress
import math
import re
from collections.abc import Sequence

import pyarrow.parquet as pq

from corpusforge.record import stable_hash
from corpusforge.shards import Shard, read_records

SAMPLE = 3000
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.[A-Za-z]{2,24}\b")
_PHONE = re.compile(r"(?<![\w.])\+\d{1,3}[ .\-]?(?:\(?\d{1,5}\)?[ .\-]?){2,5}\d{2,5}(?!\w)")
_CARD = re.compile(r"(?<![\w.])\d(?:[ \-]?\d){12,18}(?!\w)")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)")
_SSN = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
_RESERVED = ("example.com", "example.org", "example.net", ".example", ".invalid", ".test", "localhost")


def residue(shards: Sequence[Shard], sources: set[str], seed: int) -> tuple[int, int, float]:
    """Records looked at, records with a finding, and the 95% upper bound of their share (Wilson; 3/n when none).

    The sample is the `SAMPLE` records of `sources` with the smallest keyed hash: random, and the same for everybody.
    """
    concerned = [shard for shard in shards if shard.source in sources]
    ids = (identity for shard in concerned for identity in pq.read_table(shard.path, columns=["id"])["id"].to_pylist())
    chosen = set(heapq.nsmallest(SAMPLE, ids, key=lambda identity: stable_hash(str(seed), "residue", identity)))
    looked = found = 0
    for shard in concerned:
        for record in read_records(shard.path):
            if record.id in chosen:
                looked += 1
                found += finds(record.text)
    return looked, found, upper_bound(found, looked)


def finds(text: str) -> bool:
    """Whether the expressions see personal data in a text; reserved example addresses do not count."""
    if any(not m[0].lower().endswith(_RESERVED) for m in _EMAIL.finditer(text)):
        return True
    if any(_luhn(m[0]) for m in _CARD.finditer(text)) or _SSN.search(text):
        return True
    if any(len(re.sub(r"\D", "", m[0])) >= 9 for m in _PHONE.finditer(text)):
        return True
    return any(_public(m[0]) for m in _IPV4.finditer(text))


def _luhn(text: str) -> bool:
    digits = [int(c) for c in text if c.isdigit()]
    if len(digits) not in (13, 14, 15, 16, 19) or len(set(digits)) == 1:
        return False
    doubled = [d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _public(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    # 1.2.3.4 and the like are versions and placeholders; a real host rarely has four one-digit parts.
    return address.is_global and max(int(part) for part in text.split(".")) > 31


def upper_bound(found: int, looked: int, z: float = 1.96) -> float:
    """The 95% upper bound of a share: 3/n for none (rule of three), else Wilson's."""
    if looked == 0:
        return 0.0
    if found == 0:
        return min(1.0, 3 / looked)
    share = found / looked
    centre = share + z * z / (2 * looked)
    spread = z * math.sqrt(share * (1 - share) / looked + z * z / (4 * looked * looked))
    return min(1.0, (centre + spread) / (1 + z * z / looked))
