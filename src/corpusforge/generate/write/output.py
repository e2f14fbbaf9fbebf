"""The two forms of a model's answer, JSON by a schema and tagged text, each with a parser that guesses nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

Form = Literal["json", "tagged"]
Value = str | list[str]
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"\A\s*```(?:json)?[ \t]*\n(.*)\n[ \t]*```\s*\Z", re.DOTALL)
MAX_ROWS = 64


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a row; `many` where it may stand several times. `about` tells the model what belongs there."""

    name: str
    about: str
    many: bool = False


@dataclass(frozen=True, slots=True)
class Parsed:
    """The whole rows of an answer, how many could not be read, and whether the answer was read to its end."""

    rows: tuple[Mapping[str, Value], ...]
    broken: int = 0
    whole: bool = True


def schema(fields: Sequence[Field], n: int) -> dict[str, Any]:
    """The JSON schema of exactly `n` rows."""
    text = {"type": "string", "minLength": 1}
    properties: dict[str, Any] = {
        field.name: {"type": "array", "items": text, "minItems": 1, "maxItems": 4} if field.many else text
        for field in fields
    }
    row = {
        "type": "object",
        "properties": properties,
        "required": [field.name for field in fields],
        "additionalProperties": False,
    }
    rows = {"type": "array", "items": row, "minItems": n, "maxItems": n}
    return {"type": "object", "properties": {"rows": rows}, "required": ["rows"], "additionalProperties": False}


def instructions(fields: Sequence[Field], n: int, form: Form) -> str:
    """How the answer must look, for the prompt."""
    rows = "exactly one row" if n == 1 else f"exactly {n} rows"
    if form == "json":
        shape = ", ".join(f'"{f.name}": ["{f.about}"]' if f.many else f'"{f.name}": "{f.about}"' for f in fields)
        return f'Answer with one JSON object and nothing else, {rows}:\n{{"rows": [{{{shape}}}]}}'
    lines = "\n".join(f"<{f.name}>{f.about}</{f.name}>" for f in fields)
    several = " and ".join(f"<{f.name}>" for f in fields if f.many)
    again = f" {several} may stand several times in a row." if several else ""
    return f"Answer with {rows} in this form and nothing else.{again}\n<row>\n{lines}\n</row>"


def parse(text: str, fields: Sequence[Field], form: Form) -> Parsed:
    """The rows of an answer. A row that lacks a field, has an unknown or an empty one, or has one twice is broken.

    What a model thinks aloud ahead of its answer is passed over, and so is a fence around JSON.
    """
    text = _THOUGHT.sub("", text, count=1)
    return _parse_json(text, fields) if form == "json" else _parse_tagged(text, fields)


def _parse_json(text: str, fields: Sequence[Field]) -> Parsed:
    if (fenced := _FENCE.match(text)) is not None:
        text = fenced[1]
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return Parsed((), whole=False)
    rows = value.get("rows") if isinstance(value, dict) and value.keys() == {"rows"} else None
    if not isinstance(rows, list):
        return Parsed((), whole=False)
    read = [_row(row, fields) for row in rows[:MAX_ROWS]]
    return Parsed(tuple(row for row in read if row is not None), sum(row is None for row in read))


def _row(row: Any, fields: Sequence[Field]) -> dict[str, Value] | None:
    if not isinstance(row, dict) or row.keys() != {field.name for field in fields}:
        return None
    made: dict[str, Value] = {}
    for field in fields:
        value = row[field.name]
        values = value if field.many else [value]
        if not isinstance(values, list) or not values or any(not _says(one) for one in values):
            return None
        cleaned = [one.strip() for one in values]
        made[field.name] = cleaned if field.many else cleaned[0]
    return made


def _says(value: Any) -> bool:
    # A lone surrogate is no text: it could not be written down.
    return isinstance(value, str) and bool(value.strip()) and not any("\ud800" <= c <= "\udfff" for c in value)


def _parse_tagged(text: str, fields: Sequence[Field]) -> Parsed:
    rows: list[Mapping[str, Value]] = []
    broken = 0
    at = 0
    while len(rows) + broken < MAX_ROWS and (start := text.find("<row>", at)) >= 0:
        end = text.find("</row>", start)
        again = text.find("<row>", start + 5)
        if end < 0 or 0 <= again < end:
            # Cut off, or begun anew: what lies between belongs to no row.
            broken += 1
            if end < 0 and again < 0:
                return Parsed(tuple(rows), broken, whole=False)
            at = again
            continue
        row = _tagged_row(text[start + 5 : end], fields)
        if row is None:
            broken += 1
        else:
            rows.append(row)
        at = end + 6
    return Parsed(tuple(rows), broken, whole=bool(rows or broken))


def _tagged_row(text: str, fields: Sequence[Field]) -> dict[str, Value] | None:
    found: dict[str, list[str]] = {field.name: [] for field in fields}
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        name = next((name for name in found if text.startswith(f"<{name}>", at)), None)
        if name is None:
            return None
        start = at + len(name) + 2
        end = text.find(f"</{name}>", start)
        value = text[start:end].strip() if end >= 0 else ""
        if not value or any(f"<{other}>" in value or f"</{other}>" in value for other in found) or not _says(value):
            return None
        found[name].append(value)
        at = end + len(name) + 3
    if any(not found[f.name] or (len(found[f.name]) > 1 and not f.many) for f in fields):
        return None
    return {f.name: found[f.name] if f.many else found[f.name][0] for f in fields}
