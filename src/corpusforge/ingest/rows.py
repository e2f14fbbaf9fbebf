"""Gives the rows of JSON, JSON Lines, CSV and TSV files with the bytes where each lies, and the faults between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import orjson

from corpusforge.ingest.csv import CsvSettings, Header, TsvSettings, table
from corpusforge.ingest.document import read_document
from corpusforge.ingest.encoding import Decoded
from corpusforge.ingest.json_scan import BrokenJson, scan
from corpusforge.ingest.lines import Fault, read_text_lines
from corpusforge.ingest.reader import ReadContext
from corpusforge.record import Quarantined

RowFormat = Literal["json", "jsonl", "csv", "tsv"]
MAX_JSON_BYTES = 512 * 1024 * 1024


class Row(NamedTuple):
    """One row or JSON value at bytes [start, end)."""

    start: int
    end: int
    value: Any


def read_rows(
    ctx: ReadContext, form: RowFormat, *, encodings: Sequence[str], records: Sequence[str], delimiter: str = ""
) -> Iterator[Row | Quarantined]:
    """The rows of a file. `records` are paths of the rows in JSON documents; CSV and TSV rows are objects by header."""
    if form == "json":
        yield from _json(ctx, encodings, records)
    elif form == "jsonl":
        yield from _jsonl(ctx, encodings)
    else:
        yield from _table(ctx, form, encodings, delimiter)


def _jsonl(ctx: ReadContext, encodings: Sequence[str]) -> Iterator[Row | Quarantined]:
    for line in read_text_lines(ctx.file, encodings):
        if isinstance(line, Fault):
            yield ctx.quarantined(line.start, line.end, line.reason, line.detail)
        elif not line.text.strip():
            yield ctx.quarantined(line.start, line.end, "empty-line")
        else:
            yield _parsed(ctx, line.text, line.start, line.end)


def _json(ctx: ReadContext, encodings: Sequence[str], records: Sequence[str]) -> Iterator[Row | Quarantined]:
    document = read_document(ctx, encodings, max_bytes=MAX_JSON_BYTES)
    if isinstance(document, Quarantined):
        yield document
        return
    for path in records:
        place = _Place(Decoded(document.text, document.encoding, document.mark))
        found = False
        try:
            for element in scan(document.text, path):
                found = True
                yield _parsed(
                    ctx,
                    document.text[element.start : element.end],
                    place.byte(element.start),
                    place.byte(element.end),
                )
        except BrokenJson as error:
            yield ctx.quarantined(
                place.byte(error.at), document.size, "invalid-json", "from here to the end of the file"
            )
            continue
        if not found:
            yield ctx.quarantined(0, document.size, "missing-field", f"no rows at {path}")


class _Place:
    """Turns growing character positions of a decoded document into bytes, in one pass."""

    def __init__(self, document: Decoded) -> None:
        self._document = document
        self._at, self._offset = 0, document.mark

    def byte(self, at: int) -> int:
        if at > self._at:
            piece = self._document.text[self._at : at]
            self._offset += len(piece.encode(self._document.encoding))
            self._at = at
        return self._offset


def _parsed(ctx: ReadContext, text: str, start: int, end: int) -> Row | Quarantined:
    try:
        return Row(start, end, orjson.loads(text))
    except orjson.JSONDecodeError:
        return ctx.quarantined(start, end, "invalid-json")


def _table(
    ctx: ReadContext, form: Literal["csv", "tsv"], encodings: Sequence[str], delimiter: str
) -> Iterator[Row | Quarantined]:
    settings = CsvSettings(delimiter=delimiter or ",") if form == "csv" else TsvSettings(delimiter=delimiter or "\t")
    for row in table(read_text_lines(ctx.file, encodings), settings):
        if isinstance(row, Fault):
            yield ctx.quarantined(row.start, row.end, row.reason, row.detail)
        elif not isinstance(row, Header):
            yield Row(*row)
