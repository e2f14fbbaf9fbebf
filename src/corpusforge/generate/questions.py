"""Finds questions that occur more than once in the corpus: one row stays, and none where the answers differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from corpusforge.generate.sentences import normalised
from corpusforge.record import stable_hash
from corpusforge.stage import Decision, StageContext, Survey

if TYPE_CHECKING:
    import pyarrow as pa


class Asked(NamedTuple):
    """One row as the survey sees it: its id, the hashes of question and answer, and its side."""

    row: str
    question: str
    answer: str
    holdout: bool


def asked(row: str, question: str, answer: str, side: str) -> Asked:
    """The survey's view of a row; `question` is its key, which does not depend on the wording."""
    return Asked(row, stable_hash(question), stable_hash(normalised(answer)), side == "holdout")


def questions_table(rows: Iterable[Asked]) -> pa.Table:
    """The survey: one line a row, in the order of the rows."""
    import pyarrow as pa

    lines = list(rows)
    return pa.table(
        {
            "row": pa.array([line.row for line in lines], pa.string()),
            "question": pa.array([line.question for line in lines], pa.string()),
            "answer": pa.array([line.answer for line in lines], pa.string()),
            "holdout": pa.array([line.holdout for line in lines], pa.bool_()),
        }
    )


def decide_repeats(surveys: Sequence[Survey]) -> Decision:
    """Per shard, the rows to leave out: columns `row` and `reason` (`duplicate-question` or `ambiguous-question`).

    Of equal rows the hold-out's stays before the training side's, so that no training row repeats a held-out one;
    then the one with the smallest id. Only shards that lose rows get a table.
    """
    import polars as pl

    if not surveys:
        return Decision()
    rows = pl.concat([pl.scan_parquet(survey.path).with_columns(shard=pl.lit(survey.shard)) for survey in surveys])
    repeated = (
        rows.filter(pl.len().over("question") > 1)
        .with_columns(
            different=pl.col("answer").n_unique().over("question") > 1,
            place=pl.struct(~pl.col("holdout"), pl.col("row")).rank("ordinal").over("question"),
        )
        .filter(pl.col("different") | (pl.col("place") > 1))
        .with_columns(
            reason=pl.when("different").then(pl.lit("ambiguous-question")).otherwise(pl.lit("duplicate-question"))
        )
        .select("shard", "row", "reason")
        .unique()
        .sort("shard", "row")
        .collect()
    )
    tables = {
        str(shard): part.select("row", "reason").to_arrow().cast(_schema())
        for (shard,), part in repeated.partition_by("shard", as_dict=True).items()
    }
    return Decision(
        per_shard=dict(sorted(tables.items())),
        notes={"left_out": repeated.height, "rows": rows.select(pl.len()).collect().item()},
    )


def repeats(ctx: StageContext) -> dict[str, str]:
    """The rows of this shard to leave out, with the reason."""
    if ctx.mine is None or "row" not in ctx.mine.column_names:
        return {}
    pairs = zip(ctx.mine["row"].to_pylist(), ctx.mine["reason"].to_pylist(), strict=True)
    return {row: reason for row, reason in pairs if row is not None}


def _schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema([("row", pa.string()), ("reason", pa.string())])
