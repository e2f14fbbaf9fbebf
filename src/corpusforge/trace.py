"""Walks one record back to the bytes it came from, through every step that kept, changed or dropped it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusforge.errors import UsageError
from corpusforge.steps import Store


@dataclass(frozen=True, slots=True)
class Visit:
    """One step in the life of a record: `fate` is kept, split, made or the reason why it was dropped."""

    step: str
    id: str
    shard: str
    fate: str
    detail: Mapping[str, Any]


def trace(root: Path, manifest: Mapping[str, Any], record: str) -> list[Visit]:
    """Every step's view of a record and its parents, oldest first; ends at file and offsets. Holds no text.

    `root` is the recipe's folder below `builds/`. Raises UsageError if the build knows no such record.
    """
    store = Store(root / "steps")
    visits: list[Visit] = []
    wanted = [record]
    seen: set[str] = set()
    while wanted:
        identity = wanted.pop(0)
        if identity in seen:
            continue
        seen.add(identity)
        found = list(_visits(store, manifest, identity))
        visits = found + visits
        for visit in found:
            wanted.extend(parent for parent in visit.detail.get("parents", ()) if parent not in seen)
        whole = identity.rpartition("#")[0]
        if whole:
            wanted.append(whole)
    if not visits:
        raise UsageError(f"no record {record!r} in this build.", hint="Ids are in the id column of every shard.")
    order = {step["name"]: i for i, step in enumerate(manifest["steps"])}
    return sorted(visits, key=lambda v: (order[v.step], v.id))


def _visits(store: Store, manifest: Mapping[str, Any], identity: str) -> Iterator[Visit]:
    source = identity.partition(":")[0]
    for step in manifest["steps"]:
        for shard in step["shards"]:
            if shard["source"] != source:
                continue
            path = store.file(step["name"], shard["key"], ".parquet")
            row = _row(path, identity, ["id", "origin", "side", "group", "parents", "tokens"])
            if row is not None:
                detail = {k: v for k, v in row.items() if k != "id"}
                yield Visit(step["name"], identity, shard["name"], "kept", detail)
            dropped = store.file(step["name"], shard["key"], ".dropped.parquet")
            row = _row(dropped, identity, ["id", "reason", "score", "threshold", "detail"])
            if row is not None:
                detail = {k: v for k, v in row.items() if k not in ("id", "reason") and v not in (None, "")}
                yield Visit(step["name"], identity, shard["name"], f"dropped: {row['reason']}", detail)


def _row(path: Path, identity: str, columns: list[str]) -> dict[str, Any] | None:
    if not path.exists():
        return None
    table = pq.read_table(path, columns=columns)
    rows = table.filter(pc.equal(table["id"], identity)).to_pylist()
    return rows[0] if rows else None
