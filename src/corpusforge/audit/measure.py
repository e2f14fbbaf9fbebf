"""The audit from end to end: sample, plant, run the pipeline in a shadow, search all it wrote, count, and clean up."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from corpusforge import __version__
from corpusforge.audit import battery
from corpusforge.audit.battery import chosen
from corpusforge.audit.contents import Decode, Opened, decoder
from corpusforge.audit.hosts import choose_hosts
from corpusforge.audit.plant import Planted, plant
from corpusforge.audit.score import IN_PART, LEAKED, MASKED, NOT_TESTED, Fate, by, leaks, reasons, tally
from corpusforge.audit.search import Find, Search
from corpusforge.audit.shadow import RAW, Builder, Made, Shadow, make_shadow
from corpusforge.errors import CorpusforgeError, StepFailed
from corpusforge.manifest import fingerprint
from corpusforge.plan import Plan, StepState, make_plan
from corpusforge.shards import write_json

VERSION = 3
AUDITS = "audits"
LEAKS_NAMED = 2000
GONE, QUARANTINED = "gone before redaction", "quarantined"


def measure(
    plan: Plan,
    states: Mapping[str, StepState],
    builder: Builder,
    canaries: int,
    rate: float = 1.0,
    gated: int = 0,
) -> dict[str, Any]:
    """What became of `canaries` planted values; `rate` of them to a record of the sample.

    There are more where fewer than `gated` of them would count against the gate.

    `plan` and `states` are of a build whose steps are all there; `builder` runs the pipeline for the shadow. The result
    is kept below the recipe's builds under the hash of everything it follows from. The shadow is deleted in any case.
    """
    recipe = plan.recipe
    seed = recipe.spec.seed
    forms = chosen(canaries, seed, gated)
    each = max(1, -(-2 * len(forms) // max(1, len(recipe.sources))))
    facts = {source.name: source.facts() for source in recipe.sources}
    planted = plant(forms, choose_hosts(plan, states, each), facts, seed, rate)
    # The name is one that a build sweeps away, should this process be killed.
    root = plan.root.absolute() / f".audit-{uuid.uuid4().hex[:12]}.tmp"
    root.mkdir(parents=True, mode=0o700)
    try:
        shadow = make_shadow(recipe, planted.hosts, root)
        key = _key(shadow, (canaries, gated), rate)
        path = plan.root / AUDITS / f"{key}.json"
        if (known := _known(path)) is not None:
            return known
        found = _audited(shadow, _run(shadow, builder), planted)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    result = {"key": key, "rate": rate, **found}
    write_json(path, result)
    # Read back, so that the first time and every later one give the same value.
    return _known(path) or result


def _run(shadow: Shadow, builder: Builder) -> Made:
    try:
        return shadow.run(builder)
    except CorpusforgeError as error:
        # The folder has another name each time.
        what, where = (text.replace(f"{shadow.root}/", "") for text in (error.problem.what, error.problem.where))
        what = f"the pipeline fails on the audit's sample: {what}"
        raise StepFailed(what, where=f"audit: {where}" if where else "audit", hint=error.problem.hint) from None


def _known(path: Path) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = orjson.loads(path.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    return value


def _key(shadow: Shadow, canaries: tuple[int, int], rate: float) -> str:
    """The address of the result: the planted bytes, every stage's identity, the mix, and this audit's version."""
    plan = make_plan(shadow.recipe, shadow.builds)
    trees = [tree.root.leaves() for tree in (shadow.recipe.completion, shadow.recipe.instruct) if tree is not None]
    steps = [[step.name, step.identity] for step in plan.steps]
    keys = sorted(plan.ingest_keys.items())
    return fingerprint([VERSION, battery.VERSION, __version__, canaries, rate, steps, keys, trees, plan.recipe.name])


def _audited(shadow: Shadow, made: Made, planted: Planted) -> dict[str, Any]:
    decode = decoder(shadow.recipe.tokenizer())
    before, after = _sides(shadow, made)
    opened, opened_before = Opened(), Opened()
    finds = list(Search(planted.canaries, planted.carrier).files(shadow.root, after, decode, opened))
    read = _read_by_redaction(shadow, made)
    present = _present(shadow, planted, before, decode, opened_before, read)
    reached = _reached(made, shadow)
    lost = _lost(shadow, made)
    fates = _fates(planted, finds, present, reached - lost, _dropped(made))
    outputs = _in_outputs(made)
    gated = [fate for fate in fates if fate.canary.form.gated]
    structured = [fate for fate in fates if fate.canary.form.structured]
    leaked = leaks(fates, LEAKS_NAMED)
    return {
        "forms": len({canary.form.label for canary in planted.canaries.values()}),
        "records": {source: len(room) for source, room in sorted(planted.hosts.items())},
        "all": tally(fates).to_json(),
        "gated": tally(gated).to_json(),
        "structured": tally(structured).to_json(),
        "disguised": tally([fate for fate in structured if fate.canary.form.disguised]).to_json(),
        "other": tally([fate for fate in fates if not fate.canary.form.structured]).to_json(),
        "kinds": by(fates, lambda canary: canary.form.kind),
        "surfaces": by(fates, lambda canary: canary.form.surface),
        "contexts": by(fates, lambda canary: canary.form.context),
        "positions": by(fates, lambda canary: canary.form.position),
        "languages": by(fates, lambda canary: canary.form.language),
        "leaks": leaked,
        "not_tested": reasons(fates),
        "not_planted": dict(sorted(planted.left_out.items())),
        "in_mix_or_holdout": sum(planted.carrier[fate.canary.number] in outputs for fate in fates),
        "searched": opened.to_json(),
        "before_redaction": {**opened_before.to_json(), "canaries_seen": len(present)},
    }


def _sides(shadow: Shadow, made: Made) -> tuple[list[Path], list[Path]]:
    """Files that may hold raw text (steps up to redaction's input, and what redaction surveys of it), and all others.

    The planted raw files themselves are neither: they are the input.
    """
    names = [step["name"] for step in made.manifest["steps"]]
    redact = next(step for step in made.manifest["steps"] if step["stage"] == "redact")
    steps = shadow.builds / shadow.recipe.name / "steps"
    raw = {steps / name for name in names[: names.index(redact["name"])]}
    own = {shard["key"] for shard in redact["shards"]}
    before: list[Path] = []
    after: list[Path] = []
    for path in sorted(path for path in shadow.root.rglob("*") if path.is_file()):
        if path.is_relative_to(shadow.root / RAW):
            continue
        surveyed = path.parent == steps / redact["name"] and path.name.partition(".")[0] not in own
        (before if path.parent in raw or surveyed else after).append(path)
    return before, after


def _read_by_redaction(shadow: Shadow, made: Made) -> set[str]:
    """The files that redaction read, relative to the shadow: each source's shards of the last step ahead of it."""
    last: dict[str, set[str]] = {}
    for step in made.manifest["steps"]:
        if step["stage"] == "redact":
            break
        folder = shadow.builds / shadow.recipe.name / "steps" / step["name"]
        own: dict[str, set[str]] = {}
        for shard in step["shards"]:
            path = folder / f"{shard['key']}.parquet"
            own.setdefault(shard["source"], set()).add(path.relative_to(shadow.root).as_posix())
        last.update(own)
    return set().union(*last.values())


def _present(
    shadow: Shadow, planted: Planted, before: Sequence[Path], decode: Decode, opened: Opened, read: set[str]
) -> set[int]:
    """Canaries that stood whole in what redaction read: only of those can it be said that they were masked."""
    whole = {n: replace(canary, anywhere=canary.whole, own=()) for n, canary in planted.canaries.items()}
    found: dict[int, set[str]] = {}
    for find in Search(whole, planted.carrier).files(shadow.root, before, decode, opened):
        if find.file in read:
            found.setdefault(find.canary, set()).add(find.needle)
    return {n for n, needles in found.items() if needles.issuperset(planted.canaries[n].whole)}


def _reached(made: Made, shadow: Shadow) -> set[str]:
    """Records that came to the pipeline's last step, whole or in pieces."""
    return _ids(_shards(made, shadow, "tokens"))


def _lost(shadow: Shadow, made: Made) -> set[str]:
    """Records of which a piece was left out after redaction: the value may have stood in that one."""
    kept: set[str] = set()
    for identity in _own_ids(_shards(made, shadow, "tokens")):
        kept.update("#".join(identity.split("#")[: n + 1]) for n in range(identity.count("#") + 1))
    names = [step["name"] for step in made.manifest["steps"] if not step["makes"]]
    redact = next(step["name"] for step in made.manifest["steps"] if step["stage"] == "redact")
    after = (path for name in names[names.index(redact) :] for path in _shards(made, shadow, name))
    return {piece.partition("#")[0] for piece in _own_ids(after) if piece not in kept}


def _shards(made: Made, shadow: Shadow, name: str) -> list[Path]:
    step = next(step for step in made.manifest["steps"] if step["name"] == name)
    folder = shadow.builds / shadow.recipe.name / "steps" / name
    return [folder / f"{shard['key']}.parquet" for shard in step["shards"]]


def _own_ids(paths: Iterable[Path]) -> set[str]:
    return {identity for path in paths for identity in pq.read_table(path, columns=["id"])["id"].to_pylist()}


def _in_outputs(made: Made) -> set[str]:
    """Records with a row in the mix or the hold-out, their own or one that was made from them."""
    return _ids(path for room in ("completion", "instruct", "eval") for path in (made.folder / room).rglob("*.parquet"))


def _ids(paths: Iterable[Path]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        columns = [name for name in ("id", "parents") if name in pq.read_schema(path).names]
        for row in pq.read_table(path, columns=columns).to_pylist():
            found.update(name.partition("#")[0] for name in (row.get("id"), *(row.get("parents") or ())) if name)
    return found


def _dropped(made: Made) -> dict[str, str]:
    """For each record that a step left out, whole or a piece of it, the step and its reason."""
    found: dict[str, str] = {}
    names = [step["name"] for step in made.manifest["steps"] if not step["makes"]]
    for path in (made.folder / "dropped" / f"{name}.parquet" for name in names):
        if not path.is_file():
            continue
        for row in pq.read_table(path, columns=["id", "reason"]).to_pylist():
            found.setdefault(row["id"].partition("#")[0], f"dropped by {path.stem}: {row['reason']}")
    return found


def _fates(
    planted: Planted, finds: Sequence[Find], present: set[int], reached: set[str], dropped: Mapping[str, str]
) -> list[Fate]:
    """Masked is a value that redaction read whole, in a record of which nothing was left out after it (`reached`), and
    of which no piece that is searched for is anywhere.
    """
    places: dict[int, list[Find]] = {}
    for find in finds:
        places.setdefault(find.canary, []).append(find)
    fates = []
    for number, canary in sorted(planted.canaries.items()):
        record = planted.carrier[number]
        if number in places:
            whole = {find.needle for find in places[number]}.issuperset(canary.whole)
            fates.append(Fate(canary, LEAKED if whole else IN_PART, "", tuple(places[number])))
        elif number not in present:
            fates.append(Fate(canary, NOT_TESTED, GONE))
        elif record not in reached:
            fates.append(Fate(canary, NOT_TESTED, dropped.get(record, QUARANTINED)))
        else:
            fates.append(Fate(canary, MASKED))
    return fates
