"""Runs a stage's three phases over shards as a build would, and reads back what became of each record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from corpusforge.record import Dropped, Kind, Origin, Record
from corpusforge.shards import write_table
from corpusforge.stage import Decision, Near, Role, SourceFacts, Stage, StageContext, Survey


def doc(
    key: str,
    text: str,
    *,
    source: str = "kb",
    group: str = "",
    kind: Kind = "article",
    file: str = "f",
    title: str = "",
    **meta: object,
) -> Record:
    return Record(
        id=f"{source}:{key}",
        source=source,
        kind=kind,
        text=text,
        origin=Origin(file, 0, 1),
        title=title,
        group=group,
        meta=meta,
    )


@dataclass
class Outcome:
    kept: dict[str, Record]
    dropped: dict[str, Dropped]
    decision: Decision
    counts: dict[str, dict[str, int]]
    near: list[Near]

    @property
    def fates(self) -> dict[str, tuple[object, ...]]:
        """Each record's fate, for comparing two runs."""
        kept = {k: ("kept", r.group, r.side) for k, r in self.kept.items()}
        return kept | {
            k: (d.reason, None if d.score is None else round(d.score, 9), str(d.detail))
            for k, d in self.dropped.items()
        }


def facts(source: str) -> SourceFacts:
    role: Role = "public" if source.startswith("pub") else "labelled" if source.startswith("lab") else "domain"
    return SourceFacts(source, "article", role)


def run_stage(
    stage: Stage, shards: dict[str, list[Record]], folder: Path, *, seed: int = 1, **settings: object
) -> Outcome:
    folder.mkdir(parents=True, exist_ok=True)
    names = {record.source for records in shards.values() for record in records}
    chosen = type(stage).Settings(**settings)

    def context() -> StageContext:
        return StageContext(settings=chosen, seed=seed, sources={name: facts(name) for name in sorted(names)})

    surveys = []
    for name, records in shards.items():
        path = folder / f"{name}.parquet"
        write_table(path, stage.survey(iter(records), context()))
        surveys.append(Survey(name, records[0].source if records else name, path, path))
    decision = stage.decide(surveys, context())
    outcome = Outcome({}, {}, decision, {}, [])
    for name, records in shards.items():
        ctx = context()
        ctx.shared, ctx.mine = decision.shared, decision.per_shard.get(name)
        out = list(stage.apply(iter(records), ctx))
        assert len(out) == len(records)
        for item in out:
            if isinstance(item, Dropped):
                assert item.record.id not in outcome.dropped
                outcome.dropped[item.record.id] = item
            else:
                assert isinstance(item, Record)
                assert item.id not in outcome.kept
                outcome.kept[item.id] = item
        outcome.near += ctx.take_near()
        for source, counts in ctx.counts.items():
            for key, n in counts.items():
                per = outcome.counts.setdefault(source, {})
                per[key] = per.get(key, 0) + n
    return outcome
