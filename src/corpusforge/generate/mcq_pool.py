"""The values that wrong options are drawn from: a bounded, hash-chosen sample for each shard and form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from corpusforge.generate.questions import Asked, decide_repeats
from corpusforge.generate.sentences import normalised
from corpusforge.record import stable_hash
from corpusforge.stage import Decision, Survey

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

PER_FORM = 400
PER_SLOT = 40
ENOUGH_TOPICS = 20
# How much sooner a value is drawn that is the right option of another item.
ASKED_FIRST = 2
_GOLDEN = 0x9E3779B97F4A7C15
_FIELDS = ("form", "slot", "value", "group", "topic")
_MARKS = ("holdout", "asked")


class Value(NamedTuple):
    """A value that answers some question: its order by hash, what it is, where it is from, and whether that question is
    among the first that its section is asked."""

    rank: str
    form: str
    slot: str
    value: str
    group: str
    topic: str
    holdout: bool
    asked: bool = False


class Offer(NamedTuple):
    """One item that a shard could make: its row, as the search for repeated questions sees it, and its answer."""

    row: Asked
    form: str
    slot: str
    value: str
    group: str
    topic: str
    asked: bool = False


@dataclass(slots=True)
class Pool:
    """The values at hand while a shard is made into items, by form and by slot."""

    by_form: dict[str, list[Value]] = field(default_factory=dict)
    by_slot: dict[str, list[Value]] = field(default_factory=dict)
    _both: dict[tuple[str, str], list[Value]] = field(default_factory=dict)

    _numbers: dict[int, tuple[NDArray[np.uint64], NDArray[np.bool_]]] = field(default_factory=dict)
    _lengths: dict[int, NDArray[np.int64]] = field(default_factory=dict)

    def lengths(self, values: list[Value]) -> NDArray[np.int64]:
        """How long each of some values of this pool is, in characters."""
        import numpy as np

        known = self._lengths.get(id(values))
        if known is None:
            known = self._lengths[id(values)] = np.array([len(value.value) for value in values], np.int64)
        return known

    def drawn(self, values: list[Value], row: str, usable: NDArray[np.bool_] | None = None) -> list[Value]:
        """Values of this pool, or those of them that are `usable`, in an order of the row's own.

        A value comes first for as many rows as any other, so that how often an option stands in the set tells nothing
        (on a ring of hashes, one behind a gap came first for many); what is right elsewhere and so stands in the set
        anyway comes first for more rows, or it would be wrong more often than right. A value more or less touches few
        items.
        """
        import numpy as np

        if not values:
            return []
        # The pool holds its lists, so that none of them is another's.
        known = self._numbers.get(id(values))
        if known is None:
            ranks = np.array([int(value.rank, 16) for value in values], np.uint64)
            known = self._numbers[id(values)] = ranks, np.array([value.asked for value in values], np.bool_)
        ranks, asked = known
        # Multiplicative hashing: the high bits of the product, of which each depends on all bits of both hashes.
        mixed = ((ranks ^ np.uint64(int(stable_hash(row), 16))) * np.uint64(_GOLDEN)) >> np.uint64(8)
        order = np.where(asked, mixed // np.uint64(ASKED_FIRST), mixed).argsort(kind="stable")
        if usable is not None:
            order = order[usable[order]]
        return [values[at] for at in order.tolist()]

    def of_slot(self, slot: str, form: str) -> list[Value]:
        """The values of a slot that are of one form, in their order."""
        found = self._both.get((slot, form))
        if found is None:
            found = self._both[slot, form] = [value for value in self.by_slot.get(slot, []) if value.form == form]
        return found


def offers_table(offers: Iterable[Offer]) -> pa.Table:
    """The survey: one line for each item that could be made."""
    import pyarrow as pa

    lines = list(offers)
    columns: dict[str, pa.Array] = {
        name: pa.array([getattr(line.row, name) for line in lines], pa.string())
        for name in ("row", "question", "answer")
    }
    columns["holdout"] = pa.array([line.row.holdout for line in lines], pa.bool_())
    columns["asked"] = pa.array([line.asked for line in lines], pa.bool_())
    for name in _FIELDS:
        columns[name] = pa.array([getattr(line, name) for line in lines], pa.string())
    return pa.table(columns)


def decide_pools(surveys: Sequence[Survey]) -> Decision:
    """Per shard: the rows to leave out (as `decide_repeats`) and the values to draw from.

    A shard draws from its own values where it has ENOUGH_TOPICS of a form, so that other shards do not touch it;
    only else from a sample of all. Memory: PER_FORM values for each form and side, and one shard's lines.
    """
    repeated = decide_repeats(surveys)
    everywhere: dict[tuple[str, bool], list[Value]] = {}
    own: dict[str, list[Value]] = {}
    for survey in sorted(surveys, key=lambda survey: survey.shard):
        values = list(_sample(_values(survey)))
        own[survey.shard] = values
        for key, few in _by_form(values).items():
            everywhere[key] = _first([*everywhere.get(key, []), *few], PER_FORM)
    tables = {}
    for shard, values in own.items():
        chosen = set(values)
        for key, few in _by_form(values).items():
            if len({value.topic for value in few}) < ENOUGH_TOPICS:
                chosen.update(everywhere[key])
                # A hold-out item may be wrong in words of the training side; never the other way round.
                chosen.update(everywhere.get((key[0], False), []))
        tables[shard] = _table(sorted(chosen), repeated.per_shard.get(shard))
    return Decision(per_shard=tables, notes=repeated.notes)


def read_pool(table: pa.Table | None) -> dict[bool, Pool]:
    """The pools of a shard: for hold-out items (True) all values, for training items (False) the training side's."""
    pools = {True: Pool(), False: Pool()}
    if table is None:
        return pools
    lines = table.filter(table["form"].is_valid())
    for line in zip(*(lines[name].to_pylist() for name in (*_FIELDS, *_MARKS)), strict=True):
        # Another hash than that of the sample, whose ranks are all small.
        value = Value(stable_hash("place", line[0], line[2]), *line)
        for side, pool in pools.items():
            if side or not value.holdout:
                pool.by_form.setdefault(value.form, []).append(value)
                pool.by_slot.setdefault(value.slot, []).append(value)
    for pool in pools.values():
        for values in (*pool.by_form.values(), *pool.by_slot.values()):
            values.sort()
    return pools


def _values(survey: Survey) -> Iterator[Value]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(survey.path) as file:
        for batch in file.iter_batches(batch_size=4096, columns=[*_FIELDS, *_MARKS]):
            for line in zip(*(batch.column(name).to_pylist() for name in (*_FIELDS, *_MARKS)), strict=True):
                yield Value(stable_hash(line[0], normalised(line[2])), *line)


def _sample(values: Iterable[Value]) -> Iterator[Value]:
    first: dict[tuple[str, str, bool], Value] = {}
    for value in values:
        # Equal values are one; the smallest stands for all, whatever the order.
        key = (value.rank, value.slot, value.holdout)
        known = first.get(key)
        also = known is not None and (known.asked or value.asked)
        first[key] = value if known is None else min(known, value)._replace(asked=also)
    kept: set[Value] = set()
    for few in _by_form(first.values()).values():
        kept.update(_first(few, PER_FORM))
    slots: dict[tuple[str, bool], list[Value]] = {}
    for value in first.values():
        slots.setdefault((value.slot, value.holdout), []).append(value)
    for few in slots.values():
        kept.update(_first(few, PER_SLOT))
    yield from sorted(kept)


def _first(values: list[Value], most: int) -> list[Value]:
    return sorted(values)[:most]


def _by_form(values: Iterable[Value]) -> dict[tuple[str, bool], list[Value]]:
    forms: dict[tuple[str, bool], list[Value]] = {}
    for value in values:
        forms.setdefault((value.form, value.holdout), []).append(value)
    return forms


def _table(values: Sequence[Value], left_out: pa.Table | None) -> pa.Table:
    import pyarrow as pa

    columns = {name: pa.array([getattr(value, name) for value in values], pa.string()) for name in _FIELDS}
    for name in _MARKS:
        columns[name] = pa.array([getattr(value, name) for value in values], pa.bool_())
    pool = pa.table(columns)
    empty = pa.table({"row": pa.array([], pa.string()), "reason": pa.array([], pa.string())})
    return pa.concat_tables([left_out if left_out is not None else empty, pool], promote_options="default")
