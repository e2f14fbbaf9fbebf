"""An audit's result as tables and sentences for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

ALLOWED = 0.01
LEAKS_SHOWN = 60
Table = tuple[tuple[str, ...], list[tuple[Any, ...]], tuple[int, ...]]
REMEDY = "Read the leaks above; mend redact: in the recipe (entities, patterns, ner), or report the form."
_COLUMNS = ("planted", "masked", "leaked", "in part", "not tested", "recall", "95%")
_GROUPS = (("gated", "structured, as written"), ("disguised", "structured, disguised"), ("other", "names and the rest"))


def headline(result: Mapping[str, Any]) -> str:
    """One sentence: what was planted, what was found again."""
    everything = result["all"]
    return (
        f"{everything['planted']:,} invented values in {sum(result['records'].values()):,} records, "
        f"{result['forms']:,} forms: {everything['masked']:,} masked, {everything['leaked']:,} leaked, "
        f"{everything['in_part']:,} leaked in part, "
        f"{everything['not_tested']:,} not tested"
    )


def tables(result: Mapping[str, Any]) -> Iterator[Table]:
    """The result by group, kind, surface, position and language, the leaks, and the second detector's suspects."""
    right = (1, 2, 3, 4, 5, 6, 7)
    yield ("", *_COLUMNS), [_row(label, result[key]) for key, label in _GROUPS], right
    for group in ("kinds", "surfaces", "contexts", "positions", "languages"):
        yield (group[:-1], *_COLUMNS), [_row(name, one) for name, one in result[group].items()], right
    leaked: list[tuple[Any, ...]] = [
        (leak["form"], leak["value"], "" if leak["whole"] else "in part", leak["places"], _place(leak))
        for leak in result["leaks"][:LEAKS_SHOWN]
    ]
    yield ("leak", "invented value", "", "places", "such as"), leaked, (3,)
    look = result["second_look"]
    suspects = look["suspects"].items()
    counted: list[tuple[Any, ...]] = [
        (kind, f"{one['found']} of {look['records']}", percent(one["at_most"])) for kind, one in suspects
    ]
    yield ("second detector", "records", "at most (95%)"), counted, (1, 2)
    yield ("suspect", "source", "in context"), [_snippet(row) for row in look["suspect_snippets"]], ()
    yield ("placeholder", "source", "in context"), [_snippet(row) for row in look["masked_snippets"]], ()


def _snippet(row: Mapping[str, str]) -> tuple[str, str, str]:
    return row["kind"], row["source"], row["snippet"]


def _row(label: str, one: Mapping[str, Any]) -> tuple[Any, ...]:
    recall = "–" if one["recall"] is None else percent(one["recall"])
    between = "–" if one["recall"] is None else f"{percent(one['low'])} to {percent(one['high'])}"
    counts = (one[key] for key in ("planted", "masked", "leaked", "in_part", "not_tested"))
    return label, *counts, recall, between


def percent(x: float) -> str:
    """A share with one decimal; never rounded to all or nothing."""
    if 0 < x < 0.0005 or 0.9995 < x < 1:
        return f"{100 * x:.3f}%"
    return f"{100 * x:.1f}%"


def _place(leak: Mapping[str, Any]) -> str:
    first = leak["first"][0]
    return f"{first['file']}, {first['field']}"


def remarks(result: Mapping[str, Any]) -> Iterator[str]:
    """What was searched, where raw text lies by design, and what was not tested and why."""
    seen, before = result["searched"], result["before_redaction"]
    yield (
        f"Searched {seen['files']:,} files ({seen['strings']:,} strings, "
        f"{seen['tokens']:,} token ids), their names, the log, and temporary files."
    )
    yield (
        f"Before redaction the step store holds raw text by design: {before['files']:,} files, in which "
        f"{before['canaries_seen']:,} of the values were seen. They are not counted as leaks."
    )
    yield f"Rows of {result['in_mix_or_holdout']:,} planted values' records are in the mix or the hold-out."
    for reason, n in result["not_tested"].items():
        yield f"Not tested: {n:,}, {reason}."
    for reason, n in result["not_planted"].items():
        yield f"Not planted: {n:,}, {reason}."
    hidden = result["all"]["leaked"] + result["all"]["in_part"] - LEAKS_SHOWN
    if hidden > 0:
        yield f"{hidden:,} more leaks are in the answer to --json."


def broken(result: Mapping[str, Any], gate: Fraction | None) -> str | None:
    """What is wrong, if more of the tested structured values leaked than the gate allows, or none was tested.

    A piece of a value counts as much as the whole of it. A recipe without the gate is held to 1%.
    """
    allowed = ALLOWED if gate is None else float(gate)
    leaked = result["gated"]["leaked"] + result["gated"]["in_part"]
    tested = result["gated"]["masked"] + leaked
    if tested == 0:
        return "no planted value of a structured kind reached the end of the pipeline."
    if leaked <= allowed * tested:
        return None
    return f"{leaked} of {tested} structured values leaked ({percent(leaked / tested)}, allowed {percent(allowed)})."
