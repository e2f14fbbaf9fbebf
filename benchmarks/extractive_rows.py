"""Rows of the extractive engine over real sources, without a build: read, normalised, asked. For other benchmarks.

Run by itself it prints how fast the tier is, in CPU seconds of one core over all phases (survey, decide, apply) of qa,
mcq and reading with their tables written and read. Counted three ways: each stage per MB of the text of the kinds it
reads (UTF-8), and all together per MB of all domain text and per MB of the raw files that this text was taken from.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import sys
import tempfile
import time
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
from corpusforge.stage import Decision, SourceFacts, Stage, StageContext, Survey, find_stage

ROOT = Path(__file__).resolve().parent.parent
SEED = 17
ROUNDS = 3
PHASES = ("survey", "decide", "apply")
TIER = ("qa", "mcq", "reading")
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


def raw_bytes(recipe: str) -> int:
    """The size of a recipe's domain files as they lie on the disk."""
    checked = read_recipe(ROOT / "recipes" / f"{recipe}.yaml")
    domain = {source.name for source in checked.sources if source.facts().role == "domain"}
    with tempfile.TemporaryDirectory() as folder:
        shards = make_plan(checked, Path(folder)).shards
    return sum(file.size for shard in shards if shard.source in domain for file in shard.files)


def phases(shards: Shards, facts: Facts) -> dict[str, dict[str, float]]:
    """CPU seconds of each phase of each stage, and its rows; surveys shard by shard, as a build's workers do them."""
    stages = {name: find_stage(name) for name in TIER}
    spent: dict[str, dict[str, float]] = {
        name: {"survey": 0.0, "decide": 0.0, "apply": 0.0, "rows": 0} for name in TIER
    }
    with tempfile.TemporaryDirectory() as folder:
        paths = {(name, shard): Path(folder) / f"{name}.{shard}.parquet" for name in TIER for shard in shards}
        for shard, records in shards.items():
            for name, stage in stages.items():
                started = time.process_time()
                write_table(paths[name, shard], stage().survey(records, StageContext(stage.Settings(), SEED, facts)))
                spent[name]["survey"] += time.process_time() - started
        for name, stage in stages.items():
            surveys = [Survey(shard, "", paths[name, shard], paths[name, shard]) for shard in shards]
            started = time.process_time()
            decision = stage().decide(surveys, StageContext(stage.Settings(), SEED, facts))
            spent[name]["decide"] = time.process_time() - started
            for shard, records in shards.items():
                ctx = StageContext(stage.Settings(), SEED, facts, decision.shared, decision.per_shard.get(shard))
                ctx.surveyed = paths[name, shard]
                started = time.process_time()
                for item in stage().apply(records, ctx):
                    spent[name]["rows"] += isinstance(item, Record)
                spent[name]["apply"] += time.process_time() - started
    return spent


def tier(recipe: str) -> dict[str, Any]:
    """The tier's speed over all of a recipe's domain text; medians of ROUNDS after a short one that loads libraries."""
    facts, shards = read(recipe, sys.maxsize)
    phases({name: records[:20] for name, records in shards.items()}, facts)
    # A build reads its records a shard at a time; all of them held here are not to be searched for garbage each time.
    gc.collect()
    gc.freeze()
    rounds = []
    for _ in range(ROUNDS):
        _forget()
        rounds.append(phases(shards, facts))
    texts: dict[str, float] = {}
    for record in (record for records in shards.values() for record in records):
        texts[record.kind] = texts.get(record.kind, 0.0) + len(record.text.encode()) / 1e6
    size, raw = sum(texts.values()), raw_bytes(recipe) / 1e6
    told: dict[str, Any] = {"text_mb": round(size, 2), "raw_mb": round(raw, 2)}
    told["text_mb_by_kind"] = {kind: round(mb, 2) for kind, mb in texts.items()}
    total = 0.0
    for name in TIER:
        times = {
            phase: statistics.median(one[name][phase] for one in rounds) for phase in ("survey", "decide", "apply")
        }
        total += sum(times.values())
        told[name] = {phase: round(seconds, 3) for phase, seconds in times.items()}
        kinds = find_stage(name).Settings().model_dump()["kinds"]
        told[name]["rows"] = rounds[0][name]["rows"]
        told[name]["read_mb"] = round(own := sum(texts.get(kind, 0.0) for kind in kinds), 2)
        told[name]["read_mb_per_s"] = round(own / sum(times.values()), 2)
    told["cpu_s"] = round(total, 3)
    return {**told, "text_mb_per_s": round(size / total, 2), "raw_mb_per_s": round(raw / total, 2), "must": ">= 5"}


def _forget() -> None:
    # What one round remembers of texts would flatter the next.
    for name, module in list(sys.modules.items()):
        for value in vars(module).values() if name.startswith("corpusforge.generate") else ():
            if hasattr(value, "cache_parameters") and value.cache_parameters()["maxsize"] is not None:
                value.cache_clear()


if __name__ == "__main__":
    print(json.dumps({"bench": "extractive_rows", **tier("ubuntu-support")}))
