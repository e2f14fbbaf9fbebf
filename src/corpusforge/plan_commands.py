"""What `plan` and `generate` print: what a build would do and cost, and what its tasks make of a few records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusforge import console
from corpusforge.errors import InfeasibleMix, Problem, UsageError
from corpusforge.folders import builds_folder

if TYPE_CHECKING:
    from corpusforge.estimate import Estimate, Range
    from corpusforge.plan import Plan, Walk


def plan(recipe: Path, builds: Path | None, as_json: bool) -> None:
    """Print what a build would do."""
    from corpusforge.build import make_recipe_plan, unfinished
    from corpusforge.engine_key import missing_key
    from corpusforge.estimate import estimates
    from corpusforge.explain import explain
    from corpusforge.recipe import read_recipe
    from corpusforge.run import workers

    made, walk = make_recipe_plan(read_recipe(recipe), builds_folder(builds, recipe))
    left = unfinished(made, walk)
    problem = missing_key(made.recipe, left) or (None if left else _too_little(made, walk))
    if problem is not None:
        console.say(f"warning: {problem}")
    rows = explain(made, walk)
    asked = estimates(made, walk, workers(made.recipe.spec.run))
    if as_json:
        told = None if asked is None else [one.to_json() for one in asked]
        console.data_json({"recipe": made.recipe.name, "steps": rows, "model": told})
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
    _model(asked)


def _too_little(made: Plan, walk: Walk) -> Problem | None:
    """Why the counted records cannot meet the mix."""
    from corpusforge.assemble import final_shards
    from corpusforge.mix.stock import plan_outputs

    outputs = [tree for tree in (made.recipe.completion, made.recipe.instruct) if tree is not None]
    try:
        plan_outputs([shard.path for shard in final_shards(made, walk.states)], outputs, made.recipe.spec.seed)
    except InfeasibleMix as error:
        return error.problem
    return None


def _model(asked: Sequence[Estimate] | None) -> None:
    """What a model's tasks will ask for; the answer to a question that nobody should have to ask the invoice."""
    if asked is None:
        hint = "corpusforge generate RECIPE curates and shows a few rows; then plan can tell."
        console.say(f"what the model will be asked is not known before records are curated: {hint}")
    if not asked:
        return
    columns = ("task", "chunks", "rows", "calls", "tokens read", "tokens written", "time", "money", "answered")
    shown = [
        (
            one.task, *(_figure(r) for r in (one.chunks, one.rows, one.calls, one.prompt_tokens)),
            f"{_figure(one.completion_tokens)}{'' if one.measured else ' (a guess)'}",
            "unknown" if one.seconds is None else _figure(one.seconds, console.duration),
            "no price" if one.money is None else _figure(one.money, lambda value: f"{value:,.2f}"),
            f"{one.known:.0%}",
        )
        for one in asked
    ]  # fmt: skip
    console.data("")
    console.table(columns, shown, right=range(1, 9))
    if any(one.seconds is None for one in asked):
        console.say("time is unknown until this model has been asked something: corpusforge generate RECIPE does so")


def _figure(value: Range, show: Callable[[float], str] = lambda value: f"{value:,.0f}") -> str:
    middle, low, high = show(value.mid), show(value.low), show(value.high)
    return middle if low == high else f"{middle} ({low}–{high})"


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
