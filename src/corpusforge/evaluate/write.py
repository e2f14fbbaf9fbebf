"""Exports the held-out side as a sealed benchmark that works from its own folder alone, offline, in every framework."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from corpusforge.evaluate.baselines import baselines
from corpusforge.evaluate.gather import Gathered, gather
from corpusforge.evaluate.grading import FAR, NEAR, RIGHT, VERDICTS
from corpusforge.evaluate.hashes import expected_hashes
from corpusforge.evaluate.inspect_file import inspect_file
from corpusforge.evaluate.judge import JUDGE, VERDICT_TOKENS
from corpusforge.evaluate.lm_eval import task_files
from corpusforge.evaluate.manual import manual
from corpusforge.evaluate.tasks import PROMPTS_VERSION, EvalTask, make_tasks, prefix_of
from corpusforge.shards import sha256_file, write_bytes, write_json, write_table

if TYPE_CHECKING:
    import pyarrow as pa

TEXTS_PER_SOURCE = 2000
SEAL = "eval/SEAL.json"


@dataclass(frozen=True, slots=True)
class EvalFile:
    """A finished file: its path below the build's folder, sha256 of its bytes, rows and size in bytes."""

    path: str
    sha256: str
    rows: int
    bytes: int


@dataclass(slots=True)
class EvalReport:
    """What was exported: rows by table and task, items by benchmark task, files, the seal, and what was left out.

    `texts_left_out` counts held-out texts beyond the most of a source, `unproven` questions without evidence, `merged`
    items whose prompt stands in another, `items_left_out` copies and those that contradict one another.
    """

    qa: int = 0
    mcq: int = 0
    tasks: dict[str, int] = field(default_factory=dict)
    texts: dict[str, int] = field(default_factory=dict)
    texts_left_out: dict[str, int] = field(default_factory=dict)
    unproven: int = 0
    merged: dict[str, int] = field(default_factory=dict)
    items_left_out: dict[str, int] = field(default_factory=dict)
    benchmark: dict[str, int] = field(default_factory=dict)
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
            "unproven": self.unproven,
            "merged": self.merged,
            "items_left_out": self.items_left_out,
            "benchmark": self.benchmark,
            "seal": self.seal,
            "files": [
                {"path": file.path, "sha256": file.sha256, "rows": file.rows, "bytes": file.bytes}
                for file in self.files
            ],
        }


def build_eval(
    shards: Sequence[Path], out: Path, name: str = "corpusforge", roles: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Write `out/eval/` from the held-out side of record shards; what the manifest says of it."""
    return write_eval(shards, out, name, roles).to_json()


def write_eval(
    shards: Sequence[Path],
    out: Path,
    name: str = "corpusforge",
    roles: Mapping[str, str] | None = None,
    texts_per_source: int = TEXTS_PER_SOURCE,
) -> EvalReport:
    """Write `out/eval/`: the tables as .parquet and .jsonl, tasks for two frameworks, hashes, baselines and a README.

    `roles` maps sources to domain, labelled or public. Nothing depends on how records are spread over shards. Nothing
    is written if nothing was held out. Raises StepFailed for an item that cannot be scored.
    """
    found = gather(shards, roles or {}, texts_per_source)
    report = EvalReport(texts_left_out=found.texts_left_out, unproven=found.unproven)
    report.merged = {table: n for table, n in sorted(found.merged.items()) if n}
    report.items_left_out = {table: n for table, n in sorted(found.items_left_out.items()) if n}
    if not found.tables:
        return report
    items = _write_tables(found, out, report)
    report.seal = hashlib.sha256(orjson.dumps(items, option=orjson.OPT_SORT_KEYS)).hexdigest()
    tasks = make_tasks(name, found.tables, found.labels)
    rows = {task.name: task.rows(found.tables[task.table]) for task in tasks}
    report.benchmark = {task.name: len(rows[task.name]) for task in tasks}
    for path, data in _exports(name, tasks, rows, report.seal).items():
        write_bytes(out / "eval" / path, data)
        report.files.append(_file(out, f"eval/{path}", 0))
    seals = {file.path: file.sha256 for file in report.files}
    write_json(out / SEAL, {"seal": report.seal, "files": seals, "items": items})
    report.files.append(_file(out, SEAL, 0))
    return report


def verify_seal(folder: Path) -> list[str]:
    """The files below a build's folder whose bytes no longer are what its `eval/SEAL.json` says."""
    seal = orjson.loads((folder / SEAL).read_bytes())
    return [
        path
        for path, sha256 in sorted(seal["files"].items())
        if not (folder / path).is_file() or sha256_file(folder / path) != sha256
    ]


def _write_tables(found: Gathered, out: Path, report: EvalReport) -> dict[str, dict[str, str]]:
    items: dict[str, dict[str, str]] = {}
    for table, rows in sorted(found.tables.items()):
        lines = [orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for row in rows]
        items[table] = {row["id"]: hashlib.sha256(line).hexdigest() for row, line in zip(rows, lines, strict=True)}
        write_table(out / "eval" / f"{table}.parquet", _arrow(rows))
        write_bytes(out / "eval" / f"{table}.jsonl", b"".join(line + b"\n" for line in lines))
        for suffix in (".parquet", ".jsonl"):
            report.files.append(_file(out, f"eval/{table}{suffix}", len(rows)))
        _count(report, table, rows)
    return items


def _exports(
    name: str, tasks: Sequence[EvalTask], rows: Mapping[str, Sequence[Mapping[str, Any]]], seal: str
) -> dict[str, bytes]:
    """The files beside the tables, by path below `eval/`."""
    here = files("corpusforge.evaluate")
    grading = here.joinpath("grading.py").read_bytes()
    judge = {"file": "inspect/judge.txt", "max_tokens": VERDICT_TOKENS}
    told = {
        "format": 1,
        "name": name,
        "seal": seal,
        "prompts_version": PROMPTS_VERSION,
        "grades": {"right": RIGHT, "near": NEAR, "far": FAR},
        "verdicts": VERDICTS,
        "judge": {**judge, "name": JUDGE.name, "sha256": JUDGE.sha256},
        "tasks": [task.to_json(len(rows[task.name])) for task in tasks],
    }
    figures = baselines(tasks, rows)
    made = {f"lm_eval/{path}": data for path, data in task_files(tasks, prefix_of(name), seal).items()}
    made |= {
        "lm_eval/grading.py": grading,
        "inspect/grading.py": grading,
        "inspect/judge.txt": JUDGE.text.encode(),
        "inspect/benchmark.py": inspect_file(tasks),
        "tasks.json": _json(told),
        "hashes.json": _json(expected_hashes(tasks, rows)),
        "baselines.json": _json(figures),
        "README.md": manual(name, tasks, figures, seal).encode(),
    }
    return dict(sorted(made.items()))


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n"


def _arrow(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    import pyarrow as pa

    place = [("end", pa.int64()), ("record", pa.string()), ("start", pa.int64()), ("text", pa.large_string())]
    types = {
        "parents": pa.list_(pa.string()),
        "answers": pa.list_(pa.string()),
        "also": pa.list_(pa.string()),
        "choices": pa.list_(pa.string()),
        "letters": pa.list_(pa.string()),
        "gold": pa.int64(),
        "near_indices": pa.list_(pa.int64()),
        "far_indices": pa.list_(pa.int64()),
        "evidence": pa.list_(pa.struct(place)),
        "answerable": pa.bool_(),
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
