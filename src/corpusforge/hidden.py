"""Short contexts of what redaction hid, chosen evenly over kinds and sources: from these a reader judges precision."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusforge.record import SYNTHETIC, stable_hash
from corpusforge.shards import Shard

SHOWN = 40
EACH_CELL = 4
_AROUND = 60
_LEAD = 24
# What a kind and a source have so far: order, words before, and what is shown, of the foremost few.
_Cells = dict[tuple[str, str], list[tuple[str, str, dict[str, str]]]]


def hidden_in_context(shards: Sequence[Shard], seed: int) -> list[dict[str, str]]:
    """At most `SHOWN` of what was hidden, each `{"kind", "source", "id", "text"}`, sorted by kind and source.

    Of each kind and source the records first by keyed hash, one place of each and none twice after the same words; then
    a kind at a time in turn, its sources in turn, so that rare kinds and small sources are seen too. A surrogate is
    shown as a placeholder of its kind. The same for any order or size of shards.
    """
    cells: _Cells = defaultdict(list)
    made = pa.array(SYNTHETIC, pa.string())
    for shard in shards:
        with pq.ParquetFile(shard.path) as file:
            for batch in file.iter_batches(columns=["id", "source", "kind", "text", "spans"], batch_size=512):
                spotted = pc.greater(pc.list_value_length(batch["spans"]), 0)
                _collect(
                    batch.filter(pc.and_(spotted, pc.invert(pc.is_in(batch["kind"], value_set=made)))), seed, cells
                )
    by_kind: dict[str, list[tuple[int, str, dict[str, str]]]] = defaultdict(list)
    for (kind, _), best in cells.items():
        by_kind[kind] += [(rank, order, row) for rank, (order, _, row) in enumerate(best)]
    turns = [
        (turn, order, row)
        for rows in by_kind.values()
        for turn, (_, order, row) in enumerate(sorted(rows, key=lambda one: one[:2]))
    ]
    chosen = heapq.nsmallest(SHOWN, turns, key=lambda one: one[:2])
    return [row for _, order, row in sorted(chosen, key=lambda one: (one[2]["kind"], one[2]["source"], one[1]))]


def _collect(batch: pa.RecordBatch, seed: int, cells: _Cells) -> None:
    """Offer a batch's records, one place of each kind, to the cells."""
    ids, sources = batch["id"].to_pylist(), batch["source"].to_pylist()
    rows = pc.list_parent_indices(batch["spans"]).to_pylist()
    kinds = pc.struct_field(pc.list_flatten(batch["spans"]), "kind").to_pylist()
    for row, kind in sorted(set(zip(rows, kinds, strict=True))):
        order = stable_hash(str(seed), "hidden", ids[row], kind)
        best = cells[kind, sources[row]]
        if len(best) == EACH_CELL and order >= best[-1][0]:
            continue
        spans = [span for span in batch["spans"][row].as_py() if span["end"] > span["start"]]
        places = [span for span in spans if span["kind"] == kind]
        if places:
            text = batch["text"][row].as_py()
            span = min(places, key=lambda one: stable_hash(order, str(one["start"])))
            # Templated chats say the same before it again and again: once is enough.
            lead = text[max(0, span["start"] - _LEAD) : span["start"]]
            same = next((one for one in best if one[1] == lead), None)
            if same is not None and same[0] < order:
                continue
            if same is not None:
                best.remove(same)
            shown = {"kind": kind, "source": sources[row], "id": ids[row], "text": _context(text, span, spans)}
            best.append((order, lead, shown))
            best.sort(key=lambda one: one[:2])
            del best[EACH_CELL:]


def _context(text: str, span: Mapping[str, Any], spans: Sequence[Mapping[str, Any]]) -> str:
    """The words around a place; whole words, on one line."""
    start, end = span["start"], span["end"]
    before = _shown(text, max(0, start - _AROUND), start, spans)
    after = _shown(text, end, min(len(text), end + _AROUND), spans)
    if start > _AROUND:
        before = "…" + before[before.find(" ") + 1 :]
    if end + _AROUND < len(text) and " " in after:
        after = after[: after.rfind(" ")].rstrip() + "…"
    return " ".join(f"{before}{_shown(text, start, end, spans)}{after}".split())


def _shown(text: str, start: int, end: int, spans: Sequence[Mapping[str, Any]]) -> str:
    """`text[start:end]` with a placeholder for every surrogate that lies in it."""
    made, done = "", start
    for span in sorted(spans, key=lambda one: (one["start"], one["end"])):
        if done <= span["start"] < span["end"] <= end:
            written = text[span["start"] : span["end"]]
            placeholder = written.startswith("<") and written.endswith(">")
            made += text[done : span["start"]] + (written if placeholder else f"<{span['kind']}_1>")
            done = span["end"]
    return made + text[done:end]
