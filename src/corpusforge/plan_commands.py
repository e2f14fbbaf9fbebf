"""What `plan` and `generate` print: what a build would do and cost, and what its tasks make of a few records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from corpusforge import console
from corpusforge.errors import UsageError
from corpusforge.folders import builds_folder


def plan(recipe: Path, builds: Path | None, as_json: bool) -> None:
    """Print what a build would do."""
    from corpusforge.build import make_recipe_plan
    from corpusforge.explain import explain
    from corpusforge.recipe import read_recipe

    made, walk = make_recipe_plan(read_recipe(recipe), builds_folder(builds, recipe))
    rows = explain(made, walk)
    if as_json:
        console.data_json({"recipe": made.recipe.name, "steps": rows})
        return
    keys = ("step", "state", "shards", "run", "maybe", "records")
    console.table(
        (*keys, "est.", "why"),
        [
            (*(r[key] for key in keys), None if r["seconds"] is None else console.duration(r["seconds"]), r["why"])
            for r in rows
        ],
        right=(2, 3, 4, 5, 6),
    )
    known = [r["seconds"] for r in rows if r["seconds"] is not None]
    if known:
        console.say(f"about {console.duration(sum(known))} of processor time for what is certain to run")


def generate(recipe: Path, n: int, task: str | None, builds: Path | None, as_json: bool, quiet: bool) -> None:
    """Print what the tasks make of a few records."""
    from corpusforge.preview import preview
    from corpusforge.progress import Progress
    from corpusforge.recipe import read_recipe
    from corpusforge.yaml_file import did_you_mean

    found = read_recipe(recipe)
    tasks = [use.name for use in found.generate]
    if not tasks:
        what = "generates nothing."
        raise UsageError(what, where=str(recipe), hint="Add a task, such as generate: {qa: {}}.")
    if task is not None and task not in tasks:
        raise UsageError(f"no task {task!r} in this recipe.", where=str(recipe), hint=did_you_mean(task, tasks))
    entries = preview(found, builds_folder(builds, recipe), n, task, Progress(quiet or as_json))
    if as_json:
        console.data_json({"recipe": found.name, "preview": entries})
        return
    for line in _entries(entries):
        console.data(line)


def _entries(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for entry in entries:
        title = f" “{entry['title']}”" if entry["title"] else ""
        yield f"━━ {entry['task']}: {entry['record']}{title}"
        if entry["reason"] and not entry["rows"]:
            yield f"   nothing is written: {entry['reason']}\n"
            continue
        yield from _indented("passage", entry["passage"])
        for call in entry["exchanges"]:
            # What all prompts about a passage begin with is shown once, as the passage.
            task = call["prompt"].rpartition("</document>")[2].strip()
            yield from _indented(f"prompt {call['template']}", task)
            yield from _indented("answer", call["answer"])
        for row in entry["rows"]:
            yield from _row(row)
        for reason, n in entry["missing"].items():
            yield f"   ✖ {n} missing: {reason}"
        yield ""


def _row(row: Mapping[str, Any]) -> Iterator[str]:
    checked = f", the model's check says {row['verdict']}" if row["verdict"] else ""
    state = f"{'✔' if row['verify'] == 'kept' else '✖'} {row['template']}: verify says {row['verify']}{checked}"
    yield f"   {state}"
    for key in ("question", "answer"):
        if row.get(key):
            yield from _indented(key, str(row[key]), "     ")
    for at, option in enumerate(row.get("options", ())):
        mark = "right" if at == row["gold"] else "near" if at in row.get("near", ()) else "far"
        yield f"     {chr(ord('A') + at)}. {option} ({mark})"
    for quote in row["evidence"][:3]:
        yield from _indented("evidence", quote, "     ")


def _indented(name: str, text: str, margin: str = "   ") -> Iterator[str]:
    lines = text.splitlines() or [""]
    yield f"{margin}{name}: {lines[0]}"
    yield from (f"{margin}  {line}".rstrip() for line in lines[1:])
