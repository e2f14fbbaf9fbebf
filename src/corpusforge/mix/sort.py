"""Sorts rows by their place in the global order with bounded memory, and cuts them into Parquet shards by size.

Two passes: rows go to bucket files by position; then each bucket, small enough to hold, is sorted and written.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from corpusforge.mix.shuffle import RING
from corpusforge.shards import commit, sha256_file

if TYPE_CHECKING:
    import pyarrow as pa

_BUFFER_CHARS = 32_000_000
_BUFFER_ROWS = 100_000
_BUCKET_BYTES = 64_000_000
_ROWS_PER_GROUP = 4096


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A finished file: its path below the build's folder, the sha256 of its bytes, rows, tokens and size in bytes."""

    path: str
    sha256: str
    rows: int
    tokens: int
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """As it stands in the manifest."""
        return {
            "path": self.path,
            "sha256": self.sha256,
            "rows": self.rows,
            "tokens": self.tokens,
            "bytes": self.bytes,
        }


class Sorter:
    """Takes rows in any order and writes `<folder>/train-00000-of-000NN.parquet` in the order of their positions.

    `expected_bytes` is a guess of all text and decides the number of buckets, never the order of rows. Old shards in
    the folder are replaced. Used as a context; what it keeps on disk meanwhile is gone afterwards.
    """

    def __init__(self, folder: Path, schema: pa.Schema, *, expected_bytes: int, shard_bytes: int) -> None:
        import pyarrow as pa

        self._folder = folder
        self._schema = schema
        self._shard_bytes = shard_bytes
        self._buckets = min(256, 1 + expected_bytes // _BUCKET_BYTES)
        self._spilled = pa.schema([*schema, pa.field("position", pa.uint64()), pa.field("size", pa.int64())])
        self._rows: list[list[dict[str, Any]]] = [[] for _ in range(self._buckets)]
        self._writers: dict[int, pa.RecordBatchFileWriter] = {}
        self._held_chars = 0
        self._held_rows = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._scratch = Path(tempfile.mkdtemp(prefix=".mix-", dir=folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def add(self, row: dict[str, Any], position: int, size: int) -> None:
        """Take one row: its position in [0, 2^64) and the size of its text in characters."""
        self._rows[position * self._buckets // RING].append({**row, "position": position, "size": size})
        self._held_chars += size
        self._held_rows += 1
        if self._held_chars >= _BUFFER_CHARS or self._held_rows >= _BUFFER_ROWS:
            self._spill()

    def _spill(self) -> None:
        import pyarrow as pa

        for bucket, rows in enumerate(self._rows):
            if not rows:
                continue
            if bucket not in self._writers:
                path = self._scratch / f"{bucket:05d}.arrow"
                self._writers[bucket] = pa.ipc.new_file(path, self._spilled)
            self._writers[bucket].write_table(pa.Table.from_pylist(rows, schema=self._spilled))
            self._rows[bucket] = []
        self._held_chars = self._held_rows = 0

    def finish(self) -> list[OutputFile]:
        """Write all rows in order; the files, in order."""
        import pyarrow as pa

        self._spill()
        shards = _Shards(self._scratch, self._schema, self._shard_bytes)
        for bucket in sorted(self._writers):
            self._writers.pop(bucket).close()
            path = self._scratch / f"{bucket:05d}.arrow"
            with pa.memory_map(str(path)) as source:
                table = pa.ipc.open_file(source).read_all()
                table = table.sort_by([("position", "ascending"), ("id", "ascending"), ("repeat", "ascending")])
                shards.write(table)
                del table
            path.unlink()
        shards.close()
        return self._publish(shards)

    def _publish(self, shards: _Shards) -> list[OutputFile]:
        for old in self._folder.glob("train-*.parquet"):
            old.unlink()
        files: list[OutputFile] = []
        for number, (path, rows, tokens) in enumerate(shards.done):
            final = self._folder / f"train-{number:05d}-of-{len(shards.done):05d}.parquet"
            commit(path, final)
            name = f"{self._folder.name}/{final.name}"
            files.append(OutputFile(name, sha256_file(final), rows, tokens, final.stat().st_size))
        return files


class _Shards:
    """Parquet files of about `shard_bytes` characters of text each; the cuts depend on the rows alone."""

    def __init__(self, folder: Path, schema: pa.Schema, shard_bytes: int) -> None:
        self.done: list[tuple[Path, int, int]] = []
        self._folder = folder
        self._schema = schema
        self._limit = shard_bytes
        self._writer: Any = None
        self._size = self._rows = self._tokens = 0

    def write(self, table: pa.Table) -> None:
        """Append rows that are in order."""
        sizes = table.column("size").to_pylist()
        tokens = table.column("tokens").to_pylist()
        table = table.select(self._schema.names).cast(self._schema)
        start = 0
        for index, size in enumerate(sizes):
            self._size += size
            if self._size >= self._limit:
                self._append(table.slice(start, index + 1 - start), sum(tokens[start : index + 1]))
                self.close()
                start = index + 1
        if start < len(sizes):
            self._append(table.slice(start), sum(tokens[start:]))

    def _append(self, table: pa.Table, tokens: int) -> None:
        import pyarrow.parquet as pq

        if self._writer is None:
            path = self._folder / f"{len(self.done):05d}.parquet"
            self._writer = pq.ParquetWriter(path, self._schema, compression="zstd", compression_level=3)
        self._writer.write_table(table, row_group_size=_ROWS_PER_GROUP)
        self._rows += table.num_rows
        self._tokens += tokens

    def close(self) -> None:
        """End the current file, if one was begun."""
        if self._writer is not None:
            self._writer.close()
            self.done.append((self._folder / f"{len(self.done):05d}.parquet", self._rows, self._tokens))
        self._writer = None
        self._size = self._rows = self._tokens = 0
