"""Shows what the generators would make of a few records: passage, prompts, answers, rows, and what the checks say."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from corpusforge.build import Reporter, curated
from corpusforge.generation import FROM_QUESTIONS, without_model
from corpusforge.plan import Plan
from corpusforge.recipe import Recipe, Run
from corpusforge.record import Dropped, Record, stable_hash
from corpusforge.shards import Shard, read_records, write_records, write_table
from corpusforge.stage import Decision, Stage, StageContext, Survey
from corpusforge.stage_use import StageUse
from corpusforge.work import RESPONSES

AROUND = 40
_SHOWN = ("question", "answer", "options", "gold", "near", "direction", "answerable", "style", "repaired", "rejected")


def preview(
    recipe: Recipe, builds: Path, n: int, task: str | None, reporter: Reporter, run: Run | None = None
) -> list[dict[str, Any]]:
    """What each task (or the one named) makes of `n` records, chosen by a hash: the same ones every time.

    Curates what is not curated yet; what a model answers is kept, and a build does not pay for it again.
    """
    plan, shards = curated(recipe, builds, reporter, run or recipe.spec.run)
    known: dict[str, list[Record]] = {}
    shown: list[dict[str, Any]] = []
    for use in recipe.generate:
        needed = task in (None, use.name) or (use.name == "qa" and task == "mcq")
        if not needed:
            continue
        source = known.get("qa", []) if use.written == FROM_QUESTIONS else _sample(use, shards, plan, AROUND * n)
        entries = list(_entries(use, source, len(source) if use.written == FROM_QUESTIONS else n, plan))
        known[use.name] = [row for entry in entries for row in entry["rows"]]
        if task in (None, use.name):
            shown += [_told(use, entry, recipe) for entry in entries]
    return shown


def _sample(use: StageUse, shards: Sequence[Shard], plan: Plan, n: int) -> list[Record]:
    """The first records by hash of those that the task reads."""
    settings: Any = use.settings
    public = {source.name for source in plan.recipe.sources if source.role == "public"}
    chosen = set(settings.sources) if settings.sources is not None else None

    def wanted() -> Iterator[Record]:
        for shard in shards:
            if (shard.source not in chosen) if chosen is not None else (shard.source in public):
                continue
            yield from (record for record in read_records(shard.path) if record.kind in settings.kinds)

    return heapq.nsmallest(n, wanted(), key=lambda record: stable_hash("preview", record.id))


def _entries(use: StageUse, records: Sequence[Record], n: int, plan: Plan) -> Iterator[dict[str, Any]]:
    """What comes of the first `n` records; the others are what the task looks at before it decides."""
    facts = {source.name: source.facts() for source in plan.recipe.sources}
    by_rules = use.written in {one.written for one in without_model([use])}
    # Rules cost nothing and often find nothing: of more records those are shown that gave something.
    shown = records[: 4 * n] if by_rules else records[:n]
    found: list[dict[str, Any]] = []
    for name in sorted({record.source for record in shown}):
        responses = plan.root.absolute() / RESPONSES
        ctx = StageContext(use.settings, plan.recipe.spec.seed, {name: facts[name]}, responses=responses)
        stage = use.stage()
        if use.stage.has_survey(use.settings):
            decision = _decided(stage, records, replace(ctx, sources=facts))
            ctx.shared, ctx.mine = decision.shared, decision.per_shard.get("preview")
        own = [record for record in shown if record.source == name]
        found += _by_rules(stage, own, ctx) if by_rules else _by_model(stage, own, ctx)
    if by_rules:
        found = heapq.nsmallest(n, found, key=lambda entry: not entry["rows"])
    yield from found


def _decided(stage: Stage, records: Sequence[Record], ctx: StageContext) -> Decision:
    """The decisions over the sample alone."""
    with tempfile.TemporaryDirectory() as folder:
        path, table = Path(folder) / "records.parquet", Path(folder) / "survey.parquet"
        write_records(path, records)
        write_table(table, stage.survey(records, ctx))
        return stage.decide([Survey("preview", records[0].source, table, path)], ctx)


def _by_model(stage: Any, records: Sequence[Record], ctx: StageContext) -> Iterator[dict[str, Any]]:
    for passage, written in stage.written(records, ctx):
        yield {
            "record": passage.record,
            "passage": passage.record.text if passage.chunk is None else passage.chunk.text,
            "reason": passage.reason,
            "missing": dict(sorted(written.missing.items())),
            "exchanges": [
                {"template": one.template, "prompt": one.prompt, "answer": one.answer} for one in written.exchanges
            ],
            "rows": [*passage.rows, *written.rows],
        }


def _by_rules(stage: Stage, records: Sequence[Record], ctx: StageContext) -> Iterator[dict[str, Any]]:
    rows: dict[str, list[Record]] = {}
    reasons: dict[str, str] = {}
    for item in stage.apply(records, ctx):
        if isinstance(item, Dropped):
            reasons[item.record.id] = item.reason
        elif isinstance(item, Record):
            rows.setdefault(item.parents[0], []).append(item)
    for record in records:
        reason = reasons.get(record.id, "")
        found = {"record": record, "passage": record.text, "reason": reason, "missing": {}, "exchanges": []}
        yield {**found, "rows": rows.get(record.id, [])}


def _told(use: StageUse, entry: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """An entry as it is printed: rows with what the model's check and the others say of them."""
    record: Record = entry["record"]
    return {
        "task": use.name,
        "record": record.id,
        "source": record.source,
        "title": record.title,
        "passage": entry["passage"],
        "reason": entry["reason"],
        "missing": entry["missing"],
        "exchanges": entry["exchanges"],
        "rows": [_row(row, recipe) for row in entry["rows"]],
    }


def _row(row: Record, recipe: Recipe) -> dict[str, Any]:
    shown = {key: row.meta[key] for key in _SHOWN if key in row.meta}
    # Evidence is a place in the document; the passage that is shown may begin later.
    offset = row.meta.get("context", {}).get("start", 0)
    text = row.meta.get("context", {}).get("text", "")
    quotes = [text[span["start"] - offset : span["end"] - offset] for span in row.meta.get("evidence", ())]
    return {
        "id": row.id,
        "template": row.meta.get("template", ""),
        **shown,
        "evidence": [quote for quote in quotes if quote],
        "verdict": row.meta.get("verdict", ""),
        "verify": _verified(row, recipe.proofs),
    }


def _verified(row: Record, proofs: Iterable[StageUse]) -> str:
    """`kept`, or the rule by which `verify` would leave the row out."""
    for use in proofs:
        if use.name == "verify":
            ctx = StageContext(use.settings, 0, {})
            for item in use.stage().apply([replace(row)], ctx):
                return item.reason if isinstance(item, Dropped) else "kept"
    return "kept"
