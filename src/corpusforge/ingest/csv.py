"""Reads CSV and TSV: a header and rows that may span lines, mapped to records; a bad quote costs one line."""

from __future__ import annotations

import csv
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from corpusforge.ingest.encoding import Encodings
from corpusforge.ingest.files import InputFile
from corpusforge.ingest.lines import Fault, TextLine, read_text_lines
from corpusforge.ingest.mapping import Mapping, RowMapper
from corpusforge.ingest.reader import MAX_RECORD_BYTES, ReadContext, Reader, ReaderSettings
from corpusforge.record import Quarantined, Record

MAX_ROW_LINES = 1_000
Character = Annotated[str, StringConstraints(min_length=1, max_length=1)]


class CsvSettings(Mapping):
    """Settings of `csv`: the mapping, and how rows are written."""

    delimiter: Character = Field(default=",", description="The character between columns.")
    quote: Annotated[str, StringConstraints(max_length=1)] = Field(
        default='"', description="The character around columns that hold delimiters or line ends; empty for none."
    )
    header: bool = Field(default=True, description="Whether the first row names the columns; else they are 0, 1, 2 …")
    encoding: Encodings = Field(default=("utf-8",))


class TsvSettings(CsvSettings):
    """Settings of `tsv`: as `csv`, with tabs and no quotes (source: the IANA media type text/tab-separated-values)."""

    delimiter: Character = "\t"
    quote: Annotated[str, StringConstraints(max_length=1)] = ""


class Csv(Reader):
    """Rows of columns; RFC 4180 with a free delimiter."""

    name: ClassVar[str] = "csv"
    version = 1
    libraries = ("lxml",)
    Settings: ClassVar[type[ReaderSettings]] = CsvSettings

    def read(self, file: InputFile, ctx: ReadContext) -> Iterator[Record | Quarantined]:
        """A record for each row; offsets are the bytes of its lines."""
        mapper = RowMapper(ctx)
        empty = True
        end = 0
        for row in table(read_text_lines(file, ctx.settings.encoding), ctx.settings):
            if isinstance(row, Header):
                end = row.end
                continue
            empty = False
            if isinstance(row, Fault):
                yield ctx.quarantined(row.start, row.end, row.reason, row.detail)
            else:
                yield mapper.map(row[2], row[0], row[1])
        if empty:
            yield ctx.quarantined(0, end, "empty-file", "a header without rows")


class Tsv(Csv):
    """Rows of columns between tabs."""

    name = "tsv"
    Settings = TsvSettings


@dataclass(frozen=True, slots=True)
class Header:
    """The row that names the columns, at bytes [start, end); it is no record."""

    start: int
    end: int


def table(
    lines: Iterator[TextLine | Fault], settings: CsvSettings
) -> Iterator[tuple[int, int, dict[str, str] | list[str]] | Header | Fault]:
    """The rows of a table with their bytes: objects by header, or lists of cells where there is none.

    Faults: wrong-columns; repeated-header (exports that were joined); duplicate-column, where a name stands twice in
    the header: which of the two is meant cannot be known, so the rows are without that column.
    """
    names: list[str] | None = None
    twice: set[str] = set()
    width = 0
    for row in _rows(lines, settings):
        if isinstance(row, Fault):
            yield row
            continue
        start, end, cells = row
        if settings.header and names is None:
            names, width = cells, len(cells)
            twice = {name for name, count in Counter(cells).items() if name and count > 1}
            yield Header(start, end)
            if twice:
                yield Fault(start, end, "duplicate-column", f"{len(twice)} names stand twice in the header")
            continue
        width = width or len(cells)
        if len(cells) != width:
            yield Fault(start, end, "wrong-columns", f"{len(cells)} columns instead of {width}")
        elif cells == names:
            yield Fault(start, end, "repeated-header")
        elif names is None:
            yield start, end, cells
        else:
            yield start, end, {name: cell for name, cell in zip(names, cells, strict=True) if name not in twice}


def _rows(lines: Iterator[TextLine | Fault], settings: CsvSettings) -> Iterator[tuple[int, int, list[str]] | Fault]:
    """Parsed rows with their bytes. A row that does not parse gives up its first line, and its other lines are read
    again: one stray quote must not swallow the rows behind it.
    """
    again: deque[TextLine | Fault] = deque()
    options: dict[str, Any] = {"delimiter": settings.delimiter, "strict": True}
    options |= {"quotechar": settings.quote} if settings.quote else {"quoting": csv.QUOTE_NONE}
    # The limit is one per process; ours is the longest line that can reach it.
    csv.field_size_limit(MAX_RECORD_BYTES)

    def take() -> TextLine | Fault | None:
        return again.popleft() if again else next(lines, None)

    while (first := take()) is not None:
        if isinstance(first, Fault):
            yield first
            continue
        if not first.text.strip(" \r\n"):
            yield Fault(first.start, first.end, "empty-line")
            continue
        used: list[TextLine] = [first]

        def feed(used: list[TextLine] = used) -> Iterator[str]:
            yield used[0].text + "\n"
            size = used[0].end - used[0].start
            while len(used) < MAX_ROW_LINES and size < MAX_RECORD_BYTES:
                line = take()
                if line is None or isinstance(line, Fault):
                    if line is not None:
                        again.appendleft(line)
                    return
                used.append(line)
                size += line.end - line.start
                yield line.text + "\n"

        try:
            cells = next(csv.reader(feed(), **options))
        except (csv.Error, StopIteration):
            again.extendleft(reversed(used[1:]))
            yield Fault(first.start, first.end, "invalid-csv", "a quote without its pair")
            continue
        yield used[0].start, used[-1].end, cells
