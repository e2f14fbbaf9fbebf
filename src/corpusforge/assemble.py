"""Puts a build's folder together from finished steps: mix, hold-out, what was left out, card, and last the manifest."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from corpusforge import __version__
from corpusforge.errors import StepFailed, UsageError
from corpusforge.generation import PROOFS
from corpusforge.ledger import DROPPED_SCHEMA, QUARANTINE_SCHEMA
from corpusforge.manifest import FORMAT, Counts, fingerprint, nearest, read_manifest, write_manifest
from corpusforge.plan import Plan, StepState
from corpusforge.recipe import Recipe
from corpusforge.shards import Shard, sha256_file, write_bytes
from corpusforge.sides import check_copies, check_sides
from corpusforge.steps import Step, facts_of_stage
from corpusforge.tally import step_counted
from corpusforge.work import trusted

Say = Callable[[str], None]
# What the leak audit adds to the manifest: `audit`, or `audit_failed` with the reason; nothing where none is wanted.
Audited = Callable[[], Mapping[str, Any]]


def final_shards(plan: Plan, states: Mapping[str, StepState]) -> list[Shard]:
    """The finished shards that the mix and the hold-out are made from, by name."""
    shards = [slot.shard for name in plan.final for slot in states[name].slots if slot.shard is not None]
    return sorted(shards, key=lambda shard: shard.name)


def build_id(plan: Plan, states: Mapping[str, StepState]) -> str:
    """12 hex digits that stand for everything a build is: the finished shards, every step's identity, the recipe."""
    recipe = plan.recipe
    return fingerprint(
        [
            FORMAT,
            __version__,
            [[shard.name, shard.sha256] for shard in final_shards(plan, states)],
            [step.identity for step in plan.steps],
            sorted(plan.ingest_keys.items()),
            resolved(plan.recipe),
            [_source(plan, source.name) for source in recipe.sources],
        ]
    )[:12]


def assemble(
    plan: Plan,
    states: Mapping[str, StepState],
    counts: Mapping[str, Mapping[str, Counts]],
    folder: Path,
    say: Say,
    audited: Audited,
    latest: bool = True,
) -> tuple[dict[str, Any], bool]:
    """Write the build into `folder` unless it is there whole; its manifest, and whether it was there.

    The folder appears whole or not at all. With `latest` it becomes the one that the recipe's name stands for.
    """
    if (manifest := _there(folder)) is not None:
        if latest:
            _point(plan.root, folder.name)
        return manifest, True
    if folder.exists():
        say(f"{folder} is damaged, not whole, or its leak audit failed: it is written anew")
    work = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    work.mkdir(parents=True)
    try:
        manifest = _write(plan, states, counts, work, folder.name, say, audited)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if latest:
        _point(plan.root, folder.name)
    return manifest, False


def _there(folder: Path) -> dict[str, Any] | None:
    """The manifest of a build whose data files all have the bytes that it names; None if one is missing or differs.

    None as well for one whose leak audit failed: what made it fail may be gone.
    """
    try:
        manifest = read_manifest(folder)
    except UsageError:
        return None
    if "audit_failed" in manifest:
        return None
    beside = [manifest[name] for name in ("packed", "preference") if name in manifest]
    outputs = [*manifest["mix"].values(), manifest["eval"], *beside]
    for file in (file for output in outputs for file in output["files"]):
        path = folder / file["path"]
        if not path.is_file() or path.stat().st_size != file["bytes"] or sha256_file(path) != file["sha256"]:
            return None
    left_out = [
        (step["name"], kind)
        for step in manifest["steps"]
        for kind in ("dropped", "quarantined")
        if any(counts[kind] for counts in step["counts"].values())
    ]
    rooms = {"dropped": "dropped", "quarantined": "quarantine"}
    whole = all((folder / rooms[kind] / f"{name}.parquet").is_file() for name, kind in left_out)
    return manifest if whole and (folder / "card.json").is_file() else None


def _point(root: Path, build: str) -> None:
    write_bytes(root / "latest", f"{build}\n".encode())


def _write(
    plan: Plan,
    states: Mapping[str, StepState],
    counts: Mapping[str, Mapping[str, Counts]],
    work: Path,
    build: str,
    say: Say,
    audited: Audited,
) -> dict[str, Any]:
    from corpusforge.card.write import write_card
    from corpusforge.evaluate.write import build_eval
    from corpusforge.gates import evaluate_gates
    from corpusforge.mix.packed import build_packed
    from corpusforge.mix.preference import build_preference
    from corpusforge.mix.write import build_mix
    from corpusforge.samples import choose_samples

    shards = [trusted(shard) for shard in final_shards(plan, states)]
    if not any(shard.rows for shard in shards):
        hint = f"See {plan.store.root}/*/*.dropped.parquet for the reasons."
        raise StepFailed("no record is left to mix.", where=plan.recipe.name, hint=hint)
    say("proving that nothing of the hold-out is in training")
    lineage = check_sides(shards)
    steps = _steps(plan, states, counts)
    decided = next((s.decided for s in states.values() if s.step and s.step.stage == "decontaminate"), None)
    runs = None if decided is None else decided.shared
    lineage |= check_copies(shards, steps, runs)
    say("mixing")
    paths = [shard.path for shard in shards]
    mix = build_mix(paths, plan.recipe, work)
    held = build_eval(paths, work, plan.recipe.name, {s.name: s.role for s in plan.recipe.sources})
    _left_out(plan, states, work)
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "name": plan.recipe.name,
        "build": build,
        "corpusforge": __version__,
        "seed": plan.recipe.spec.seed,
        "recipe": resolved(plan.recipe),
        "tokenizer": _tokenizer(plan),
        "sources": [_source(plan, source.name) for source in plan.recipe.sources],
        "steps": steps,
        "mix": mix,
        "eval": held,
        "lineage": lineage,
        **choose_samples(shards, plan.recipe.spec.seed),
    }
    if (packed := build_packed(paths, plan.recipe, mix, work)) is not None:
        manifest["packed"] = packed
    if (preference := build_preference(paths, plan.recipe, mix, work)) is not None:
        manifest["preference"] = preference
    manifest |= audited()
    manifest["gates"] = evaluate_gates(plan.recipe.spec.gates, manifest, shards, runs)
    write_manifest(work, manifest)
    write_card(work, plan.recipe.workspace / "data_cards")
    return manifest


def resolved(recipe: Recipe) -> dict[str, Any]:
    """A recipe as it stands in the manifest: every default written out, and nothing of how or where it runs."""
    spec = recipe.spec.model_dump(mode="json", exclude={"run"})
    spec["gates"] = recipe.spec.gates.shown()
    spec["tokenizer"] = Path(recipe.spec.tokenizer).name
    spec["chat_template"] = Path(recipe.spec.chat_template).name
    return spec


def _tokenizer(plan: Plan) -> dict[str, str]:
    identity = next(step.identity for step in plan.steps if step.name == "tokens")
    return {"name": Path(plan.recipe.spec.tokenizer).name, "sha256": str(identity["settings"]["tokenizer"])}


def _source(plan: Plan, name: str) -> dict[str, Any]:
    source = next(s for s in plan.recipe.sources if s.name == name)
    spec = source.spec
    shards = [shard for shard in plan.shards if shard.source == name]
    files = sorted((f.name, f.sha256) for shard in shards for f in (*shard.files, *shard.sidecars))
    return {
        "name": name,
        "role": source.role,
        "kind": spec.kind,
        "about": spec.about,
        "licence": spec.licence,
        "owner": spec.owner,
        "origin": spec.origin,
        "languages": list(spec.languages),
        "collected": spec.collected,
        "retention": spec.retention,
        "personal_data": list(spec.personal_data),
        "files": len(files),
        "bytes": sum(f.size for shard in shards for f in (*shard.files, *shard.sidecars)),
        "fingerprint": fingerprint(files),
    }


def _steps(
    plan: Plan, states: Mapping[str, StepState], counts: Mapping[str, Mapping[str, Counts]]
) -> list[dict[str, Any]]:
    files = {shard.name: [f"{file.name}@{file.sha256[:12]}" for file in shard.files] for shard in plan.shards}
    made: list[dict[str, Any]] = []
    for name, state in states.items():
        step = state.step
        identity = (
            step.identity if step is not None else {"stage": "ingest", "version": 1, "libraries": {}, "settings": {}}
        )
        own = [slot for slot in state.slots if slot.shard is not None and slot.name in state.keys]
        samples = [sample for slot in own if slot.report is not None for sample in slot.report["near"]]
        shards = [
            {
                "name": slot.name,
                "source": slot.source,
                "sha256": slot.shard.sha256,
                "rows": slot.shard.rows,
                "bytes": slot.shard.bytes,
                "key": state.keys[slot.name],
                **({"files": files[slot.name]} if step is None else {}),
            }
            for slot in own
            if slot.shard is not None
        ]
        made.append(
            {
                "name": name,
                "stage": identity["stage"],
                "version": identity["version"],
                "settings": identity["settings"],
                "libraries": identity["libraries"],
                "resources": identity.get("resources", {}),
                "makes": step is not None and (step.makes or _proves(step)),
                "proves": step is not None and _proves(step),
                "fingerprint": fingerprint([identity, plan.recipe.spec.seed]),
                "counts": {source: one.to_json() for source, one in sorted(counts[name].items())},
                "counted": step_counted(state),
                "facts": {} if step is None else facts_of_stage(step),
                "notes": {} if state.decided is None else dict(state.decided.notes),
                "near": nearest(samples),
                "shards": shards,
            }
        )
    return made


def _proves(step: Step) -> bool:
    """Whether a step holds rows that were made against something, instead of passing records on."""
    return step.decided_by is not None or step.name in PROOFS


def _left_out(plan: Plan, states: Mapping[str, StepState], work: Path) -> None:
    """Gather what every step left out into `dropped/<step>.parquet` and `quarantine/<step>.parquet`."""
    kinds = ((".dropped.parquet", "dropped", DROPPED_SCHEMA), (".quarantine.parquet", "quarantine", QUARANTINE_SCHEMA))
    for name, state in states.items():
        for suffix, room, schema in kinds:
            files = [
                plan.store.file(name, state.keys[slot.name], suffix)
                for slot in state.slots
                if slot.name in state.keys and slot.report is not None and suffix in slot.report["files"]
            ]
            if files:
                _gather(files, work / room / f"{name}.parquet", schema)


def _gather(files: Sequence[Path], target: Path, schema: pa.Schema) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(target, schema, compression="zstd", compression_level=3) as writer:
        for file in files:
            with pq.ParquetFile(file) as part:
                for batch in part.iter_batches():
                    writer.write_batch(batch)
