"""Finds fields in nested rows by path: `body`, `a.b.0.c`, `answers.*.text`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MISSING = object()
WHOLE = "."
# Lists in lists beyond this are broken exports; Python's own limit would end the build.
MAX_DEPTH = 16


def lookup(row: Any, path: str) -> Any:
    """The value at `path`, or MISSING. Numbers index lists, `*` takes every element (the result is then a list), and
    `.` is the row itself. A key that contains dots wins over nesting.
    """
    if path == WHOLE:
        return row
    if isinstance(row, Mapping) and path in row:
        return row[path]
    if "*" in path.split("."):
        return list(_all(row, path.split("."))) or MISSING
    value = row
    for step in path.split("."):
        value = _child(value, step)
        if value is MISSING:
            return MISSING
    return value


def _child(value: Any, step: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(step, MISSING)
    if isinstance(value, list) and step.isdigit() and int(step) < len(value):
        return value[int(step)]
    return MISSING


def _all(value: Any, steps: list[str]) -> Iterator[Any]:
    if not steps:
        yield value
        return
    if steps[0] == "*":
        children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
        for child in children:
            yield from _all(child, steps[1:])
        return
    child = _child(value, steps[0])
    if child is not MISSING:
        yield from _all(child, steps[1:])


def as_text(value: Any, depth: int = MAX_DEPTH) -> str | None:
    """A field as text: strings as they are, numbers and booleans in JSON's spelling, lists of these as paragraphs.

    None for what is missing, null, an object, or lists nested more than `depth` deep.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list) and depth:
        parts = [as_text(v, depth - 1) for v in value]
        return "\n\n".join(p for p in parts if p) if parts and None not in parts else None
    return None
