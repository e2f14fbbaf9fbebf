"""Keeps what was mined of a record: for the next stage in this process, and in a survey for the stage's own rows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import orjson

from corpusforge.generate.qa_miner import mine
from corpusforge.generate.qa_pair import Ask, Pair
from corpusforge.record import Record
from corpusforge.stage import StageContext

if TYPE_CHECKING:
    import pyarrow as pa

HELD_CHARS = 16_000_000


class _Held:
    """The pairs of the records mined last, until they are asked for once more; bounded by the length of their texts."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, tuple[Record, list[Pair]]] = OrderedDict()
        self._chars = 0

    def put(self, record: Record, pairs: list[Pair]) -> None:
        self.take(record)
        self._found[record.id] = (record, pairs)
        self._chars += len(record.text)
        while self._chars > HELD_CHARS:
            _, (oldest, _) = self._found.popitem(last=False)
            self._chars -= len(oldest.text)

    def take(self, record: Record) -> list[Pair] | None:
        held = self._found.pop(record.id, None)
        if held is None:
            return None
        self._chars -= len(held[0].text)
        # One id may stand for other text in another build, or in another state of this one.
        return held[1] if held[0] == record else None


_held = _Held()


def mined(record: Record) -> list[Pair]:
    """What `mine` finds; a page that one generator has surveyed is not mined again for the next one.

    Conversations are read by one generator alone.
    """
    if record.messages is not None:
        return mine(record)
    pairs = _held.take(record)
    if pairs is None:
        pairs = mine(record)
        _held.put(record, pairs)
    return pairs


def with_pairs(table: pa.Table, lines: Iterable[tuple[str, Pair]], *, siblings: bool) -> pa.Table:
    """A survey with two more columns, so that `apply` need not mine: each line's record id and its pair."""
    import pyarrow as pa

    kept = list(lines)
    table = table.append_column("record", pa.array([identity for identity, _ in kept], pa.string()))
    packed = [_packed(pair, siblings) for _, pair in kept]
    return table.append_column("pair", pa.array(packed, pa.binary()))


def surveyed_rows(ctx: StageContext, *more: str) -> dict[str, list[tuple[Any, ...]]] | None:
    """The lines of this shard's survey by record id, in their order; None without such a survey.

    Each is (row, packed pair, *more columns).

    Memory: the shard's own lines.
    """
    import pyarrow.parquet as pq

    # A survey of before has no pairs.
    if ctx.surveyed is None or "pair" not in pq.read_schema(ctx.surveyed).names:
        return None
    table = pq.read_table(ctx.surveyed, columns=["record", "row", "pair", *more])
    found: dict[str, list[tuple[Any, ...]]] = {}
    for record, *line in zip(*(column.to_pylist() for column in table.columns), strict=True):
        found.setdefault(record, []).append(tuple(line))
    return found


def _packed(pair: Pair, siblings: bool) -> bytes:
    ask = pair.ask
    beside = pair.siblings if siblings else ()
    return orjson.dumps(
        (pair.template, pair.family, ask.template, ask.seed, ask.slots, pair.answer, pair.spans, pair.section,
         pair.slot, beside)
    )  # fmt: skip


def unpacked(packed: bytes) -> Pair:
    """The pair of a survey's line."""
    template, family, asking, seed, slots, answer, spans, section, slot, beside = orjson.loads(packed)
    ask = Ask(asking, seed, tuple(map(tuple, slots)))
    return Pair(template, family, ask, answer, tuple(map(tuple, spans)), section, slot, tuple(beside))
