"""Says why each step of a plan is reused or run, by comparing it with what the last build of the recipe was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from corpusforge.plan import Plan, StepState, Walk


def explain(plan: Plan, walk: Walk) -> list[dict[str, Any]]:
    """One row a step: state (reuse, run, maybe), why, shards, how many run, records and seconds of last time.

    `run` counts shards whose own input or stage changed; `maybe` those that wait for a decision over all shards, and
    are reused after all where it comes out the same for them.
    """
    last = _last_manifest(plan.root)
    before = {step["name"]: step for step in last.get("steps", [])}
    seconds = _last_seconds(plan.root)
    rows: list[dict[str, Any]] = []
    running: list[str] = []
    for name, state in walk.states.items():
        own = [slot for slot in state.slots if state.step is None or state.step.concerns(slot.source)]
        missing = [slot.name for slot in own if slot.shard is None]
        certain = sum(slot.certain for slot in own if slot.shard is None)
        old = before.get(name)
        known = {shard["name"]: shard["rows"] for shard in old["shards"]} if old else {}
        records = sum(slot.shard.rows if slot.shard else known.get(slot.name, 0) for slot in own)
        why = _why(plan, state, missing, old, running)
        if old is None or (state.step is not None and not _same(state.step.identity, old)):
            certain = len(missing)
        share = certain / len(own) if own else 0.0
        took = seconds.get(name)
        rows.append(
            {
                "step": name,
                "state": "run" if certain else "maybe" if missing else "reuse",
                "shards": len(own),
                "run": certain,
                "maybe": len(missing) - certain,
                "why": why,
                "records": records,
                "seconds": None if took is None or not missing else round(took * share, 2),
            }
        )
        if missing:
            running.append(name)
    return rows


def _same(identity: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    keys = ("stage", "version", "settings", "libraries", "resources")
    return all(identity.get(key) == old.get(key) for key in keys)


def _why(plan: Plan, state: StepState, missing: list[str], old: Mapping[str, Any] | None, running: list[str]) -> str:
    if not missing:
        return "nothing changed"
    if old is None:
        return "never built"
    if state.step is None:
        return _changed_files(plan, missing, old)
    new = state.step.identity
    if new["version"] != old["version"]:
        return f"version {old['version']} is now {new['version']}"
    settings = [
        key for key in {**new["settings"], **old["settings"]} if new["settings"].get(key) != old["settings"].get(key)
    ]
    if settings:
        return "setting " + ", ".join(sorted(settings)) + " changed"
    if new["libraries"] != old["libraries"]:
        moved = [name for name in new["libraries"] if new["libraries"][name] != old["libraries"].get(name)]
        return "library " + ", ".join(sorted(moved)) + " changed"
    if new["resources"] != old.get("resources", {}):
        return "a template or file of the stage changed"
    if running:
        return (
            f"input {running[-1]} changes ({len(missing)} at most)"
            if state.step.surveys
            else f"input {running[-1]} changes"
        )
    return "its results are gone"


def _changed_files(plan: Plan, missing: list[str], old: Mapping[str, Any]) -> str:
    known = {shard["name"]: set(shard.get("files", ())) for shard in old["shards"]}
    changed: list[str] = []
    for shard in plan.shards:
        if shard.name in missing:
            files = {f"{file.name}@{file.sha256[:12]}" for file in shard.files}
            changed += sorted(entry.rpartition("@")[0] for entry in files - known.get(shard.name, set()))
            gone = {e.rpartition("@")[0] for e in known.get(shard.name, set())} - {f.name for f in shard.files}
            changed += [f"{name} (gone)" for name in sorted(gone)]
    if not changed:
        return "the source's settings or reader changed"
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return "changed: " + ", ".join(changed[:3]) + more


def _last_manifest(root: Path) -> Mapping[str, Any]:
    try:
        latest = (root / "latest").read_text().strip()
        manifest: Mapping[str, Any] = orjson.loads((root / latest / "manifest.json").read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return manifest


def _last_seconds(root: Path) -> Mapping[str, float]:
    try:
        steps: Mapping[str, float] = orjson.loads((root / "last-run.json").read_bytes())["steps"]
    except (FileNotFoundError, orjson.JSONDecodeError, KeyError):
        return {}
    return steps
