"""Writes the packed schedule of a build for other trainers, in their own formats, with what is lost there."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusforge.errors import NotConserved, UsageError
from corpusforge.mix.export_notes import Exported, notes
from corpusforge.mix.export_rows import ROWS, fractions, learned
from corpusforge.shards import sha256_file

if TYPE_CHECKING:
    import pyarrow as pa

TARGETS = tuple(ROWS)


def export(folder: Path, manifest: Mapping[str, Any], to: str, outputs: Sequence[str], out: Path) -> list[Exported]:
    """Write `out` from the packed files of a build, each output in a folder of its own; `outputs` empty means all.

    The order of rows is the order of training. `out` appears whole or not at all. Raises UsageError for a build
    without packed sequences, an unknown output, a damaged file or an `out` that is there, and NotConserved where a
    token would be lost.
    """
    packed = manifest.get("packed")
    if packed is None:
        hint = "Add `packed: {length: 4096}` to the recipe's mix and build again."
        raise UsageError("the build has no packed sequences.", where=str(folder), hint=hint)
    known = [name for name, told in packed["outputs"].items() if told["sequences"]]
    if not known:
        hint = "Its mix took no rows: see the mix on its card."
        raise UsageError("the build's packed output is empty.", where=str(folder), hint=hint)
    for name in outputs:
        if name not in known:
            hint = f"It has {', '.join(known) or 'none'}."
            raise UsageError(f"the build has no packed {name}.", where=str(folder), hint=hint)
    if out.exists():
        raise UsageError("is there already.", where=str(out), hint="Name another --out, or remove it.")
    chosen = list(dict.fromkeys(outputs)) or known
    for name in chosen:
        for told in packed["outputs"][name]["files"]:
            path = folder / told["path"]
            if not path.is_file() or sha256_file(path) != told["sha256"]:
                raise UsageError("is missing or damaged.", where=str(path), hint="Build again.")
    work = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        made = [_output(folder, packed, name, to, work / name) for name in chosen]
        for name, text in notes(to, manifest, made).items():
            (work / name).write_text(text, "utf-8")
        about = {
            "build": manifest["build"],
            "manifest_sha256": sha256_file(folder / "manifest.json"),
            "to": to,
            "outputs": {
                one.name: {"sequences": one.sequences, "tokens": one.tokens, "labels": one.labels} for one in made
            },
        }
        (work / "export.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n", "utf-8")
        out.parent.mkdir(parents=True, exist_ok=True)
        os.replace(work, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return made


def _output(folder: Path, packed: Mapping[str, Any], name: str, to: str, out: Path) -> Exported:
    told = packed["outputs"][name]
    place = out / "train" if to == "llama-factory" else out
    place.mkdir(parents=True)
    paths = [folder / one["path"] for one in told["files"]]
    sequences = tokens = rows = labels = between = 0
    files = []
    for number, path in enumerate(paths):
        suffix = "arrow" if to == "llama-factory" else "parquet"
        stem = "data" if to == "llama-factory" else "train"
        files.append(f"{stem}-{number:05d}-of-{len(paths):05d}.{suffix}")
        with _Writer(place / files[-1]) as writer:
            for table in _groups(path):
                made = ROWS[to](table, packed["length"], packed["eos"])
                sequences += table.num_rows
                tokens += len(table["input_ids"].combine_chunks().flatten())
                rows += made.num_rows
                labels += learned(made)
                between += fractions(table)
                writer.write(made)
    if (sequences, tokens) != (told["sequences"], told["tokens"]):
        what = f"{told['sequences']} sequences with {told['tokens']} tokens are packed, but {sequences} with {tokens} "
        raise NotConserved(f"{what}were written.", where=f"export: {name}")
    if to == "llama-factory":
        _as_saved_dataset(out, files)
    return Exported(name, sequences, tokens, rows, labels, between, tuple(files))


def _groups(path: Path) -> Iterator[pa.Table]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group)


class _Writer:
    """A Parquet file, or a stream of Arrow as `datasets` keeps it, by the path's suffix. Used as a context."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: Any = None

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._open is None:
            if self._path.suffix == ".arrow":
                self._open = pa.ipc.new_stream(self._path, table.schema)
            else:
                self._open = pq.ParquetWriter(self._path, table.schema, compression="zstd", compression_level=3)
        self._open.write_table(table)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._open is not None:
            self._open.close()


def _as_saved_dataset(out: Path, files: Sequence[str]) -> None:
    """The small files by which `datasets.load_from_disk` knows a folder; columns are left to the Arrow files, as the
    names of their types differ between its versions."""
    state: dict[str, Any] = {
        "_data_files": [{"filename": name} for name in files],
        "_fingerprint": "corpusforge",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": "train",
    }
    (out / "train" / "state.json").write_text(json.dumps(state, indent=2), "utf-8")
    (out / "train" / "dataset_info.json").write_text("{}", "utf-8")
    (out / "dataset_dict.json").write_text(json.dumps({"splits": ["train"]}), "utf-8")
