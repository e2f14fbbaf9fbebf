"""Says why each step of a plan is reused or run, by comparing it with what the last build of the recipe was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from corpusforge.assemble import build_id
from corpusforge.errors import UsageError
from corpusforge.manifest import read_manifest
from corpusforge.plan import Plan, Slot, StepState, Walk

_SHOWN = 3
_FACTS = ("kind", "role", "licence", "languages", "personal_data")
_NO_CHANGE = "nothing changed"


def explain(plan: Plan, walk: Walk) -> list[dict[str, Any]]:
    """One row a step: state (reuse, run, maybe), why, shards, how many run, records and seconds of last time.

    `run` counts shards whose own input or stage changed; `maybe` those that wait for a decision over all shards, and
    are reused after all where it comes out the same for them. The last row is the mix. `records` is None where no
    build has told it yet.
    """
    last = _last_manifest(plan.root)
    before = {step["name"]: step for step in last.get("steps", [])}
    seconds = last_seconds(plan.root)
    same_seed = plan.recipe.spec.seed == last.get("seed")
    rows: list[dict[str, Any]] = []
    running: list[str] = []
    for name, state in walk.states.items():
        own = [slot for slot in state.slots if state.step is None or state.step.concerns(slot.source)]
        missing = [slot for slot in own if slot.shard is None]
        old = before.get(name)
        certain = sum(slot.certain for slot in missing)
        if old is None or (state.step is not None and not (same_seed and _same(state.step.identity, old))):
            certain = len(missing)
        took = seconds.get(name)
        share = certain / len(own) if own else 0.0
        rows.append(
            {
                "step": name,
                "state": "run" if certain else "maybe" if missing else "reuse",
                "shards": len(own),
                "run": certain,
                "maybe": len(missing) - certain,
                "why": _Reason(plan, last, state, own, missing, running).why(),
                "records": _records(own, old),
                "seconds": None if took is None or not missing else round(took * share, 2),
            }
        )
        if missing:
            running.append(name)
    return [*rows, _mix(plan, walk, last, running)]


def _records(own: Sequence[Slot], old: Mapping[str, Any] | None) -> int | None:
    known = {shard["name"]: shard["rows"] for shard in old["shards"]} if old else {}
    told = [slot.shard.rows if slot.shard else known.get(slot.name) for slot in own]
    return sum(n for n in told if n is not None) if any(n is not None for n in told) else None


def _same(identity: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    keys = ("stage", "version", "settings", "libraries", "resources")
    return all(identity.get(key) == old.get(key) for key in keys)


class _Reason:
    """The first cause found for one step's work, from its own identity outwards to what it reads."""

    def __init__(
        self,
        plan: Plan,
        last: Mapping[str, Any],
        state: StepState,
        own: Sequence[Slot],
        missing: Sequence[Slot],
        running: Sequence[str],
    ) -> None:
        self.plan, self.last, self.state, self.own, self.missing, self.running = (
            plan,
            last,
            state,
            own,
            missing,
            running,
        )
        self.before = {step["name"]: step for step in last.get("steps", [])}

    def why(self) -> str:
        """A few words."""
        old = self.before.get(self.state.name)
        if old is None:
            return _NO_CHANGE if not self.missing else self._unbuilt()
        if self.state.step is None:
            return self._files(old)
        if not self.missing:
            return _NO_CHANGE
        known = {shard["key"] for shard in old["shards"]}
        if all(self.state.keys.get(slot.name) in known for slot in self.missing):
            return "its results are gone"
        return next(self._causes(old), "its input changes")

    def _unbuilt(self) -> str:
        begun = any(slot.shard is not None for slot in self.own)
        return "was interrupted" if begun else "new step" if self.last else "never built"

    def _causes(self, old: Mapping[str, Any]) -> Iterator[str]:
        step = self.state.step
        assert step is not None
        yield from _changed_identity(step.identity, old)
        new, then = self.plan.recipe.spec.seed, self.last["seed"]
        if new != then:
            yield f"seed {then} is now {new}"
        added = {slot.source for slot in self.missing} - {shard["source"] for shard in old["shards"]}
        if added and not self.running:
            yield f"now also for {_some(sorted(added))}"
        names = list(self.before)
        gone = [name for name in names[: names.index(step.name)] if name not in self._names()]
        if gone:
            yield f"{_some(gone)} left out before it"
        if moving := [name for name in step.inputs if name in self.running]:
            yield f"input {moving[0]} changes"
        yield from self._facts({slot.source for slot in self.missing})
        if lost := _lost_files(self.plan, self.before["ingest"]):
            yield f"gone: {_some(lost)}"

    def _names(self) -> list[str]:
        return ["ingest", *(step.name for step in self.plan.steps)]

    def _facts(self, sources: set[str]) -> Iterator[str]:
        """What a source's YAML says now and did not say then, for the keys that the manifest holds."""
        then = {source["name"]: source for source in self.last.get("sources", [])}
        for source in self.plan.recipe.sources:
            if source.name in sources and source.name in then:
                spec = source.spec
                now = {key: getattr(spec, key) for key in _FACTS if key != "role"} | {"role": source.role}
                moved = [key for key in _FACTS if _plain(now[key]) != then[source.name][key]]
                if moved:
                    yield f"{source.name}: {', '.join(moved)} changed"

    def _files(self, old: Mapping[str, Any]) -> str:
        """What became of the raw files, source by source."""
        known = _files_of(old)
        missing = {slot.name for slot in self.missing}
        said: list[str] = []
        for source in self.plan.recipe.sources:
            shards = [shard for shard in self.plan.shards if shard.source == source.name]
            if source.name not in known:
                said.append(f"new source {source.name}")
                continue
            now = {file.name: file.sha256[:12] for shard in shards for file in shard.files}
            then = known[source.name]
            changed = sorted(name for name in now if name in then and now[name] != then[name])
            new = sorted(now.keys() - then.keys())
            gone = sorted(then.keys() - now.keys())
            words = [(changed, "changed"), (new, "new"), (gone, "gone")]
            said += [f"{word}: {_some(files)}" for files, word in words if files]
            if not (changed or new or gone) and any(shard.name in missing for shard in shards):
                said += list(self._facts({source.name})) or [self._unread(source.name, shards, old)]
        said += [
            f"source {name} left out" for name in sorted(known.keys() - {s.name for s in self.plan.recipe.sources})
        ]
        return "; ".join(said) or _NO_CHANGE

    def _unread(self, source: str, shards: Sequence[Any], old: Mapping[str, Any]) -> str:
        keys = {shard["key"] for shard in old["shards"]}
        if all(self.state.keys[shard.name] in keys for shard in shards):
            return "its results are gone"
        return f"{source}: its format, reader or shards changed"


def _changed_identity(new: Mapping[str, Any], old: Mapping[str, Any]) -> Iterator[str]:
    if new["stage"] != old["stage"]:
        yield f"stage {old['stage']} is now {new['stage']}"
    if new["version"] != old["version"]:
        yield f"version {old['version']} is now {new['version']}"
    if moved := _moved(new["settings"], old["settings"]):
        yield "setting " + _some([_value(key, old["settings"].get(key), new["settings"].get(key)) for key in moved])
    if moved := _moved(new["libraries"], old["libraries"]):
        libraries = [f"{key} {old['libraries'].get(key)} is now {new['libraries'].get(key)}" for key in moved]
        yield "library " + _some(libraries)
    if moved := _moved(new["resources"], old.get("resources", {})):
        yield f"file {_some(moved)} of the stage changed"


def _moved(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in {**new, **old} if new.get(key) != old.get(key))


def _value(key: str, old: Any, new: Any) -> str:
    """A setting's change, with both values where they are short: a file's content hash says nothing."""
    shown = [str(value) for value in (old, new)]
    return f"{key} changed" if any(len(text) > 20 for text in shown) else f"{key} {shown[0]} is now {shown[1]}"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _files_of(ingest: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """For each source, its files and the beginnings of their sha256, as a manifest has them."""
    found: dict[str, dict[str, str]] = {}
    for shard in ingest["shards"]:
        for entry in shard["files"]:
            name, _, digest = entry.rpartition("@")
            found.setdefault(shard["source"], {})[name] = digest
    return found


def _lost_files(plan: Plan, ingest: Mapping[str, Any]) -> list[str]:
    now = {(shard.source, file.name) for shard in plan.shards for file in shard.files}
    then = {(source, name) for source, files in _files_of(ingest).items() for name in files}
    return sorted(name for _, name in then - now)


def _mix(plan: Plan, walk: Walk, last: Mapping[str, Any], running: Sequence[str]) -> dict[str, Any]:
    """The row of what comes after the steps: mix, hold-out, card. It is done as a whole, or there already."""
    spec = plan.recipe.spec.model_dump(mode="json")
    spec["gates"] = plan.recipe.spec.gates.shown()
    row = {"step": "mix", "state": "run", "shards": 1, "run": 1, "maybe": 0, "records": None, "seconds": None}
    if running:
        state = {"state": "maybe", "run": 0, "maybe": 1}
        return {**row, **state, "why": f"input {running[-1]} changes"} if last else {**row, "why": "never built"}
    folder = plan.root / build_id(plan, walk.states)
    if (folder / "manifest.json").exists():
        same = last.get("build") == folder.name
        return {**row, "state": "reuse", "run": 0, "why": _NO_CHANGE if same else f"built before as {folder.name}"}
    if not last:
        return {**row, "why": "never built"}
    then = last["recipe"]
    moved = [key for key in ("mix", "seed", "gates", "audit", "about", "sources") if spec[key] != then.get(key)]
    if "mix" in moved:
        return {**row, "why": "; ".join(_tree_changes(then["mix"], spec["mix"], "mix")) or "mix changed"}
    return {**row, "why": f"{_some(moved)} changed" if moved else "its input changes"}


def _tree_changes(old: Any, new: Any, at: str) -> Iterator[str]:
    """Each line of the mix that is another now: `completion.domain.share 2% is now 3%`."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({**old, **new}):
            yield from _tree_changes(old.get(key), new.get(key), f"{at}.{key}".removeprefix("mix."))
    elif old != new:
        yield f"{at} {old if old is not None else 'absent'} is now {new if new is not None else 'absent'}"


def _last_manifest(root: Path) -> Mapping[str, Any]:
    try:
        return read_manifest(root / (root / "latest").read_text().strip())
    except (FileNotFoundError, UsageError):
        return {}  # never built, or by a version that wrote other manifests


def last_seconds(root: Path) -> Mapping[str, float]:
    """The processor seconds of each step when its shards were last made; empty where no build has said."""
    try:
        steps: Mapping[str, float] = orjson.loads((root / "last-run.json").read_bytes())["steps"]
    except (FileNotFoundError, orjson.JSONDecodeError, KeyError):
        return {}
    return steps
