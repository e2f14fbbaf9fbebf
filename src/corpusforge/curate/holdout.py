"""Sets whole groups of records aside for evaluation, before anything is generated from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from corpusforge.curate.shares import Share
from corpusforge.errors import UsageError
from corpusforge.record import Record, stable_hash
from corpusforge.stage import Decision, Item, Stage, StageContext, StageSettings, Survey

if TYPE_CHECKING:
    import pyarrow as pa

# A group of more than this part of a source would make the hold-out one conversation; with fewer groups than
# `_MANY` there is no choice.
_OVERSIZED = Fraction(1, 10)
_MANY = 20


class HoldoutSettings(StageSettings):
    """How much is held out, and of which sources."""

    share: Share = Field(0.05, ge=0, le=0.5, description="Share of each source's records that is held out.")
    by: Literal["group"] = Field("group", description="What is kept together.")
    sources: tuple[str, ...] | None = Field(None, description="Sources to hold out from; by default all but public.")
    public: bool = Field(False, description="Hold out from public sources too.")
    min_groups: int = Field(
        1, ge=0, description="Hold out at least so many groups of a source, but never more than half of them."
    )


class Holdout(Stage):
    """Whole groups go to the hold-out, by a hash of the seed and the group's name.

    Groups are taken in the order of their hash until `share` of the source's records is reached: a larger share
    contains every smaller one, and a new record elsewhere moves nothing. A group that spans sources is held out in all
    of them. Groups of more than a tenth of a source stay in training where the source has 20 groups or more.
    """

    name = "holdout"
    version = 1
    Settings = HoldoutSettings

    def survey(self, records: Iterable[Record], ctx: StageContext) -> pa.Table:
        """How many records each group has in this shard, in the order of group names."""
        import pyarrow as pa

        counts: dict[str, int] = {}
        for record in records:
            group = record.group or record.id
            counts[group] = counts.get(group, 0) + 1
        groups = sorted(counts)
        return pa.table(
            {
                "group": pa.array(groups, pa.string()),
                "records": pa.array([counts[group] for group in groups], pa.int64()),
            }
        )

    def decide(self, surveys: Sequence[Survey], ctx: StageContext) -> Decision:
        """The groups that are held out, for each shard those that it has. Memory: one entry a group."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        wanted = _sources(ctx)
        per_source: dict[str, dict[str, int]] = {}
        in_shard: dict[str, list[str]] = {}
        for survey in sorted(surveys, key=lambda survey: survey.shard):
            table = pq.read_table(survey.path)
            in_shard[survey.shard] = table["group"].to_pylist()
            counts = per_source.setdefault(survey.source, {})
            for group, records in zip(in_shard[survey.shard], table["records"].to_pylist(), strict=True):
                counts[group] = counts.get(group, 0) + records
        held: set[str] = set()
        for source in sorted(wanted & set(per_source)):
            held.update(_chosen(per_source[source], ctx))
        tables = {
            shard: pa.table({"group": pa.array([group for group in groups if group in held], pa.string())})
            for shard, groups in in_shard.items()
        }
        notes: dict[str, Any] = {
            source: {
                "groups": len(counts),
                "held_groups": sum(group in held for group in counts),
                "records": sum(counts.values()),
                "held_records": sum(records for group, records in counts.items() if group in held),
            }
            for source, counts in sorted(per_source.items())
        }
        return Decision(per_shard=tables, notes=notes)

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Mark each record's side; nothing is dropped."""
        held = set() if ctx.mine is None else set(ctx.mine["group"].to_pylist())
        for record in records:
            if (record.group or record.id) in held:
                ctx.count(record.source, "held_out")
                yield replace(record, side="holdout")
            else:
                yield record if record.side == "train" else replace(record, side="train")


def _sources(ctx: StageContext) -> set[str]:
    if ctx.settings.sources is None:
        return {name for name, facts in ctx.sources.items() if ctx.settings.public or facts.role != "public"}
    if unknown := sorted(set(ctx.settings.sources) - set(ctx.sources)):
        raise UsageError(
            f"sources names {', '.join(unknown)}, which the recipe does not use.",
            where="holdout",
            hint=f"Its sources are {', '.join(sorted(ctx.sources))}.",
        )
    return set(ctx.settings.sources)


def _chosen(counts: dict[str, int], ctx: StageContext) -> list[str]:
    """The first groups by hash, until they hold the share; the group that crosses it is taken."""
    total = sum(counts.values())
    ranked = sorted(counts, key=lambda group: (stable_hash("holdout", str(ctx.seed), group), group))
    if len(ranked) >= _MANY:
        ranked = [group for group in ranked if counts[group] <= _OVERSIZED * total]
    target = Fraction(str(ctx.settings.share)) * total
    chosen: list[str] = []
    taken = 0
    for group in ranked[: len(counts) // 2]:
        if taken >= target and (target == 0 or len(chosen) >= ctx.settings.min_groups):
            break
        chosen.append(group)
        taken += counts[group]
    return chosen
