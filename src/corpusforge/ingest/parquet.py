"""Reads Parquet: rows mapped to records by row group, so that one corrupt group costs that group alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from corpusforge.ingest.files import InputFile
from corpusforge.ingest.mapping import Mapping, RowMapper
from corpusforge.ingest.reader import ReadContext, Reader
from corpusforge.record import Quarantined, Record

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_MAGIC = b"PAR1"
_BATCH = 512


class ParquetSettings(Mapping):
    """Settings of `parquet`: the mapping."""


class Parquet(Reader):
    """Rows of a Parquet file; only the columns that the mapping names are read."""

    name = "parquet"
    version = 1
    libraries = ("lxml", "pyarrow")
    Settings = ParquetSettings

    def read(self, file: InputFile, ctx: ReadContext) -> Iterator[Record | Quarantined]:
        """A record for each row; offsets are row numbers. Memory is bounded by a row group."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with file.open_raw() as stream:
            head = stream.read(len(_MAGIC))
            size = stream.seek(0, 2)
            stream.seek(0)
            if not size:
                yield ctx.quarantined(0, 0, "empty-file")
                return
            try:
                parquet = pq.ParquetFile(stream)
            except (pa.ArrowException, OSError):
                reason = "truncated-stream" if head == _MAGIC else "not-parquet"
                yield ctx.quarantined(0, size, reason, "the footer cannot be read")
                return
            yield from _groups(parquet, ctx)


def _groups(parquet: pq.ParquetFile, ctx: ReadContext) -> Iterator[Record | Quarantined]:
    import pyarrow as pa

    mapper = RowMapper(ctx)
    names = set(parquet.schema_arrow.names)
    columns = sorted({c if c in names else c.split(".")[0] for c in ctx.settings.columns()} & names)
    if not parquet.metadata.num_rows:
        yield ctx.quarantined(0, 0, "empty-file", "no rows", "row")
    start = 0
    for group in range(parquet.num_row_groups):
        end = start + parquet.metadata.row_group(group).num_rows
        row = start
        try:
            for batch in parquet.iter_batches(_BATCH, row_groups=[group], columns=columns):
                for value in _values(batch):
                    yield (
                        ctx.quarantined(row, row + 1, "invalid-bytes", "not UTF-8", "row")
                        if value is None
                        else mapper.map(value, row, row + 1, "row")
                    )
                    row += 1
        except (pa.ArrowException, OSError):
            yield ctx.quarantined(row, end, "unreadable", "a corrupt row group", "row")
        start = end


def _values(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | None]:
    """The rows of a batch; None for one whose strings are not UTF-8."""
    try:
        yield from batch.to_pylist()
    except UnicodeDecodeError:
        for i in range(batch.num_rows):
            try:
                yield batch.slice(i, 1).to_pylist()[0]
            except UnicodeDecodeError:
                yield None
