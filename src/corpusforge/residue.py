"""A second, different detector for personal data in finished records: expressions that owe redaction nothing."""

from __future__ import annotations

import heapq
import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusforge.record import stable_hash
from corpusforge.shards import Shard
from corpusforge.wilson import wilson

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
    Where there are no more records than that, all are looked at, and the bound is the share itself.
    """
    concerned = [shard for shard in shards if shard.source in sources]
    total = sum(shard.rows for shard in concerned)
    ids = (identity for shard in concerned for identity in pq.read_table(shard.path, columns=["id"])["id"].to_pylist())
    chosen = set(heapq.nsmallest(SAMPLE, ids, key=lambda identity: stable_hash(str(seed), "residue", identity)))
    looked = found = 0
    for shard in concerned:
        for texts in _texts(shard, chosen):
            looked += 1
            found += any(finds(text) for text in texts)
    if looked == total:
        return looked, found, found / looked if looked else 0.0
    return looked, found, upper_bound(found, looked)


def _texts(shard: Shard, chosen: set[str]) -> Iterator[list[str]]:
    """All that a chosen record says: its text, its title, and every string of its meta (questions, options, fields)."""
    wanted = pa.array(sorted(chosen), pa.string())
    with pq.ParquetFile(shard.path) as file:
        for batch in file.iter_batches(columns=["id", "title", "text", "meta"]):
            for row in batch.filter(pc.is_in(batch["id"], value_set=wanted)).to_pylist():
                yield [row["text"], row["title"], *_strings(orjson.loads(row["meta"]))]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


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


def upper_bound(found: int, looked: int) -> float:
    """The 95% upper bound of a share: 3/n for none (rule of three), else Wilson's."""
    if looked == 0:
        return 0.0
    if found == 0:
        return min(1.0, 3 / looked)
    return wilson(found, looked)[1]
