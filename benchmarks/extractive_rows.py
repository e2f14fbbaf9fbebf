"""Rows of the extractive engine over real sources, without a build: read, normalised, asked. For other benchmarks."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from corpusforge.curate.normalise import Normalise
from corpusforge.ingest.formats import find_reader
from corpusforge.ingest.reader import ReadContext
from corpusforge.plan import make_plan
from corpusforge.recipe import read_recipe
from corpusforge.record import Record
from corpusforge.shards import write_table
from corpusforge.stage import Decision, SourceFacts, Stage, StageContext, Survey

ROOT = Path(__file__).resolve().parent.parent
SEED = 17
Shards = dict[str, list[Record]]
Facts = Mapping[str, SourceFacts]


def read(recipe: str, most: int, only: Sequence[str] = ()) -> tuple[Facts, Shards]:
    """The normalised domain records of a recipe's sources, at most `most` of each shard; English where unknown."""
    os.environ.setdefault("CORPUSFORGE_DATA", str(ROOT.parent / "shared" / "data"))
    checked = read_recipe(ROOT / "recipes" / f"{recipe}.yaml")
    facts = {source.name: source.facts() for source in checked.sources}
    found: Shards = {}
    with tempfile.TemporaryDirectory() as folder:
        shards = make_plan(checked, Path(folder)).shards
    for shard in shards:
        own = facts[shard.source]
        if own.role != "domain" or (only and shard.source not in only):
            continue
        reader = find_reader(shard.reader)
        settings = reader.Settings.model_validate(dict(shard.settings))
        records: list[Record] = []
        for file in shard.files:
            ctx = ReadContext(settings, shard.source, own.kind, own.licence, own.languages, file)
            records += [item for item in reader().read(file, ctx) if isinstance(item, Record)]
            if len(records) >= most:
                break
        usual = own.languages[0] if len(own.languages) == 1 else "en"
        named = [replace(r, group=r.group or r.id, language=r.language or usual) for r in records[:most]]
        ctx_of = StageContext(settings=Normalise.Settings(), seed=SEED, sources=facts)
        found[shard.name] = [item for item in Normalise().apply(named, ctx_of) if isinstance(item, Record)]
    return facts, found


def run(stage: type[Stage], shards: Shards, facts: Facts, **settings: Any) -> Shards:
    """A stage's rows over shards, all phases in memory but the surveys."""
    chosen = stage.Settings(**settings)
    decision = Decision()
    with tempfile.TemporaryDirectory() as folder:
        if stage.has_survey(chosen):
            surveys = []
            for name, records in shards.items():
                path = Path(folder) / f"{name}.parquet"
                write_table(path, stage().survey(records, StageContext(chosen, SEED, facts)))
                surveys.append(Survey(name, records[0].source if records else "", path, path))
            decision = stage().decide(surveys, StageContext(chosen, SEED, facts))
    rows: Shards = {}
    for name, records in shards.items():
        ctx = StageContext(chosen, SEED, facts, shared=decision.shared, mine=decision.per_shard.get(name))
        rows[name] = [item for item in stage().apply(records, ctx) if isinstance(item, Record)]
    return rows
