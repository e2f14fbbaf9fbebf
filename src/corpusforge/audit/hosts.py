"""The records that canaries are planted into: a keyed sample of what the build itself kept, before its redaction."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusforge.assemble import final_shards
from corpusforge.plan import Plan, StepState
from corpusforge.record import Message, Record, record_id, stable_hash
from corpusforge.shards import Shard, from_row

SHARDS_EACH = 16
MAX_CHARS = 6000
MAX_TURNS = 30
# What a reader wrote about the file, or made of the messages: it is made again, or belongs to the original alone.
_READERS_OWN = ("handles", "lines", "lost_messages", "piece", "evidence")


@dataclass(frozen=True, slots=True)
class Host:
    """A shortened copy of a record: its key in the shadow's raw file, and the record that the shadow reads from it."""

    key: str
    record: Record

    @property
    def id(self) -> str:
        """The record's id in the shadow."""
        return record_id(self.record.source, self.key)

    @property
    def chat(self) -> bool:
        """Whether the record is a conversation."""
        return self.record.messages is not None


def choose_hosts(plan: Plan, states: Mapping[str, StepState], each: int) -> dict[str, list[Host]]:
    """At most `each` records of every source: those with the smallest keyed hash among what reached the build's end.

    A source of which nothing did gives records that were left out, and one without any an empty file: the shadow has
    the sources of the recipe.
    """
    kept = _kept(final_shards(plan, states))
    chosen: dict[str, list[Host]] = {}
    for source in plan.recipe.sources:
        slots = [slot for slot in states["ingest"].slots if slot.source == source.name]
        shards = [slot.shard for slot in slots if slot.shard is not None and slot.shard.rows]
        shards = heapq.nsmallest(SHARDS_EACH, shards, key=lambda shard: stable_hash("audit", shard.name))
        ids = [identity for shard in shards for identity in _ids(shard)]
        survivors = [identity for identity in ids if identity in kept] or ids
        wanted = heapq.nsmallest(each, survivors, key=lambda identity: _order(plan, identity))
        found = {record.id: record for shard in shards for record in _records(shard, wanted)}
        hosts = [Host(f"audit-{i:05d}", shortened(found[identity])) for i, identity in enumerate(wanted)]
        # One raw file is read by one reader: a source that holds both keeps what its first record is.
        chosen[source.name] = [host for host in hosts if host.chat == hosts[0].chat]
    return chosen


def _order(plan: Plan, identity: str) -> str:
    return stable_hash(str(plan.recipe.spec.seed), "host", identity)


def _ids(shard: Shard) -> list[str]:
    ids: list[str] = pq.read_table(shard.path, columns=["id"])["id"].to_pylist()
    return ids


def _kept(shards: Sequence[Shard]) -> set[str]:
    return {identity.partition("#")[0] for shard in shards for identity in _ids(shard)}


def _records(shard: Shard, wanted: Sequence[str]) -> Iterator[Record]:
    ids = pa.array(sorted(wanted), pa.string())
    with pq.ParquetFile(shard.path) as file:
        for batch in file.iter_batches(batch_size=512):
            for row in batch.filter(pc.is_in(batch["id"], value_set=ids)).to_pylist():
                yield from_row(row)


def shortened(record: Record) -> Record:
    """A copy of bounded size: the text to a paragraph's or word's end, the first turns of a conversation."""
    meta = {key: value for key, value in record.meta.items() if key not in _READERS_OWN}
    if record.messages is None:
        return replace(record, text=_cut(record.text, MAX_CHARS), meta=meta)
    turns: list[Message] = []
    room = MAX_CHARS
    for message in record.messages[:MAX_TURNS]:
        if turns and room <= 0:
            break
        turns.append(replace(message, content=_cut(message.content, MAX_CHARS)))
        room -= len(message.content)
    return replace(record.with_messages(turns), meta=meta)


def _cut(text: str, size: int) -> str:
    if len(text) <= size:
        return text
    head = text[:size]
    for mark in ("\n\n", "\n", " "):
        if (at := head.rfind(mark)) > size // 2:
            return head[:at]
    return head


def raw_row(host: Host) -> dict[str, Any]:
    """The host as a row of the shadow's raw file; `raw_format` says how it is read."""
    record = host.record
    row: dict[str, Any] = {"audit_id": host.key, "audit_group": record.group}
    for key, value in record.meta.items():
        _put(row, key, value)
    if record.messages is None:
        return {**row, "audit_title": record.title, "audit_text": record.text, "audit_language": record.language}
    turns = [
        {"role": m.role, "content": m.content, "name": m.name, "time": m.time, "place": i}
        for i, m in enumerate(record.messages)
    ]
    return {**row, "audit_turns": turns}


def raw_format(hosts: Sequence[Host]) -> dict[str, Any]:
    """The `format:` of a source whose raw file holds these hosts, which are all conversations or all texts, or none."""
    meta = sorted({key for host in hosts for key in host.record.meta})
    shared = {"group": "audit_group", "meta": meta}
    if not hosts or not hosts[0].chat:
        places = {"id": "audit_id", "text": "audit_text", "title": "audit_title", "language": "audit_language"}
        return {"reader": "jsonl", **places, **shared}
    turns = {"messages": "audit_turns", "role": "role", "text": "content", "name": "name", "time": "time"}
    return {"reader": "messages", "conversation": "audit_id", **turns, "order": "place", **shared}


def _put(row: dict[str, Any], path: str, value: Any) -> None:
    """Put a value where a reader looks for a path: `a.b` within `a`."""
    *folders, last = path.split(".")
    for folder in folders:
        inner = row.setdefault(folder, {})
        row = inner if isinstance(inner, dict) else {}
    row[last] = value
