"""Removes exact and near duplicates, each with the record kept instead, and ties look-alikes into one group."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from corpusforge.curate.clusters import Groups, keepers
from corpusforge.curate.dedup_pairs import compare
from corpusforge.curate.dedup_table import Candidates, load
from corpusforge.curate.shares import Share
from corpusforge.curate.shingles import content_hash, shingle_sets
from corpusforge.errors import StepFailed, UsageError
from corpusforge.record import Dropped, Record
from corpusforge.stage import Decision, Item, Stage, StageContext, StageSettings, Survey

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATE_KEYS = ("updated", "modified", "date", "published", "created")
_ANSWER_KEYS = ("task", "answer", "answers", "label", "labels", "choices", "options", "completion", "command")
# A source of a handful of records may well consist of two versions of everything.
_CAP_FROM = 20


class DedupSettings(StageSettings):
    """What counts as a duplicate and which copy stays."""

    similarity: float = Field(
        0.8, ge=0.5, le=1, description="Jaccard similarity of word n-grams from which the lesser record is dropped."
    )
    link: float = Field(
        0.5, ge=0.3, le=1, description="Similarity from which two records stay on one side of the split."
    )
    verify: bool = Field(
        True, description="Compare the records' n-grams exactly; false trusts the estimate of the sketches."
    )
    keep_first: tuple[str, ...] = Field((), description="Sources whose copies are kept before others', best first.")
    cap: Share = Field(
        0.5, ge=0, le=1, description="Share of a source that may go as near duplicates before the build stops."
    )
    ngram: int = Field(5, ge=2, le=13, description="Words in a shingle.")
    boilerplate: int = Field(
        20, ge=2, description="An n-gram in more distinct records than this is template text and no evidence."
    )


class Dedup(Stage):
    """Exact duplicates by content, near duplicates by exact Jaccard similarity of what MinHash proposes.

    Case, punctuation, white space and placeholder numbers make no difference; digits and operators do. Labelled records
    and those with fewer than `ngram` words are compared for exact equality only. Every record dropped names one that
    stays. A second run drops nothing, unless the first thinned out a template to `boilerplate` copies or fewer.
    """

    name = "dedup"
    version = 1
    libraries = ("xxhash",)
    Settings = DedupSettings

    def survey(self, records: Iterable[Record], ctx: StageContext) -> pa.Table:
        """One row a record: identity, preference, content hash and its distinct shingles (12 bytes each)."""
        import numpy as np
        import pyarrow as pa

        columns: dict[str, list[Any]] = {name: [] for name in ("id", "group", "date", "chars", "words", "exact")}

        def texts() -> Iterator[str]:
            for record in records:
                labelled = _labelled(record, ctx)
                columns["id"].append(record.id)
                columns["group"].append(record.group or record.id)
                columns["date"].append(_date(record))
                columns["chars"].append(len(record.text))
                columns["words"].append(len(record.text.split(None, ctx.settings.ngram)))
                columns["exact"].append(content_hash(_labelled_text(record) if labelled else record.text))
                yield "" if labelled else record.text

        shingles, places = shingle_sets(texts(), ctx.settings.ngram)
        offsets = pa.array(shingles.offsets)
        arrays = {
            "id": pa.array(columns["id"], pa.string()),
            "group": pa.array(columns["group"], pa.string()),
            "date": pa.array(columns["date"], pa.string()),
            "chars": pa.array(columns["chars"], pa.int64()),
            "words": pa.array(columns["words"], pa.int64()),
            "exact": pa.array(columns["exact"], pa.binary()),
            "shingles_n": pa.array(np.diff(shingles.offsets)),
            "shingles": pa.LargeListArray.from_arrays(offsets, pa.array(shingles.values)),
            "places": pa.LargeListArray.from_arrays(offsets, pa.array(places)),
        }
        return pa.table(arrays)

    def decide(self, surveys: Sequence[Survey], ctx: StageContext) -> Decision:
        """Which records go, for which others, and which groups become one.

        Memory: about 0.5 kB a record, and 8 bytes for each shingle of records that meet another one in a band.
        Raises StepFailed when a source would lose more than `cap`, UsageError for an unknown source in `keep_first`.
        """
        import numpy as np

        if unknown := sorted(set(ctx.settings.keep_first) - set(ctx.sources)):
            raise UsageError(
                f"keep_first names {', '.join(unknown)}, which the recipe does not use.",
                where="dedup",
                hint=f"Its sources are {', '.join(sorted(ctx.sources))}.",
            )
        if not surveys:
            return Decision()
        table = load(surveys, ctx.sources, ctx.settings.keep_first)
        first, copies = _exact(table)
        unique = first == np.arange(len(first))
        pairs = compare(
            table,
            unique,
            similarity=ctx.settings.similarity,
            link=ctx.settings.link,
            boilerplate=ctx.settings.boilerplate,
            verify=ctx.settings.verify,
        )
        low, high = pairs.records.T
        near, linked = pairs.near, pairs.linked
        gone = keepers(zip(low[near].tolist(), high[near].tolist(), pairs.similarity[near].tolist(), strict=True))
        groups = Groups(len(table.groups))
        number = table.rows["group_number"].to_numpy()
        groups.merge(zip(number[low[linked]].tolist(), number[high[linked]].tolist(), strict=True))
        # A greeting, or a notice that is everywhere, says nothing about what else its groups hold.
        tied = ~unique & (copies <= ctx.settings.boilerplate) & (table.rows["words"].to_numpy() >= ctx.settings.ngram)
        groups.merge(zip(number[tied].tolist(), number[first[tied]].tolist(), strict=True))
        drops: dict[int, tuple[int, float | None]] = dict(gone)
        for record in np.flatnonzero(~unique).tolist():
            drops[record] = gone.get(int(first[record]), (int(first[record]), None))
        _hold_to_cap(table, gone, ctx.settings.cap)
        notes = pairs.notes | {
            "exact_duplicates": sum(score is None for _, score in drops.values()),
            "near_duplicates": sum(score is not None for _, score in drops.values()),
            "groups_merged": groups.merged,
        }
        return Decision(per_shard=_tables(table, drops, dict(groups.changed())), notes=notes)

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Drop what was decided, and give merged groups their common name."""
        rows = {} if ctx.mine is None else {row["row"]: row for row in ctx.mine.to_pylist()}
        for position, record in enumerate(records):
            row = rows.get(position)
            if row is None:
                yield record
                continue
            if row["id"] != record.id:
                raise StepFailed("the decisions belong to other records.", where="dedup", hint="Run the step again.")
            if row["action"] == "drop":
                threshold = None if row["score"] is None else ctx.settings.similarity
                yield Dropped(record, row["reason"], row["score"], threshold, {"kept": row["kept"]})
            else:
                yield replace(record, group=row["group"])


def _labelled(record: Record, ctx: StageContext) -> bool:
    facts = ctx.sources.get(record.source)
    return record.kind == "labelled" or (facts is not None and facts.role == "labelled")


def _labelled_text(record: Record) -> str:
    """What makes a labelled record the same as another: its text and everything that can be its answer."""
    import orjson

    answers = {key: record.meta[key] for key in _ANSWER_KEYS if key in record.meta}
    return f"labelled\n{record.text}\n{orjson.dumps(answers, option=orjson.OPT_SORT_KEYS).decode()}"


def _date(record: Record) -> str:
    for key in _DATE_KEYS:
        if match := _DATE.match(str(record.meta.get(key, ""))):
            return match[0]
    return ""


def _exact(table: Candidates) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each record the foremost one of the same content, and how many records have that content."""
    import polars as pl

    frame = table.rows.select("exact").with_row_index("number")
    by_content = frame.select(
        pl.col("number").min().over("exact").alias("first"), pl.len().over("exact").alias("copies")
    )
    return by_content["first"].cast(pl.Int64).to_numpy(), by_content["copies"].cast(pl.Int64).to_numpy()


def _hold_to_cap(table: Candidates, gone: dict[int, tuple[int, float]], cap: float) -> None:
    """Stop before near-duplicate removal guts a source; what it removes cannot be seen in what is left."""
    names = [survey.source for survey in table.surveys]
    shards, ids = table.rows["shard"], table.rows["id"]
    totals: dict[str, int] = {}
    for shard, size in shards.value_counts(sort=False).iter_rows():
        totals[names[shard]] = totals.get(names[shard], 0) + size
    lost: dict[str, list[int]] = {}
    for record in sorted(gone):
        lost.setdefault(names[shards[record]], []).append(record)
    over = [name for name in sorted(lost) if totals[name] >= _CAP_FROM and len(lost[name]) > cap * totals[name]]
    if over:
        lines = []
        for name in over:
            shown = ", ".join(f"{ids[k]} ~ {ids[gone[k][0]]} ({gone[k][1]:.2f})" for k in lost[name][:5])
            part = len(lost[name]) / totals[name]
            lines.append(f"{name} would lose {len(lost[name])} of {totals[name]} records ({part:.1%}), such as {shown}")
        raise StepFailed(
            f"near-duplicate removal goes over its cap of {cap:.4g}: " + "; ".join(lines) + ".",
            where="dedup",
            hint="Look at these pairs; raise `similarity`, or `cap` (100% allows everything).",
        )


def _tables(
    table: Candidates, drops: dict[int, tuple[int, float | None]], groups: dict[int, int]
) -> dict[str, pa.Table]:
    """For each shard the rows where something changes, in the shard's order."""
    import numpy as np
    import pyarrow as pa

    schema = pa.schema(
        [
            ("row", pa.int64()),
            ("id", pa.string()),
            ("action", pa.string()),
            ("reason", pa.string()),
            ("score", pa.float64()),
            ("kept", pa.string()),
            ("group", pa.string()),
        ]
    )
    number = table.rows["group_number"].to_numpy()
    touched = np.zeros(len(number), bool)
    touched[list(drops)] = True
    touched |= np.isin(number, list(groups))
    rows: dict[str, list[dict[str, Any]]] = {survey.shard: [] for survey in table.surveys}
    ids = table.rows["id"]
    for record in np.flatnonzero(touched).tolist():
        shard, row = table.rows["shard"][record], table.rows["row"][record]
        line: dict[str, Any] = {"row": row, "id": ids[record]}
        if record in drops:
            kept, score = drops[record]
            reason = "exact-duplicate" if score is None else "near-duplicate"
            line |= {"action": "drop", "reason": reason, "score": score, "kept": ids[kept]}
        else:
            line |= {"action": "group", "group": table.groups[groups[int(number[record])]]}
        rows[table.surveys[shard].shard].append(line)
    return {
        shard: pa.Table.from_pylist(sorted(lines, key=lambda line: int(line["row"])), schema=schema)
        for shard, lines in rows.items()
    }
