"""Removes exact and near duplicates, each with the record kept instead, and ties look-alikes into one group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from corpusforge.curate.clusters import Groups
from corpusforge.curate.dedup_index import index
from corpusforge.curate.dedup_pairs import propose_and_compare
from corpusforge.curate.dedup_rules import Gone, Verdict, judge
from corpusforge.curate.dedup_table import Candidates, Preference, load
from corpusforge.curate.dedup_verify import MOST_EDITS
from corpusforge.curate.shares import Share
from corpusforge.errors import StepFailed, UsageError
from corpusforge.record import Dropped, Kind, Record
from corpusforge.stage import Decision, Item, Stage, StageContext, StageSettings, Survey

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

# A source of a handful of records may well consist of two versions of everything.
_CAP_FROM = 20
_EXACT = "exact-duplicate"


class DedupSettings(StageSettings):
    """What counts as a duplicate and which copy stays."""

    similarity: float = Field(
        0.8, ge=0.5, le=1, description="Jaccard similarity of word n-grams from which the lesser record is dropped."
    )
    edits: Share = Field(
        0.12,
        ge=0,
        le=MOST_EDITS,
        description="Share of words that may differ in a copy of forty words or more (`edited-copy`); 0 for none.",
    )
    containment: Share | None = Field(
        None, ge=0.5, le=1, description="Share of a record's n-grams in a longer one from which it is dropped."
    )
    link: float = Field(
        0.5, ge=0.35, le=1, description="Similarity from which two records stay on one side of the split."
    )
    significant: tuple[Kind, ...] = Field(
        ("chat", "article", "doc"),
        description="Kinds whose look-alikes both stay when they differ in numbers, codes or negations above all.",
    )
    keep_first: tuple[str, ...] = Field((), description="Sources whose copies are kept before others', best first.")
    prefer: tuple[Preference, ...] = Field(
        ("source", "newest", "longest"), description="Which copy is kept, the most important reason first."
    )
    cap: Share = Field(
        0.5, ge=0, le=1, description="Share of a source that may go as near duplicates before the build stops."
    )
    ngram: int = Field(5, ge=2, le=13, description="Words in an n-gram.")
    boilerplate: int = Field(
        20, ge=2, description="An n-gram in more distinct records than this is template text and no evidence."
    )


class Dedup(Stage):
    """Exact duplicates by content, near duplicates by what the words of proposed pairs say.

    Case, punctuation, white space and placeholder numbers make no difference; digits and operators do. Labelled records
    and those with fewer than `ngram` words are compared for exact equality only. Every record dropped names one that
    stays. A second run drops nothing, unless the first thinned out a template to `boilerplate` copies or fewer.
    """

    name = "dedup"
    version = 2
    libraries = ("xxhash",)
    Settings = DedupSettings

    def survey(self, records: Iterable[Record], ctx: StageContext) -> pa.Table:
        """One row a record: identity, preference, content hash and its words, 4 bytes each before compression."""
        labelled = frozenset(name for name, facts in ctx.sources.items() if facts.role == "labelled")
        return index(records, labelled, ctx.settings.ngram)

    def decide(self, surveys: Sequence[Survey], ctx: StageContext) -> Decision:
        """Which records go, for which others, and which groups become one.

        Memory: some 0.8 kB a record for sketches and 4 bytes a word, both in temporary files when there are many; a
        table of at most 512 MiB for counting n-grams; and the words of one shard, or of a few million pairs.
        Raises StepFailed when a source would lose more than `cap`, UsageError for an unknown source in `keep_first`.
        """
        import numpy as np

        settings: DedupSettings = ctx.settings
        if unknown := sorted(set(settings.keep_first) - set(ctx.sources)):
            raise UsageError(
                f"keep_first names {', '.join(unknown)}, which the recipe does not use.",
                where="dedup",
                hint=f"Its sources are {', '.join(sorted(ctx.sources))}.",
            )
        if not surveys:
            return Decision()
        table = load(surveys, ctx.sources, settings.keep_first, settings.prefer)
        first, copies = _exact(table)
        unique = first == np.arange(len(first))
        verdict = _verdict(table, unique, settings)
        groups = Groups(len(table.groups))
        number = table.rows["group_number"].to_numpy()
        groups.merge(number[verdict.linked].tolist())
        # A greeting, or a notice that is everywhere, says nothing about what else its groups hold.
        tied = ~unique & (copies <= settings.boilerplate) & (table.rows["words_n"].to_numpy() >= settings.ngram)
        groups.merge(zip(number[tied].tolist(), number[first[tied]].tolist(), strict=True))
        _hold_to_cap(table, verdict.gone, settings.cap)
        drops = dict(verdict.gone)
        for record in np.flatnonzero(~unique).tolist():
            same = int(first[record])
            drops[record] = verdict.gone.get(same, Gone(same, _EXACT, None, None, same))
        reasons = [why.reason for why in drops.values()]
        notes = verdict.notes | {
            "exact_duplicates": reasons.count(_EXACT),
            "near_duplicates": len(reasons) - reasons.count(_EXACT),
            "groups_merged": groups.merged,
        }
        return Decision(
            per_shard=_tables(table, drops, dict(groups.changed()), verdict.close, settings.similarity), notes=notes
        )

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
                detail = {"kept": row["kept"]} | ({"compared": row["pair"]} if row["pair"] != row["kept"] else {})
                yield Dropped(record, row["reason"], row["score"], row["threshold"], detail)
                continue
            kept = record if row["group"] is None else replace(record, group=row["group"])
            if row["score"] is not None:
                ctx.near(kept, row["reason"], row["score"], row["threshold"])
            yield kept


def _verdict(table: Candidates, unique: NDArray[np.bool_], settings: DedupSettings) -> Verdict:
    import numpy as np

    pairs = propose_and_compare(
        table,
        unique,
        n=settings.ngram,
        similarity=settings.similarity,
        boilerplate=settings.boilerplate,
        contained=settings.containment is not None,
    )
    if pairs is None:
        return Verdict({}, np.zeros((0, 2), np.int64), {}, {"pairs_verified": 0})
    return judge(
        pairs,
        table,
        similarity=settings.similarity,
        link=min(settings.link, settings.similarity),
        edits=settings.edits,
        containment=settings.containment,
        significant=settings.significant,
    )


def _exact(table: Candidates) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each record the foremost one of the same content, and how many records have that content."""
    import polars as pl

    frame = table.rows.select("exact").with_row_index("number")
    by_content = frame.select(
        pl.col("number").min().over("exact").alias("first"), pl.len().over("exact").alias("copies")
    )
    return by_content["first"].cast(pl.Int64).to_numpy(), by_content["copies"].cast(pl.Int64).to_numpy()


def _hold_to_cap(table: Candidates, gone: dict[int, Gone], cap: float) -> None:
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
            shown = ", ".join(f"{ids[k]} ~ {ids[gone[k].pair]} ({gone[k].score:.2f})" for k in lost[name][:5])
            part = len(lost[name]) / totals[name]
            lines.append(f"{name} would lose {len(lost[name])} of {totals[name]} records ({part:.1%}), such as {shown}")
        raise StepFailed(
            f"near-duplicate removal goes over its cap of {cap:.4g}: " + "; ".join(lines) + ".",
            where="dedup",
            hint="Look at these pairs; raise `similarity`, or `cap` (100% allows everything).",
        )


def _tables(
    table: Candidates, drops: dict[int, Gone], groups: dict[int, int], close: dict[int, float], similarity: float
) -> dict[str, pa.Table]:
    """For each shard the rows where something changes, or that came close to it, in the shard's order."""
    import numpy as np
    import pyarrow as pa

    schema = pa.schema(
        [
            ("row", pa.int64()),
            ("id", pa.string()),
            ("action", pa.string()),
            ("reason", pa.string()),
            ("score", pa.float64()),
            ("threshold", pa.float64()),
            ("kept", pa.string()),
            ("pair", pa.string()),
            ("group", pa.string()),
        ]
    )
    number = table.rows["group_number"].to_numpy()
    touched = np.zeros(len(number), np.bool_)
    touched[[*drops, *close]] = True
    touched |= np.isin(number, list(groups))
    rows: dict[str, list[dict[str, Any]]] = {survey.shard: [] for survey in table.surveys}
    ids, shards, places = table.rows["id"], table.rows["shard"], table.rows["row"]
    for record in np.flatnonzero(touched).tolist():
        line: dict[str, Any] = {"row": places[record], "id": ids[record]}
        if record in drops:
            why = drops[record]
            line |= {"action": "drop", "reason": why.reason, "score": why.score, "threshold": why.threshold}
            line |= {"kept": ids[why.kept], "pair": ids[why.pair]}
        else:
            line["action"] = "keep"
            if int(number[record]) in groups:
                line["group"] = table.groups[groups[int(number[record])]]
            if record in close:
                line |= {"reason": "near-duplicate", "score": close[record], "threshold": similarity}
        rows[table.surveys[shards[record]].shard].append(line)
    return {
        shard: pa.Table.from_pylist(sorted(lines, key=lambda line: int(line["row"])), schema=schema)
        for shard, lines in rows.items()
    }
