"""Sharded files in and out: one Arrow schema, deterministic Parquet bytes, checksums, commit by rename."""

from __future__ import annotations

import errno
import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from corpusforge.errors import StepFailed
from corpusforge.record import Message, Origin, Record, Span

_ORIGIN = pa.struct([("file", pa.string()), ("start", pa.int64()), ("end", pa.int64()), ("unit", pa.string())])
_MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string()), ("name", pa.string()), ("time", pa.string())])
_SPAN = pa.struct(
    [
        ("kind", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("detector", pa.string()),
        ("score", pa.float32()),
    ]
)
RECORD_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("kind", pa.string()),
        ("title", pa.string()),
        ("text", pa.large_string()),
        ("messages", pa.list_(_MESSAGE)),
        ("group", pa.string()),
        ("language", pa.string()),
        ("licence", pa.string()),
        ("parents", pa.list_(pa.string())),
        ("origin", _ORIGIN),
        ("spans", pa.list_(_SPAN)),
        ("side", pa.string()),
        ("tokens", pa.int64()),
        ("meta", pa.large_string()),
    ]
)
ROWS_PER_GROUP = 4096
CHARS_PER_GROUP = 8_000_000


@dataclass(frozen=True, slots=True)
class Shard:
    """A committed shard: its name within a step, where it lies, the sha256 of its bytes, rows and size in bytes."""

    name: str
    source: str
    path: Path
    sha256: str
    rows: int
    bytes: int


def to_row(record: Record) -> dict[str, Any]:
    """A record as one Arrow row."""
    return {
        "id": record.id,
        "source": record.source,
        "kind": record.kind,
        "title": record.title,
        "text": record.text,
        "messages": None
        if record.messages is None
        else [{"role": m.role, "content": m.content, "name": m.name, "time": m.time} for m in record.messages],
        "group": record.group,
        "language": record.language,
        "licence": record.licence,
        "parents": list(record.parents),
        "origin": {
            "file": record.origin.file,
            "start": record.origin.start,
            "end": record.origin.end,
            "unit": record.origin.unit,
        },
        "spans": [
            {"kind": s.kind, "start": s.start, "end": s.end, "detector": s.detector, "score": s.score}
            for s in record.spans
        ],
        "side": record.side,
        "tokens": record.tokens,
        "meta": orjson.dumps(record.meta, option=orjson.OPT_SORT_KEYS).decode(),
    }


def from_row(row: dict[str, Any]) -> Record:
    """The record of one Arrow row."""
    messages = row["messages"]
    return Record(
        id=row["id"],
        source=row["source"],
        kind=row["kind"],
        text=row["text"],
        origin=Origin(**row["origin"]),
        title=row["title"],
        messages=None if messages is None else tuple(Message(**m) for m in messages),
        group=row["group"],
        language=row["language"],
        licence=row["licence"],
        parents=tuple(row["parents"]),
        spans=tuple(Span(**s) for s in row["spans"]),
        side=row["side"],
        tokens=row["tokens"],
        meta=orjson.loads(row["meta"]),
    )


def read_records(path: Path) -> Iterator[Record]:
    """The records of a shard in order; memory is bounded by one row group."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=512):
            for row in batch.to_pylist():
                yield from_row(row)


class TableWriter:
    """Writes rows of one schema to Parquet and commits by rename when the block ends without an error.

    Same rows, same bytes: row groups end by row and character counts alone.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self.rows = 0
        self._schema = schema
        self._buffer: list[dict[str, Any]] = []
        self._chars = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._temporary = temporary_name(path)
        self._writer = pq.ParquetWriter(self._temporary, schema, compression="zstd", compression_level=3)

    def add(self, row: dict[str, Any]) -> None:
        """Append one row."""
        self._buffer.append(row)
        self.rows += 1
        self._chars += len(row.get("text") or "")
        if len(self._buffer) >= ROWS_PER_GROUP or self._chars >= CHARS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._buffer:
            self._writer.write_table(pa.Table.from_pylist(self._buffer, schema=self._schema))
            self._buffer = []
            self._chars = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
            self._writer.close()
            if kind is None:
                commit(self._temporary, self.path)
        finally:
            self._temporary.unlink(missing_ok=True)


class RecordWriter(TableWriter):
    """Writes records to one shard; see `TableWriter`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, RECORD_SCHEMA)

    def write(self, record: Record) -> None:
        """Append one record."""
        self.add(to_row(record))


def write_records(path: Path, records: Iterable[Record]) -> int:
    """Write a whole shard; the number of records."""
    with RecordWriter(path) as writer:
        for record in records:
            writer.write(record)
    return writer.rows


def write_table(path: Path, table: pa.Table) -> None:
    """Write an Arrow table as Parquet, committed by rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        # Tables between phases are read once or twice: at level 3 they are a tenth smaller and twice as slow to write.
        pq.write_table(table, temporary, compression="zstd", compression_level=1, row_group_size=65_536)
        commit(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_table(path: Path) -> pa.Table:
    """A whole table; only for files that are small by construction."""
    return pq.read_table(path)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a small file, committed by rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        temporary.write_bytes(data)
        commit(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, committed by rename."""
    write_bytes(path, orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n")


def temporary_name(path: Path) -> Path:
    """A name beside `path` that no other process uses; hidden, so that no glob takes it for a result."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")


def commit(temporary: Path, path: Path) -> None:
    """Make a finished temporary file durable and visible under its real name."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: that of a new file must outlive a power cut too."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def sha256_file(path: Path) -> str:
    """The sha256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_DISK = {
    errno.ENOSPC: "no space is left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "the operation is not permitted",
    errno.EIO: "the device does not read or write",
    errno.EMFILE: "too many files are open",
    errno.ENAMETOOLONG: "the path is too long",
}


def disk_failure(error: OSError, where: str = "") -> StepFailed | None:
    """What went wrong with the disk, if that is what an error says; None for every other error."""
    if error.errno not in _DISK:
        return None
    place = str(error.filename) if error.filename else where
    hint = "What is done is kept: put the disk right and run the same command again."
    return StepFailed(f"{_DISK[error.errno]}.", where=place, hint=hint)
