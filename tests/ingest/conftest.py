"""A door to any reader: bytes in, records and quarantined pieces out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpusforge.ingest.files import InputFile
from corpusforge.ingest.formats import find_reader
from corpusforge.ingest.reader import ReadContext
from corpusforge.record import Quarantined, Record

Outcome = tuple[list[Record], list[Quarantined]]
ReadBytes = Callable[..., Outcome]


def read_file(reader: str, path: Path, name: str, **settings: Any) -> Outcome:
    """What a reader makes of one file."""
    found = find_reader(reader)
    file = InputFile(str(path), name, size=path.stat().st_size)
    ctx = ReadContext(found.Settings(**settings), "src", "article", "CC0-1.0", ("en",), file)
    records: list[Record] = []
    quarantined: list[Quarantined] = []
    for item in found().read(file, ctx):
        (records if isinstance(item, Record) else quarantined).append(item)  # type: ignore[arg-type]
    return records, quarantined


@pytest.fixture
def read(tmp_path: Path) -> ReadBytes:
    """Write `data` to a file called `name` and read it."""

    def reading(reader: str, data: bytes | str, name: str = "a/file.txt", **settings: Any) -> Outcome:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return read_file(reader, path, name, **settings)

    return reading


@pytest.fixture
def read_path() -> Callable[..., Outcome]:
    """Read a file that is already there."""
    return read_file
