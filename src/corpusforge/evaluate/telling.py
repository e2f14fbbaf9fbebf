"""An evaluation's report in words: tables for the console and a Markdown page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Table = tuple[tuple[str, ...], list[tuple[Any, ...]], tuple[int, ...]]


def tables(report: Mapping[str, Any]) -> list[Table]:
    """Tables with the columns to align right: figures, differences, and the judge's pairs."""
    made: list[Table] = [_figures(report)]
    if any("difference" in task for task in report["tasks"]):
        made.append(_differences(report))
    if report["pairs"]:
        made.append(_pairs(report["pairs"]))
    return made


def _figures(report: Mapping[str, Any]) -> Table:
    names = list(report["models"])
    columns = ("task", "metric", "items", *(f"{name} [95%]" for name in names), "guesser", "majority", "choices only")
    rows: list[tuple[Any, ...]] = []
    for task in report["tasks"]:
        for metric in task["models"][names[0]]["metrics"]:
            told = [task["models"][name]["metrics"].get(metric) for name in names]
            figures = [None if one is None else _interval(one) for one in told]
            baselines = task["baselines"]
            beside = [_number(baselines.get(key, {}).get(metric)) for key in ("random", "majority", "choices_only")]
            rows.append((task["task"], metric, task["items"], *figures, *beside))
    return columns, rows, tuple(range(2, len(columns)))


def _differences(report: Mapping[str, Any]) -> Table:
    rows = [
        (
            task["task"],
            metric,
            _interval(told, signed=True),
            told.get("only_first"),
            told.get("only_second"),
            told.get("mcnemar_p"),
        )
        for task in report["tasks"]
        for metric, told in task.get("difference", {}).items()
    ]
    return ("task", "metric", "A - B [95%]", "only A right", "only B right", "McNemar p"), rows, (2, 3, 4, 5)


def _pairs(pairs: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        (
            one["task"],
            one["outcomes"].get("first", 0),
            one["outcomes"].get("second", 0),
            one["outcomes"].get("tie", 0),
            one["outcomes"].get("flipped", 0),
            _number(one["flip_rate"]),
            _number(one["longer_share"]),
            _number(one["sign_p"]),
        )
        for one in pairs
    ]
    return (
        ("judged pairs", "A better", "B better", "tie", "flipped", "flip rate", "longer won", "sign test p"),
        rows,
        (1, 2, 3, 4, 5, 6, 7),
    )


def remarks(report: Mapping[str, Any]) -> list[str]:
    """What a reader must know before he believes the figures, a sentence each."""
    said: list[str] = []
    for task in report["tasks"]:
        for name, told in task["models"].items():
            if told["troubles"]:
                kinds = ", ".join(f"{n} {kind}" for kind, n in told["troubles"].items())
                said.append(f"{task['task']}: of {name}'s {task['items']} answers {kinds}; {_counts(task['kind'])}.")
    for name, one in (*report["models"].items(), *((("judge", report["judge"]["model"]),) if report["judge"] else ())):
        if one["address"]:
            who = "The judge" if name == "judge" else f"Model {name}"
            said.append(f"{who} has no revision: one trained anew at the same address gets its earlier answers.")
    for name, n in report["own_questions"].items():
        said.append(f"{n} of the questions were written by model {name} itself, which favours it.")
    if report["limit"] is not None:
        said.append(f"At most {report['limit']} items of each task were asked.")
    judge = report["judge"]
    if judge:
        said.append(_calibration(judge["calibration"]))
        if judge["troubles"]:
            kinds = ", ".join(f"{n} {kind}" for kind, n in judge["troubles"].items())
            said.append(f"No verdict: {kinds}; these answers count as wrong.")
        if judge["judges_itself"]:
            said.append(
                f"The judge is model {' and '.join(judge['judges_itself'])} itself: models prefer their own words."
            )
    if any(task["kind"] == "text" for task in report["tasks"]):
        said.append("Bits per byte lack each window's first token, and so lie a little below the harness's.")
    for one in report["not_run"]:
        said.append(f"{one['task']} was not run: it {one['why']}.")
    return said


def markdown(report: Mapping[str, Any]) -> str:
    """The report as a page."""
    lines = [f"# Evaluation of {report['recipe']}, build {report['build']}", ""]
    lines += [f"- model {name}: {_model(told)}" for name, told in report["models"].items()]
    if report["judge"]:
        judge = report["judge"]
        lines.append(
            f"- judge: {_model(judge['model'])}, prompt `{judge['prompt']}` (sha256 `{judge['prompt_sha256']}`)"
        )
    lines += [f"- benchmark seal: `{report['seal']}`", f"- options in every order: {_yes(report['rotations'])}", ""]
    for columns, rows, right in tables(report):
        lines += _table(columns, rows, right)
    lines += [f"- {sentence}" for sentence in remarks(report)]
    lines += [
        "",
        "Intervals are 95%: bootstrap over documents, Wilson where every item came out alike. Differences are paired",
        "over the same items. Who sees nothing gets what stands under guesser; who sees the options alone, what stands",
        "under choices only.",
        "",
    ]
    return "\n".join(lines)


def _calibration(told: Mapping[str, Any]) -> str:
    if told["state"] == "not calibrated":
        return "The judge is not calibrated: label calibration.csv by hand and give it with --labels."
    kappa = _interval(told["kappa"])
    text = f"The judge against {told['labels']} human labels: kappa {kappa}, wanted {told['gate']}: {told['state']}."
    errors = [f"{share:.0%} of those they call {label}" for label, share in told["errors"].items() if share is not None]
    text += f" It says something else of {', '.join(errors)}."
    if told["unjudged"]:
        text += f" {told['unjudged']} labels got no verdict, which counts as disagreement."
    if told["rejected"]:
        text += f" {told['rejected']} rows of the sheet were rejected: their texts were changed."
    return text


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]], right: Sequence[int]) -> list[str]:
    marks = ["---:" if place in right else "---" for place in range(len(columns))]
    body = ["| " + " | ".join("–" if cell is None else str(cell) for cell in row) + " |" for row in rows]
    return ["| " + " | ".join(columns) + " |", "|" + "|".join(marks) + "|", *body, ""]


def _interval(told: Mapping[str, float], signed: bool = False) -> str:
    sign = "+" if signed else ""
    return f"{told['value']:{sign}.3f} [{told['low']:{sign}.3f}, {told['high']:{sign}.3f}]"


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"


def _model(told: Mapping[str, Any]) -> str:
    which = told["revision"] or told["address"]
    return f"{told['name']} ({told['engine']}{', ' + which if which else ''})"


def _counts(kind: str) -> str:
    return "they are left out" if kind == "text" else "they count as wrong"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
