"""What each command does: calls the rooms, hands results to the console."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpusforge import console
from corpusforge.errors import GateFailed, NeedsApproval, UsageError
from corpusforge.folders import builds_folder, cards_folder


def init(folder: Path, training: bool = False) -> None:
    """Make or complete a workspace, with `training` also for the demo of the trainer."""
    from corpusforge.schema import write_schemas
    from corpusforge.workspace import make_workspace

    written, left = make_workspace(folder, training)
    schemas = write_schemas(folder)
    rooms: dict[Path, int] = {}
    for path in [*written, *schemas]:
        rooms[path.parent] = rooms.get(path.parent, 0) + 1
    for room, n in sorted(rooms.items()):
        console.say(f"wrote {n} {'file' if n == 1 else 'files'} into {room}")
    if left:
        console.say(f"left {left} files as they are")
    recipe = folder / "recipes" / ("train-demo.yaml" if training else "demo.yaml")
    console.say(f"Next: corpusforge build {shlex.quote(str(recipe))}")


def check(recipe: Path, as_json: bool) -> None:
    """Check a recipe without reading data."""
    from corpusforge.recipe import read_recipe

    found = read_recipe(recipe)
    steps = [
        "ingest",
        *(use.name for use in found.curate),
        *(use.name for use in (*found.generate, *found.proofs)),
        "tokens",
        "mix",
    ]
    if as_json:
        console.data_json(
            {"recipe": found.name, "ok": True, "sources": [s.name for s in found.sources], "steps": steps}
        )
        return
    console.data(f"{found.name} is well-formed: {len(found.sources)} sources, {len(steps)} steps.")
    console.data("  " + " > ".join(steps))


def build(
    recipe: Path, builds: Path | None, workers: int | None, executor: str | None, as_json: bool, quiet: bool
) -> None:
    """Build a recipe. Raises GateFailed, after everything was written and said, where a gate does not hold."""
    from corpusforge.build import build as run_build
    from corpusforge.progress import Progress
    from corpusforge.recipe import Run, read_recipe

    found = read_recipe(recipe)
    written = found.spec.run
    if executor is not None and executor not in ("local", "slurm", "ray"):
        raise UsageError(f"no executor named {executor!r}.", hint="Known: local, slurm, ray.")
    chosen = {"executor": executor or written.executor, "workers": workers or written.workers, "slurm": written.slurm}
    settings = Run.model_validate(chosen)
    built = run_build(found, builds_folder(builds, recipe), Progress(quiet or as_json), settings)
    headline = _headline(built.folder, built.manifest)
    headline["seconds"] = round(built.seconds, 2)
    headline["reused"] = built.reused
    if as_json:
        console.data_json(headline)
    else:
        _print_headline(headline)
    if failed := [name for name, passed in headline["gates"].items() if not passed]:
        what = f"built, but {len(failed)} of {len(headline['gates'])} gates do not hold: {', '.join(failed)}."
        hint = "Read the card; mend the recipe or its sources, or approve with a written waiver."
        raise GateFailed(what, where=found.name, hint=hint)


def _headline(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a build that answer: what came in, what is left, what is in the mix, may it be signed?"""
    from corpusforge.yields import silence

    steps = [step for step in manifest["steps"] if not step["makes"]]
    read = sum(c["read"] for c in steps[0]["counts"].values())
    lost = sum(sum(c["dropped"].values()) for step in steps for c in step["counts"].values())
    bad = sum(sum(c["quarantined"].values()) for step in steps for c in step["counts"].values())
    outputs = {
        name: {"rows": output["rows"], "tokens": output["got_tokens"]} for name, output in manifest["mix"].items()
    }
    packed = manifest.get("packed", {})
    preference = manifest.get("preference")
    sequences = {
        name: {"length": packed["length"], **{key: one[key] for key in ("sequences", "efficiency")}}
        for name, one in packed.get("outputs", {}).items()
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
        **({"packed": sequences} if sequences else {}),
        **({"preference": preference["pairs"]} if preference else {}),
        "eval": {k: v for k, v in manifest["eval"].items() if k != "files"},
        "gates": {gate["name"]: gate["passed"] for gate in manifest["gates"]},
        "gate_details": {gate["name"]: gate["detail"] for gate in manifest["gates"]},
        "silent_tasks": silence(manifest),
    }


def _print_headline(headline: Mapping[str, Any]) -> None:
    verb = "is unchanged" if headline["reused"] else "is built"
    took = console.duration(headline["seconds"])
    console.data(f"{headline['recipe']} {verb}: build {headline['build']}, {took}")
    read, dropped, bad = headline["records_read"], headline["dropped"], headline["quarantined"]
    console.data(f"  records    {read:,} read, {dropped:,} dropped, {bad:,} quarantined")
    for name, output in headline["mix"].items():
        console.data(f"  {name:<10} {output['rows']:,} rows, {output['tokens']:,} tokens")
    for name, output in headline.get("packed", {}).items():
        filled = f"{output['efficiency']:.2%} filled"
        console.data(f"  packed     {name}: {output['sequences']:,} sequences of {output['length']:,}, {filled}")
    if "preference" in headline:
        console.data(f"  preference {headline['preference']:,} pairs")
    failed = [name for name, passed in headline["gates"].items() if not passed]
    console.data(f"  gates      {'all hold' if not failed else 'do not hold:'}")
    for name in failed:
        console.data(f"    {name}: {headline['gate_details'][name]}")
    for told in headline["silent_tasks"]:
        console.data(f"  WARNING    {told}")
    console.data(f"  card       {headline['card']}")


def find_build(name: str, builds: Path | None) -> Path:
    """A build's folder from a path, a recipe's name (its latest build) or the beginning of a build's id.

    Raises UsageError where there is none, or more than one.
    """
    from corpusforge.yaml_file import did_you_mean

    room = builds_folder(builds)
    for path in (Path(name), room / name):
        if (path / "manifest.json").is_file():
            return path
        latest = path / "latest"
        if latest.is_file():
            return path / latest.read_text().strip()
    known = [path.parent for path in sorted(room.glob("*/*/manifest.json"))]
    found = [path for path in known if name and path.name.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        hint = f"Say which: {', '.join(str(path) for path in found)}."
        raise UsageError(f"{len(found)} builds are called {name!r}.", where=str(room), hint=hint)
    recipes = {path.parent.name for path in known}
    hint = did_you_mean(name, recipes) or "None is finished; corpusforge build RECIPE makes one."
    raise UsageError(f"no build {name!r}.", where=str(room), hint=hint)


def show(name: str, builds: Path | None, step: str | None, near: bool, as_json: bool) -> None:
    """Print a build's counts; without a step also its mix and gates."""
    from corpusforge import counts
    from corpusforge.manifest import read_manifest
    from corpusforge.yaml_file import did_you_mean

    folder = find_build(name, builds)
    manifest = read_manifest(folder)
    steps = [s for s in manifest["steps"] if step in (None, s["name"])]
    if step is not None and not steps:
        raise UsageError(
            f"no step {step!r} in this build.",
            where=str(folder),
            hint=did_you_mean(step, [s["name"] for s in manifest["steps"]]),
        )
    samples = [{"step": s["name"], **sample} for s in steps for sample in s["near"]]
    if as_json and near:
        console.data_json({"near": samples})
    elif as_json:
        shown = {key: manifest[key] for key in ("name", "build", "mix", "eval", "gates")}
        told = [{"step": s["name"], "counts": s["counts"], "counted": s["counted"]} for s in steps]
        console.data_json({**shown, "steps": told})
    elif near:
        console.table(counts.NEAR, counts.near(samples), right=(4, 5))
    else:
        console.data(f"{manifest['name']}, build {manifest['build']} in {folder}\n")
        console.table(counts.STEPS, counts.steps(manifest, step), right=(2, 3, 4, 5, 6), skip_empty=True)
        console.table(counts.TASKS, counts.tasks(manifest, step), right=(2, 3, 4, 5), skip_empty=True)
        if step is None:
            console.table(counts.MIX, counts.mix(manifest), right=(2, 3, 4, 5, 6), skip_empty=True)
            console.table(counts.GATES, counts.gates(manifest), right=(2, 3), skip_empty=True)


def trace(record: str, name: str, builds: Path | None, as_json: bool) -> None:
    """Print the life of one record."""
    from corpusforge import story
    from corpusforge.manifest import read_manifest
    from corpusforge.trace import roots
    from corpusforge.trace import trace as follow

    folder = find_build(name, builds)
    visits = follow(folder, read_manifest(folder), record)
    if as_json:
        rows = [{"step": v.step, "id": v.id, "shard": v.shard, "fate": v.fate, "detail": v.detail} for v in visits]
        origins = [{"id": v.id, **v.detail["origin"]} for v in roots(visits) if "origin" in v.detail]
        console.data_json({"record": record, "origins": origins, "visits": rows})
        return
    for sentence in story.origins(visits):
        console.data(sentence)
    console.table(("step", "record", "fate", "what"), story.lines(visits))


def diff(before: str, after: str, builds: Path | None, as_json: bool) -> None:
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


def card(name: str, builds: Path | None, cards: Path | None, as_json: bool) -> None:
    """Render a card again."""
    from corpusforge.card.approve import approval_state
    from corpusforge.card.write import write_card

    folder = find_build(name, builds)
    room = cards_folder(cards, folder)
    write_card(folder, room)
    state = str(approval_state(folder, room))
    if as_json:
        console.data_json({"card": str(folder / "card.html"), "approval": state})
    else:
        console.data(f"{folder / 'card.html'} (approval: {state})")


def approve(
    name: str, builds: Path | None, cards: Path | None, reviewer: str | None, yes: bool, waive: list[str]
) -> None:
    """Ask the reviewer's questions and write the approval. Prompts only on a terminal."""
    import datetime

    from corpusforge.card.approve import approve as sign
    from corpusforge.card.approve import build_card
    from corpusforge.card.questions import questions

    folder = find_build(name, builds)
    card = build_card(folder)
    waivers: dict[str, str] = {}
    blockers = {blocker.key: blocker.text for blocker in card.verdict.blockers}
    for text in waive:
        key, _, reason = text.partition("=")
        if not reason.strip():
            raise UsageError(f"--waive {text!r} gives no reason.", hint="Write --waive GATE='why it is acceptable'.")
        waivers[key.strip()] = reason
    who = reviewer or console.ask_text("Who signs?")
    asked = questions(card)
    # What cannot be signed is said before the questions are asked: answering eight in vain teaches to answer blindly.
    signable = bool(who.strip()) and not card.about.missing and waivers.keys() == blockers.keys()
    if signable and not yes:
        if not console.terminal():
            what = f"{len(asked)} questions wait for an answer, and nobody is at a terminal."
            raise NeedsApproval(what, where=str(folder), hint="Run it in a terminal; --yes answers them in rehearsals.")
        console.say(f"{folder / 'card.html'} is what you sign. Its questions, answered with y or n:")
    answers = {q.key: yes or (signable and console.ask(f"{q.text} {q.why}".strip())) for q in asked}
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    path = sign(folder, cards_folder(cards, folder), reviewer=who, date=date, answers=answers, waivers=waivers)
    console.data(f"approved: {path}")


def audit(
    name: str,
    builds: Path | None,
    recipe: Path | None,
    canaries: int | None,
    rate: float,
    sample: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Audit a build's pipeline. Raises GateFailed, after everything was said, where too much leaked."""
    from corpusforge.audit import telling
    from corpusforge.audit.battery import battery
    from corpusforge.build import audit_build
    from corpusforge.progress import Progress
    from corpusforge.recipe import find_recipe, read_recipe

    folder = find_build(name, builds)
    found = read_recipe(recipe or find_recipe(folder))
    n = len(battery()) if canaries is None else canaries
    result = audit_build(found, folder.parent.parent, folder.name, n, rate, sample, Progress(quiet or as_json))
    if as_json:
        console.data_json(result)
    else:
        console.data(f"{result['recipe']}, build {result['build']}: {telling.headline(result)}\n")
        for columns, rows, right in telling.tables(result):
            console.table(columns, rows, right=right, skip_empty=True)
        for line in telling.remarks(result):
            console.data(line)
    if (worse := telling.broken(result, found.spec.gates.canary_leak)) is not None:
        raise GateFailed(worse, where=found.name, hint=telling.REMEDY)


def list_(what: str, builds: Path | None, as_json: bool) -> None:
    """List what there is, or the settings of one stage or reader."""
    from corpusforge.listing import table

    columns, rows = table(what, builds_folder(builds))
    if as_json:
        console.data_json({what: [dict(zip(columns, row, strict=True)) for row in rows]})
    else:
        console.table(columns, rows)


def schema(write: bool, of: str) -> None:
    """Print or write the JSON Schemas."""
    from corpusforge.recipe import nearest_workspace
    from corpusforge.schema import recipe_schema, source_schema, write_schemas
    from corpusforge.yaml_file import shown_path

    if write:
        workspace = nearest_workspace(Path())
        if workspace is None:
            raise UsageError("no workspace here.", hint="corpusforge init DIR makes one, with its schemas.")
        for path in write_schemas(workspace):
            console.data(shown_path(path))
    elif of in ("recipe", "source"):
        console.data_json(recipe_schema() if of == "recipe" else source_schema())
    else:
        raise UsageError(f"no schema of {of!r}.", hint="Known: recipe, source.")


def fit_names(labelled: list[Path], out: Path, base: str, held_out: float, epochs: int, as_json: bool) -> None:
    """Train the name tagger and print what it masks of the text held out, beside its base."""
    from corpusforge.curate.redaction.ner.fit import fit_names as fit

    made = fit(labelled, out, base=base, held_out=held_out, epochs=epochs)
    if as_json:
        console.data_json(
            {
                "out": str(out),
                "trained": made.trained,
                "held_out": made.held_out,
                "base": made.base,
                "fitted": made.fitted,
            }
        )
        return
    console.table(
        ("held out", "label", "n", "before", "after", "95%"),
        [
            (
                figure,
                label,
                told["n"],
                _of(made.base[figure].get(label)),
                _of(told),
                f"{told['low']:.3f}-{told['high']:.3f}",
            )
            for figure in ("recall", "precision")
            for label, told in made.fitted[figure].items()
        ],
        right=(2, 3, 4, 5),
    )
    over = made.fitted["over_masked"]
    console.say(f"Words masked that are not labelled: {_of(made.base['over_masked'])} before, {_of(over)} after.")
    console.say(f"Trained on {made.trained} texts, measured on {made.held_out}. Use it with `ner: {out}` in `redact`.")


def _of(told: Mapping[str, Any] | None) -> str:
    return f"{told['share']:.3f}" if told and told["share"] is not None else "-"
