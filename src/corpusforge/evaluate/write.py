"""Exports the held-out side as a sealed benchmark: Parquet and JSON lines, lm-eval tasks, and a hash of every item."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from corpusforge.evaluate.items import make_item, table_of
from corpusforge.evaluate.lm_eval import task_files
from corpusforge.record import Record, stable_hash
from corpusforge.shards import from_row, sha256_file, write_bytes, write_json, write_table

if TYPE_CHECKING:
    import pyarrow as pa

TEXTS_PER_SOURCE = 2000


@dataclass(frozen=True, slots=True)
class EvalFile:
    """A finished file: its path below the build's folder, sha256 of its bytes, rows and size in bytes."""

    path: str
    sha256: str
    rows: int
    bytes: int


@dataclass(slots=True)
class EvalReport:
    """What was exported: rows by table and task, files, the seal, and held-out texts beyond the most of a source."""

    qa: int = 0
    mcq: int = 0
    tasks: dict[str, int] = field(default_factory=dict)
    texts: dict[str, int] = field(default_factory=dict)
    texts_left_out: dict[str, int] = field(default_factory=dict)
    seal: str = ""
    files: list[EvalFile] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As it stands in the manifest."""
        return {
            "qa": self.qa,
            "mcq": self.mcq,
            "tasks": self.tasks,
            "texts": self.texts,
            "texts_left_out": self.texts_left_out,
            "seal": self.seal,
            "files": [
                {"path": file.path, "sha256": file.sha256, "rows": file.rows, "bytes": file.bytes}
                for file in self.files
            ],
        }


def build_eval(shards: Sequence[Path], out: Path, name: str = "corpusforge") -> dict[str, Any]:
    """Write `out/eval/` from the held-out side of record shards; what the manifest says of it."""
    return write_eval(shards, out, name).to_json()


def write_eval(
    shards: Sequence[Path], out: Path, name: str = "corpusforge", texts_per_source: int = TEXTS_PER_SOURCE
) -> EvalReport:
    """Write `out/eval/`: qa, mcq, tasks/<source> and holdout_text as .parquet and .jsonl, lm_eval/*.yaml, SEAL.json.

    Rows are sorted by id, so that the files do not depend on shards. Of each source's texts at most
    `texts_per_source` are kept, chosen by a hash of their ids. Nothing is written if nothing was held out. Raises
    StepFailed for an item that cannot be scored.
    """
    report = EvalReport()
    tables = _tables(shards, report, texts_per_source)
    items: dict[str, dict[str, str]] = {}
    for table in sorted(tables):
        rows = sorted(tables[table], key=lambda row: str(row["id"]))
        lines = [orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for row in rows]
        items[table] = {row["id"]: hashlib.sha256(line).hexdigest() for row, line in zip(rows, lines, strict=True)}
        write_table(out / "eval" / f"{table}.parquet", _arrow(table, rows))
        write_bytes(out / "eval" / f"{table}.jsonl", b"".join(line + b"\n" for line in lines))
        for suffix in (".parquet", ".jsonl"):
            report.files.append(_file(out, f"eval/{table}{suffix}", len(rows)))
        _count(report, table, rows)
    if not items:
        return report
    report.seal = hashlib.sha256(orjson.dumps(items, option=orjson.OPT_SORT_KEYS)).hexdigest()
    files = {file.path: file.sha256 for file in report.files}
    write_json(out / "eval" / "SEAL.json", {"seal": report.seal, "files": files, "items": items})
    report.files.append(_file(out, "eval/SEAL.json", 0))
    asked = {table: f"{table}.jsonl" for table in sorted(tables) if table != "holdout_text"}
    for path, data in task_files(name, asked, report.seal).items():
        write_bytes(out / "eval" / "lm_eval" / path, data)
        report.files.append(_file(out, f"eval/lm_eval/{path}", 0))
    return report


def verify_seal(folder: Path) -> list[str]:
    """The files below a build's folder whose bytes no longer are what its `eval/SEAL.json` says."""
    seal = orjson.loads((folder / "eval" / "SEAL.json").read_bytes())
    return [
        path
        for path, sha256 in sorted(seal["files"].items())
        if not (folder / path).is_file() or sha256_file(folder / path) != sha256
    ]


def _tables(shards: Sequence[Path], report: EvalReport, most: int) -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = {}
    texts: dict[str, list[tuple[int, str, dict[str, Any]]]] = {}
    for record in _held_out(shards):
        table = table_of(record)
        if table is None:
            continue
        row = make_item(record, table)
        if table != "holdout_text":
            tables.setdefault(f"tasks/{record.source}" if table == "tasks" else table, []).append(row)
            continue
        kept = texts.setdefault(record.source, [])
        # The heap's top is the text with the largest hash: the first to go.
        entry = (-int(stable_hash("text", record.id), 16), record.id, row)
        if len(kept) < most:
            heappush(kept, entry)
        else:
            heappushpop(kept, entry)
            report.texts_left_out[record.source] = report.texts_left_out.get(record.source, 0) + 1
    if texts:
        tables["holdout_text"] = [row for kept in texts.values() for _, _, row in kept]
    return tables


def _held_out(shards: Sequence[Path]) -> Iterator[Record]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for path in shards:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=512):
                for row in batch.filter(pc.equal(batch.column("side"), "holdout")).to_pylist():
                    yield from_row(row)


def _arrow(table: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    import pyarrow as pa

    types = {
        "parents": pa.list_(pa.string()),
        "choices": pa.list_(pa.string()),
        "letters": pa.list_(pa.string()),
        "gold": pa.int64(),
        "near_indices": pa.list_(pa.int64()),
        "far_indices": pa.list_(pa.int64()),
        "text": pa.large_string(),
    }
    return pa.Table.from_pylist(rows, schema=pa.schema([(key, types.get(key, pa.string())) for key in rows[0]]))


def _file(out: Path, path: str, rows: int) -> EvalFile:
    return EvalFile(path, sha256_file(out / path), rows, (out / path).stat().st_size)


def _count(report: EvalReport, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if table == "qa":
        report.qa = len(rows)
    elif table == "mcq":
        report.mcq = len(rows)
    elif table == "holdout_text":
        for row in rows:
            report.texts[row["source"]] = report.texts.get(row["source"], 0) + 1
        report.texts = dict(sorted(report.texts.items()))
    else:
        report.tasks[table.removeprefix("tasks/")] = len(rows)
