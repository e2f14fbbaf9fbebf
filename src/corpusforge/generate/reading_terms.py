"""Finds the words that are rare in a corpus but not unique in it: worth asking for in cloze and word tasks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from corpusforge.stage import Decision, Survey

if TYPE_CHECKING:
    import pyarrow as pa

MIN_RECORDS = 2
MAX_SHARE = 0.05
MAX_RECORDS_SMALL = 3
_WORD = re.compile(r"(?<![\w/@.{<-])[A-Za-z][A-Za-z0-9-]{4,23}(?![\w/@}>])")
_TOTAL = ""


def terms_table(texts: Iterable[str]) -> pa.Table:
    """How many texts hold each word (lower case, 5 to 24 characters); the line of the empty word counts all texts."""
    import pyarrow as pa

    found: Counter[str] = Counter()
    for text in texts:
        found[_TOTAL] += 1
        found.update({word.lower() for word in _WORD.findall(text)})
    words = sorted(found)
    return pa.table({"word": pa.array(words, pa.string()), "records": pa.array([found[w] for w in words], pa.int64())})


def decide_terms(surveys: Sequence[Survey]) -> Decision:
    """Per shard, the words of that shard that stand in at least MIN_RECORDS records and at most MAX_SHARE of all.

    The limit is taken down to a power of two, so that a few records more or less change it seldom and other shards
    keep their tables. Memory: the vocabulary.
    """
    import polars as pl

    if not surveys:
        return Decision()
    lines = pl.concat([pl.scan_parquet(survey.path) for survey in surveys])
    counts = lines.group_by("word").agg(pl.col("records").sum()).collect()
    total = int(counts.filter(pl.col("word") == _TOTAL)["records"].sum())
    limit = max(MAX_RECORDS_SMALL, 1 << max(0, int(total * MAX_SHARE).bit_length() - 1))
    rare = counts.filter(pl.col("word") != _TOTAL, pl.col("records").is_between(MIN_RECORDS, limit)).select("word")
    tables = {}
    for survey in sorted(surveys, key=lambda survey: survey.shard):
        own = pl.read_parquet(survey.path).select("word").join(rare, on="word", how="semi").sort("word")
        tables[survey.shard] = own.to_arrow(compat_level=pl.CompatLevel.oldest())
    return Decision(per_shard=tables, notes={"records": total, "limit": limit, "terms": rare.height})


def read_terms(table: pa.Table | None) -> frozenset[str]:
    """The words of a shard's decision."""
    return frozenset(table["word"].to_pylist()) if table is not None else frozenset()
