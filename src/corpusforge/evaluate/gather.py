"""Gathers the benchmark's rows from record shards: only the held-out side, with evidence as text and closed labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from pathlib import Path
from typing import Any

from corpusforge.evaluate.items import answer_of, make_item, table_of, with_text
from corpusforge.evaluate.same import consistent, merge_open
from corpusforge.evaluate.tasks import MAX_LABELS, closed_set
from corpusforge.record import Record, stable_hash
from corpusforge.shards import from_row

Row = dict[str, Any]


@dataclass(slots=True)
class Gathered:
    """Rows by table, sorted by id; the labels of each source that has a closed set; what was left out or lacks proof.

    `unproven` counts questions and items of which no evidence lies in a held-out record; `merged` and `items_left_out`,
    by table, items that ask the same as another (`same.py`).
    """

    tables: dict[str, list[Row]] = field(default_factory=dict)
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    texts_left_out: dict[str, int] = field(default_factory=dict)
    unproven: int = 0
    merged: dict[str, int] = field(default_factory=dict)
    items_left_out: dict[str, int] = field(default_factory=dict)


def gather(shards: Sequence[Path], roles: Mapping[str, str], texts_per_source: int) -> Gathered:
    """The held-out side of record shards, whatever their order. `roles` maps sources to domain, labelled or public.

    Of each source's texts at most `texts_per_source` are kept, chosen by a hash of their ids. Raises StepFailed for an
    item that cannot be scored.
    """
    found = Gathered()
    texts: dict[str, list[tuple[int, str, Row]]] = {}
    for record in _held_out(shards):
        table = table_of(record)
        if table is None:
            continue
        row = make_item(record, table)
        if table != "holdout_text":
            found.tables.setdefault(f"tasks/{record.source}" if table == "tasks" else table, []).append(row)
            continue
        row["role"] = roles.get(record.source, "domain")
        kept = texts.setdefault(record.source, [])
        # The heap's top is the text with the largest hash: the first to go.
        entry = (-int(stable_hash("text", record.id), 16), record.id, row)
        if len(kept) < texts_per_source:
            heappush(kept, entry)
        else:
            heappushpop(kept, entry)
            found.texts_left_out[record.source] = found.texts_left_out.get(record.source, 0) + 1
    if texts:
        found.tables["holdout_text"] = [row for kept in texts.values() for _, _, row in kept]
    _prove(found, shards)
    _label(found, shards)
    for name, rows in list(found.tables.items()):
        if name == "mcq" or name.removeprefix("tasks/") in found.labels:
            found.tables[name], found.items_left_out[name] = consistent(rows)
        elif name != "holdout_text":
            found.tables[name], found.merged[name] = merge_open(rows)
        found.tables[name].sort(key=lambda row: str(row["id"]))
    found.tables = {table: rows for table, rows in found.tables.items() if rows}
    return found


def _prove(found: Gathered, shards: Sequence[Path]) -> None:
    asked = [row for table in ("qa", "mcq") for row in found.tables.get(table, ())]
    wanted = {place["record"] for row in asked for place in row["evidence"]}
    texts = {row["id"]: row["text"] for row in _columns(shards, ["id", "side", "text"], "side", "holdout", wanted)}
    for row in asked:
        row["evidence"] = with_text(row["evidence"], texts)
        found.unproven += not row["evidence"]


def _label(found: Gathered, shards: Sequence[Path]) -> None:
    """Labels are counted on both sides: one that happens not to be held out is an answer as possible as the others."""
    sources = {table.removeprefix("tasks/") for table in found.tables if table.startswith("tasks/")}
    counted: dict[str, Counter[str]] = {}
    for row in _columns(shards, ["id", "source", "kind", "messages"], "kind", "labelled", None) if sources else ():
        answers = counted.setdefault(row["source"], Counter())
        # One more than a closed set may have is enough to know that there is none.
        if len(answers) <= MAX_LABELS and (answer := answer_of(row["messages"])):
            answers[answer] += 1
    for source in sorted(sources):
        if labels := closed_set(counted.get(source, {})):
            found.labels[source] = labels
            for row in found.tables[f"tasks/{source}"]:
                row["gold"] = labels.index(row["answer"])


def _held_out(shards: Sequence[Path]) -> Iterator[Record]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for path in shards:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=512):
                for row in batch.filter(pc.equal(batch.column("side"), "holdout")).to_pylist():
                    yield from_row(row)


def _columns(
    shards: Sequence[Path], columns: list[str], key: str, value: str, ids: Iterable[str] | None
) -> Iterator[dict[str, Any]]:
    """Some columns of the rows in which `key` is `value`; with `ids`, of these records only."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    chosen = None if ids is None else pa.array(sorted(ids), pa.string())
    for path in shards:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=columns, batch_size=512):
                keep = pc.equal(batch.column(key), value)
                if chosen is not None:
                    keep = pc.and_(keep, pc.is_in(batch.column("id"), value_set=chosen))
                yield from batch.filter(keep).to_pylist()
