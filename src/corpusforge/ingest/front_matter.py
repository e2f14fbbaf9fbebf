"""Reads the YAML front matter of Markdown files: bounded, without aliases or tags, as JSON values."""

from __future__ import annotations

import datetime
import re
from typing import Any

import yaml

MAX_BYTES = 64 * 1024
MAX_DEPTH = 32
_FENCED = re.compile(r"\A---[ \t]*\r?\n(.*?)(?:^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z))", re.DOTALL | re.MULTILINE)


class BrokenFrontMatter(ValueError):
    """Front matter that is no plain YAML mapping, has no end, or is too long."""


class _Loader(yaml.SafeLoader):
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            # Nested aliases multiply: a kilobyte can stand for gigabytes.
            raise yaml.YAMLError("aliases are not read")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            # Deep nesting takes quadratic time before it ends in a RecursionError.
            raise yaml.YAMLError("nested too deeply")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def split(text: str) -> tuple[dict[str, Any], int]:
    """The front matter's values and where the body starts, in characters; ({}, 0) without front matter.

    Raises BrokenFrontMatter.
    """
    if not re.match(r"---[ \t]*\r?\n", text):
        return {}, 0
    found = _FENCED.match(text)
    if found is None:
        # Without an end the line is a thematic break, unless a mapping follows it.
        if re.match(r"---[ \t]*\r?\n[\w-]+:", text):
            raise BrokenFrontMatter("it has no end")
        return {}, 0
    if len(found[1]) > MAX_BYTES:
        raise BrokenFrontMatter(f"more than {MAX_BYTES} characters")
    try:
        value = yaml.load(found[1], Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise BrokenFrontMatter("it is no YAML") from None
    if value is None:
        return {}, found.end()
    if not isinstance(value, dict):
        raise BrokenFrontMatter("it is no mapping")
    return _json(value), found.end()


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_json(v) for v in value]
    if isinstance(value, set):
        return sorted(str(v) for v in value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return str(value)
    return value if isinstance(value, str | bool | int | float) or value is None else str(value)
