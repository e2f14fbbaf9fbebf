"""Walks one record back to the bytes it came from, through every step that kept, changed or dropped it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusforge.errors import UsageError
from corpusforge.steps import Store

_RECORD = ["id", "origin", "side", "group", "parents", "tokens", "language", "text", "spans", "meta"]
NO_ROW = "gave no row"
_DROPPED = ["id", "reason", "score", "threshold", "detail"]


@dataclass(frozen=True, slots=True)
class Visit:
    """One step, or one file of the build, in the life of a record.

    `fate` is kept, cut (a piece), made (a synthetic row), gave no row, dropped, or row N of a file of the build, with
    the reason behind a colon. `detail` holds figures and places, never text.
    """

    step: str
    id: str
    shard: str
    fate: str
    detail: Mapping[str, Any]


def trace(build: Path, manifest: Mapping[str, Any], record: str) -> list[Visit]:
    """Every step's view of a record and of what it was made from, oldest first, and last its rows in the build.

    An ancestor is followed to the step that made the next one of it. Reads `steps/` beside the build's folder. Raises
    UsageError if the build knows no such record, or no longer has the steps to tell.
    """
    order = {step["name"]: i for i, step in enumerate(manifest["steps"])}
    store = Store(build.parent / "steps")
    lives: dict[str, list[Visit]] = {}
    waiting: list[tuple[str, int]] = [(record, len(order))]
    while waiting:
        identity, before = waiting.pop(0)
        if identity in lives:
            continue
        life = [v for v in _life(store, manifest, identity) if order[v.step] < before]
        if identity != record:
            life = [v for v in life if not v.fate.startswith(NO_ROW)]
        lives[identity] = life
        born = order[life[0].step] if life else before
        waiting += [(parent, born) for parent in _ancestors(identity, life)]
    visits = sorted((v for life in lives.values() for v in life), key=lambda v: (order[v.step], v.id))
    rows = list(_rows(build, manifest, record))
    if not lives[record] and not rows:
        if not store.root.is_dir():
            what, hint = "the steps of this build are gone.", "Run corpusforge build again, with the same --builds."
            raise UsageError(what, where=str(store.root), hint=hint)
        hint = "Ids are in the id column of completion/, instruct/, eval/ and dropped/."
        raise UsageError(f"no record {record!r} in this build.", where=str(build), hint=hint)
    return visits + rows


def roots(visits: Iterable[Visit]) -> list[Visit]:
    """The first visits of the records that were read from files; their detail holds `origin`."""
    return [visit for visit in visits if visit.step == "ingest"]


def _ancestors(identity: str, life: Iterable[Visit]) -> list[str]:
    """The records that this one was made from: its parents, else the whole that it is a piece of."""
    parents = dict.fromkeys(parent for visit in life for parent in visit.detail.get("parents", ()))
    whole = identity.rpartition("#")[0]
    return [*parents] or ([whole] if whole else [])


def _life(store: Store, manifest: Mapping[str, Any], identity: str) -> Iterator[Visit]:
    source = identity.partition(":")[0]
    seen = False
    for step in manifest["steps"]:
        for shard in step["shards"]:
            if shard["source"] != source:
                continue
            path = store.file(step["name"], shard["key"], ".parquet")
            for row in _found(path, identity, _RECORD):
                fate = "kept" if seen or step["name"] == "ingest" else "made" if step["makes"] else "cut"
                yield Visit(step["name"], identity, shard["name"], fate, _figures(row))
                seen = True
            path = store.file(step["name"], shard["key"], ".dropped.parquet")
            for row in _found(path, identity, _DROPPED):
                fate = NO_ROW if step["makes"] else "dropped"
                detail = {k: v for k, v in row.items() if k not in ("id", "reason") and v not in (None, "")}
                yield Visit(step["name"], identity, shard["name"], f"{fate}: {row['reason']}", detail)


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    meta = orjson.loads(row["meta"] or "{}")
    figures = {key: row[key] for key in ("origin", "side", "group", "parents", "language")}
    figures |= {"characters": len(row["text"]), "redactions": len(row["spans"])}
    if row["tokens"] >= 0:
        figures["tokens"] = row["tokens"]
    # `piece` and `evidence` are characters of the parent's text, `lines` byte ranges of the file.
    return figures | {key: meta[key] for key in ("piece", "lines", "evidence") if key in meta}


def _rows(build: Path, manifest: Mapping[str, Any], identity: str) -> Iterator[Visit]:
    """The rows of the build's own files that are this record: of the mix (once an epoch), or of the hold-out."""
    for output, report in manifest["mix"].items():
        for file in report["files"]:
            for row in _numbered(build / file["path"], identity):
                yield Visit(output, identity, file["path"], f"row {row:,}", {"row": row})
    for path in sorted((build / "eval").rglob("*.parquet")):
        for row in _numbered(path, identity):
            yield Visit("eval", identity, str(path.relative_to(build)), f"row {row:,}", {"row": row})


def _found(path: Path, identity: str, columns: list[str]) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    found: list[dict[str, Any]] = pq.read_table(path, columns=columns, filters=pc.field("id") == identity).to_pylist()
    return found


def _numbered(path: Path, identity: str) -> list[int]:
    """The numbers, from 0, of the rows with this id; none where the file is not there."""
    if not path.exists():
        return []
    ids = pq.read_table(path, columns=["id"])["id"]
    rows: list[int] = pc.indices_nonzero(pc.equal(ids, identity)).to_pylist()
    return rows
