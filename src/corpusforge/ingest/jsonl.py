"""Reads JSON Lines: one JSON value a line, mapped to a record; a bad line costs that line alone."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from pydantic import Field

from corpusforge.ingest.encoding import Encodings
from corpusforge.ingest.files import InputFile
from corpusforge.ingest.lines import Fault, read_text_lines
from corpusforge.ingest.mapping import Mapping, RowMapper
from corpusforge.ingest.reader import ReadContext, Reader
from corpusforge.record import Quarantined, Record


class JsonlSettings(Mapping):
    """Settings of `jsonl`: the mapping, and the encoding of the lines."""

    encoding: Encodings = Field(default=("utf-8",))


class Jsonl(Reader):
    """One JSON value a line."""

    name = "jsonl"
    version = 1
    libraries = ("lxml",)
    Settings = JsonlSettings

    def read(self, file: InputFile, ctx: ReadContext) -> Iterator[Record | Quarantined]:
        """A record for each line; offsets are the line's bytes."""
        mapper = RowMapper(ctx)
        for line in read_text_lines(file, ctx.settings.encoding):
            if isinstance(line, Fault):
                yield ctx.quarantined(line.start, line.end, line.reason, line.detail)
                continue
            if not line.text.strip():
                yield ctx.quarantined(line.start, line.end, "empty-line")
                continue
            try:
                row = orjson.loads(line.text)
            except orjson.JSONDecodeError:
                yield ctx.quarantined(line.start, line.end, "invalid-json")
                continue
            yield mapper.map(row, line.start, line.end)
