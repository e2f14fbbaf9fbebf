"""Reads JSON documents: the elements along a declared path become records, up to a break if there is one."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from pydantic import Field

from corpusforge.ingest.document import read_document
from corpusforge.ingest.encoding import Encodings
from corpusforge.ingest.files import InputFile
from corpusforge.ingest.json_scan import BrokenJson, scan
from corpusforge.ingest.mapping import Mapping, RowMapper
from corpusforge.ingest.reader import ReadContext, Reader, Words
from corpusforge.record import Quarantined, Record

MAX_JSON_BYTES = 512 * 1024 * 1024


class JsonSettings(Mapping):
    """Settings of `json`: the mapping, and where the rows lie."""

    records: Words = Field(
        default=("",),
        description="Path of the rows: `data.*`, `*.*.docs.*` (`*` is any key or index), or empty for the document.",
    )
    keys: str = Field(default="", description="Meta name under which the keys that lead to a row are kept, as a list.")
    encoding: Encodings = Field(default=("utf-8",))


class Json(Reader):
    """One JSON document a file; held in memory, up to 512 MiB."""

    name = "json"
    version = 1
    libraries = ("lxml",)
    Settings = JsonSettings

    def read(self, file: InputFile, ctx: ReadContext) -> Iterator[Record | Quarantined]:
        """A record for each element at `records`; offsets are the element's bytes."""
        document = read_document(ctx, ctx.settings.encoding, max_bytes=MAX_JSON_BYTES)
        if isinstance(document, Quarantined):
            yield document
            return
        text, mapper = document.text, RowMapper(ctx)
        for path in ctx.settings.records:
            at, offset = 0, document.mark
            found = False
            try:
                for element in scan(text, path):
                    found = True
                    piece = text[element.start : element.end]
                    start = offset + _size(text[at : element.start], document.encoding)
                    at, offset = element.end, start + _size(piece, document.encoding)
                    extra = {ctx.settings.keys: list(element.path)} if ctx.settings.keys else None
                    try:
                        row = orjson.loads(piece)
                    except orjson.JSONDecodeError:
                        yield ctx.quarantined(start, offset, "invalid-json")
                        continue
                    yield mapper.map(row, start, offset, extra=extra)
            except BrokenJson as error:
                start = offset + _size(text[at : max(at, error.at)], document.encoding)
                yield ctx.quarantined(start, document.size, "invalid-json", "from here to the end of the file")
                continue
            if not found:
                yield ctx.quarantined(0, document.size, "missing-field", f"no rows at {path}")


def _size(text: str, encoding: str) -> int:
    return len(text) if text.isascii() and not encoding.startswith(("utf-16", "utf-32")) else len(text.encode(encoding))
