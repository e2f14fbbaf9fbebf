"""Reads benchmark files as lists of texts, to keep what they ask out of the training side."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpusforge.errors import UsageError

_PARAGRAPHS = re.compile(r"\n\s*\n")
FORMATS = (".jsonl", ".json", ".txt", ".md")


def benchmark_items(path: Path) -> list[str]:
    """The distinct texts of a benchmark: every string in a JSON (lines) file, every paragraph of a text file.

    Raises UsageError when the file does not exist, has another format, or a line is not JSON.
    """
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix not in FORMATS:
        raise UsageError(f"{path.name} is no benchmark file.", where="decontaminate", hint=f"Use {', '.join(FORMATS)}.")
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = raw.decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UsageError(
            f"benchmark {path.name} cannot be read ({type(error).__name__}).",
            where="decontaminate",
            hint="Check `against`.",
        ) from error
    if suffix in (".txt", ".md"):
        found = iter(_PARAGRAPHS.split(text))
    elif suffix == ".json":
        found = _strings(_json(text, path.name))
    else:
        lines = enumerate(text.split("\n"), 1)
        found = (
            item for number, line in lines if line.strip() for item in _strings(_json(line, f"{path.name}:{number}"))
        )
    return list(dict.fromkeys(item for item in found if item.strip()))


def _json(text: str, where: str) -> Any:
    import orjson

    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UsageError("not valid JSON.", where=where, hint="Repair the benchmark file.") from error


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
