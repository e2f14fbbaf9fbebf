"""Finds a corpus's own terms: words it names in titles, headings or code, rare in it and in public text, not unique."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from corpusforge.record import Record
from corpusforge.stage import Decision, Survey

if TYPE_CHECKING:
    import pyarrow as pa

MIN_RECORDS = 2
MAX_SHARE = 0.05
MAX_PUBLIC_SHARE = 0.02
MAX_RECORDS_SMALL = 3
# Patterns that open with one of few characters are looked for at those alone: several times as fast.
_WORD = re.compile(r"[A-Za-z](?<![\w/@.{<-][A-Za-z])[A-Za-z0-9-]{4,23}(?![\w/@}>])")
_HEADING = re.compile(r"\n[ \t]*#{1,6} .*")
_MARKED = re.compile(r"`[^`\n]+`|\*\*[^*\n]+\*\*")
_TOTAL = ""


def terms_table(records: Iterable[tuple[Record, bool]]) -> pa.Table:
    """For each word (lower case, 5 to 24 characters): how many wanted records hold it, how many public ones, and in how
    many wanted ones it is named in a title, heading or code. Records come with whether they are public; the line of the
    empty word counts all.
    """
    import pyarrow as pa

    counts: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
    names: Counter[str] = Counter()
    for record, public in records:
        counts[public][_TOTAL] += 1
        counts[public].update(_words(record.text))
        if not public:
            marked = [found.strip("`*") for found in _MARKED.findall(record.text)]
            naming = " \n".join([record.title, *_HEADING.findall(f"\n{record.text}"), *marked])
            names.update(_words(naming))
    words = sorted(counts[False].keys() | counts[True].keys())
    columns = {"records": counts[False], "public": counts[True], "named": names}
    return pa.table(
        {"word": pa.array(words, pa.string())}
        | {name: pa.array([found[word] for word in words], pa.int64()) for name, found in columns.items()}
    )


def _words(text: str) -> set[str]:
    if text.isascii():
        return set(_WORD.findall(text.lower()))
    return {word.lower() for word in _WORD.findall(text)}


def decide_terms(surveys: Sequence[Survey]) -> Decision:
    """Per shard, its words that are terms of the corpus: named somewhere, in at least MIN_RECORDS records, in at most
    MAX_SHARE of all and in at most MAX_PUBLIC_SHARE of the public ones.

    The limits are taken down to powers of two, so that a few records more or less change them seldom and other shards
    keep their tables. Memory: the vocabulary.
    """
    import polars as pl

    if not surveys:
        return Decision()
    lines = pl.concat([pl.scan_parquet(survey.path) for survey in surveys])
    counts = lines.group_by("word").agg(pl.col("records", "public", "named").sum()).collect()
    totals = counts.filter(pl.col("word") == _TOTAL)
    limit = max(MAX_RECORDS_SMALL, _power(int(totals["records"].sum()) * MAX_SHARE))
    public_limit = _power(int(totals["public"].sum()) * MAX_PUBLIC_SHARE)
    terms = counts.filter(
        pl.col("word") != _TOTAL,
        pl.col("named") > 0,
        pl.col("records").is_between(MIN_RECORDS, limit),
        pl.col("public") <= public_limit,
    ).select("word")
    tables = {}
    for survey in sorted(surveys, key=lambda survey: survey.shard):
        held = pl.read_parquet(survey.path).filter(pl.col("records") > 0).select("word")
        tables[survey.shard] = (
            held.join(terms, on="word", how="semi").sort("word").to_arrow(compat_level=pl.CompatLevel.oldest())
        )
    return Decision(per_shard=tables, notes={"limit": limit, "public_limit": public_limit, "terms": terms.height})


def read_terms(table: pa.Table | None) -> frozenset[str]:
    """The words of a shard's decision."""
    return frozenset(table["word"].to_pylist()) if table is not None else frozenset()


def _power(number: float) -> int:
    return 1 << (int(number).bit_length() - 1) if number >= 1 else 0
