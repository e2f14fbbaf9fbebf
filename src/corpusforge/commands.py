"""What each command does: calls the rooms, hands results to the console."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpusforge import console
from corpusforge.errors import UsageError


def init(folder: Path) -> None:
    """Make or complete a workspace."""
    from corpusforge.schema import write_schemas
    from corpusforge.workspace import make_workspace

    written, left = make_workspace(folder)
    write_schemas(folder)
    for path in written:
        console.say(f"wrote {path}")
    if left:
        console.say(f"left {left} files as they are")
    recipe = folder / "recipes" / "demo.yaml"
    console.say(f"Next: corpusforge build {recipe}")


def check(recipe: Path, as_json: bool) -> None:
    """Check a recipe without reading data."""
    from corpusforge.recipe import read_recipe

    found = read_recipe(recipe)
    steps = ["ingest", *(use.name for use in found.curate), *(use.name for use in found.generate), "tokens", "mix"]
    if as_json:
        console.data_json(
            {"recipe": found.name, "ok": True, "sources": [s.name for s in found.sources], "steps": steps}
        )
        return
    console.data(f"{found.name} is well-formed: {len(found.sources)} sources, {len(steps)} steps.")
    console.data("  " + " > ".join(steps))


def plan(recipe: Path, builds: Path, as_json: bool) -> None:
    """Print what a build would do."""
    from corpusforge.build import make_recipe_plan
    from corpusforge.explain import explain
    from corpusforge.recipe import read_recipe

    made, walk = make_recipe_plan(read_recipe(recipe), builds)
    rows = explain(made, walk)
    if as_json:
        console.data_json({"recipe": made.recipe.name, "steps": rows})
        return
    console.table(
        ("step", "state", "shards", "run", "maybe", "why", "records", "est."),
        [
            (
                *(r[key] for key in ("step", "state", "shards", "run", "maybe", "why", "records")),
                None if r["seconds"] is None else console.duration(r["seconds"]),
            )
            for r in rows
        ],
        right=(2, 3, 4, 6, 7),
    )


def build(recipe: Path, builds: Path, workers: int | None, executor: str | None, as_json: bool, quiet: bool) -> None:
    """Build a recipe."""
    from corpusforge.build import build as run_build
    from corpusforge.recipe import Run, read_recipe

    written = read_recipe(recipe).spec.run
    if executor is not None and executor not in ("local", "slurm", "ray"):
        raise UsageError(f"no executor named {executor!r}.", hint="Known: local, slurm, ray.")
    chosen = {"executor": executor or written.executor, "workers": workers or written.workers, "slurm": written.slurm}
    built = run_build(recipe, builds, console.Progress(quiet or as_json), Run.model_validate(chosen))
    headline = _headline(built.folder, built.manifest)
    headline["seconds"] = round(built.seconds, 2)
    headline["reused"] = built.reused
    if as_json:
        console.data_json(headline)
    else:
        _print_headline(headline)


def _headline(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a build that answer: what came in, what is left, what is in the mix, may it be signed?"""
    steps = [step for step in manifest["steps"] if not step["makes"]]
    read = sum(c["read"] for c in steps[0]["counts"].values())
    lost = sum(sum(c["dropped"].values()) for step in steps for c in step["counts"].values())
    bad = sum(sum(c["quarantined"].values()) for step in steps for c in step["counts"].values())
    outputs = {
        name: {"rows": output["rows"], "tokens": output["got_tokens"]} for name, output in manifest["mix"].items()
    }
    return {
        "recipe": manifest["name"],
        "build": manifest["build"],
        "manifest": str(folder / "manifest.json"),
        "card": str(folder / "card.html"),
        "records_read": read,
        "dropped": lost,
        "quarantined": bad,
        "mix": outputs,
        "eval": {k: v for k, v in manifest["eval"].items() if k != "files"},
        "gates": {gate["name"]: gate["passed"] for gate in manifest["gates"]},
    }


def _print_headline(headline: Mapping[str, Any]) -> None:
    verb = "is unchanged" if headline["reused"] else "is built"
    took = console.duration(headline["seconds"])
    console.data(f"{headline['recipe']} {verb}: build {headline['build']}, {took}")
    read, dropped, bad = headline["records_read"], headline["dropped"], headline["quarantined"]
    console.data(f"  records  {read:,} read, {dropped:,} dropped, {bad:,} quarantined")
    for name, output in headline["mix"].items():
        console.data(f"  {name:<10} {output['rows']:,} rows, {output['tokens']:,} tokens")
    failed = [name for name, passed in headline["gates"].items() if not passed]
    console.data(f"  gates    {'all hold' if not failed else 'do not hold: ' + ', '.join(failed)}")
    console.data(f"  card     {headline['card']}")


def find_build(name: str, builds: Path) -> Path:
    """A build's folder from a path, a recipe's name (its latest build) or a build id. Raises UsageError otherwise."""
    for path in (Path(name), builds / name):
        if (path / "manifest.json").is_file():
            return path
        latest = path / "latest"
        if latest.is_file():
            return path / latest.read_text().strip()
    for manifest in sorted(builds.glob(f"*/{name}*/manifest.json")):
        return manifest.parent
    raise UsageError(f"no build {name!r}.", where=str(builds), hint="See corpusforge ls builds.")


def show(name: str, builds: Path, step: str | None, near: bool, as_json: bool) -> None:
    """Print a build's counts."""
    from corpusforge.manifest import read_manifest

    manifest = read_manifest(find_build(name, builds))
    steps = [s for s in manifest["steps"] if step in (None, s["name"])]
    if not steps:
        known = ", ".join(s["name"] for s in manifest["steps"])
        raise UsageError(f"no step {step!r} in this build.", hint=f"Known: {known}.")
    if near:
        _show_near(steps, as_json)
        return
    if as_json:
        console.data_json(
            {
                "name": manifest["name"],
                "build": manifest["build"],
                "steps": [{"step": s["name"], "counts": s["counts"], "counted": s["counted"]} for s in steps],
                "mix": manifest["mix"],
                "eval": manifest["eval"],
                "gates": manifest["gates"],
            }
        )
        return
    rows = [
        (s["name"], source, c["read"], c["kept"], c["added"], _sum(c["dropped"]), _sum(c["quarantined"]), _reasons(c))
        for s in steps
        for source, c in sorted(s["counts"].items())
    ]
    columns = ("step", "source", "read", "kept", "added", "dropped", "quarantined", "why")
    console.table(columns, rows, right=(2, 3, 4, 5, 6))


def _sum(reasons: Mapping[str, int]) -> int:
    return sum(reasons.values())


def _reasons(counts: Mapping[str, Any]) -> str:
    reasons = {**counts["dropped"], **counts["quarantined"]}
    return ", ".join(f"{n:,} {reason}" for reason, n in sorted(reasons.items(), key=lambda item: (-item[1], item[0])))


def _show_near(steps: list[dict[str, Any]], as_json: bool) -> None:
    samples = [{"step": s["name"], **sample} for s in steps for sample in s["near"]]
    if as_json:
        console.data_json({"near": samples})
        return
    console.table(
        ("step", "source", "reason", "score", "threshold", "record"),
        [
            (s["step"], s["source"], s["reason"], _short(s["score"]), _short(s["threshold"]), s["id"])
            for s in samples
            if s["score"] is not None
        ],
        right=(3, 4),
    )


def _short(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"


def trace(record: str, name: str, builds: Path, as_json: bool) -> None:
    """Print the life of one record."""
    from corpusforge.manifest import read_manifest
    from corpusforge.trace import trace as follow

    folder = find_build(name, builds)
    visits = follow(folder.parent, read_manifest(folder), record)
    if as_json:
        rows = [{"step": v.step, "id": v.id, "shard": v.shard, "fate": v.fate, "detail": v.detail} for v in visits]
        console.data_json({"record": record, "visits": rows})
        return
    first = visits[0]
    origin = first.detail.get("origin")
    if origin:
        console.data(f"{first.id} comes from {origin['file']}, {origin['unit']}s {origin['start']} to {origin['end']}")
    console.table(("step", "record", "shard", "fate"), [(v.step, v.id, v.shard, v.fate) for v in visits])


def diff(before: str, after: str, builds: Path, as_json: bool) -> None:
    """Print what changed between two builds."""
    from corpusforge.card.diff import diff as compare
    from corpusforge.card.diff import rows
    from corpusforge.card.facts import read_facts

    found = compare(read_facts(find_build(before, builds)), read_facts(find_build(after, builds)))
    if as_json:
        console.data_json(found.model_dump(mode="json"))
    elif found.changes:
        console.table(("where", "what", "before", "after"), rows(found))
    else:
        console.data("Nothing differs.")


def card(name: str, builds: Path, cards: Path, as_json: bool) -> None:
    """Render a card again."""
    from corpusforge.card.approve import approval_state
    from corpusforge.card.write import write_card

    folder = find_build(name, builds)
    write_card(folder, cards)
    state = str(approval_state(folder, cards))
    if as_json:
        console.data_json({"card": str(folder / "card.html"), "approval": state})
    else:
        console.data(f"{folder / 'card.html'} (approval: {state})")


def approve(name: str, builds: Path, cards: Path, reviewer: str | None, yes: bool, waive: list[str]) -> None:
    """Ask the reviewer's questions and write the approval. Prompts only on a terminal."""
    import datetime

    from corpusforge.card.approve import approve as sign
    from corpusforge.card.approve import build_card
    from corpusforge.card.questions import questions

    folder = find_build(name, builds)
    waivers: dict[str, str] = {}
    for text in waive:
        key, _, reason = text.partition("=")
        if not reason:
            raise UsageError(f"--waive {text!r} gives no reason.", hint="Write --waive GATE='why it is acceptable'.")
        waivers[key] = reason
    answers = {q.key: yes or console.ask(f"{q.text} {q.why}".strip()) for q in questions(build_card(folder))}
    who = reviewer or console.ask_text("Who signs?")
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    path = sign(folder, cards, reviewer=who, date=date, answers=answers, waivers=waivers)
    console.data(f"approved: {path}")


def list_(what: str, builds: Path, as_json: bool) -> None:
    """List what there is."""
    from corpusforge.listing import LISTS

    if what not in LISTS:
        raise UsageError(f"cannot list {what!r}.", hint=f"Known: {', '.join(LISTS)}.")
    columns, rows = LISTS[what](builds)
    if as_json:
        console.data_json({what: [dict(zip(columns, row, strict=True)) for row in rows]})
    else:
        console.table(columns, rows)


def schema(write: bool, of: str) -> None:
    """Print or write the JSON Schemas."""
    from corpusforge.schema import recipe_schema, source_schema, write_schemas

    if write:
        for path in write_schemas(Path()):
            console.data(str(path))
    elif of in ("recipe", "source"):
        console.data_json(recipe_schema() if of == "recipe" else source_schema())
    else:
        raise UsageError(f"no schema of {of!r}.", hint="Known: recipe, source.")
