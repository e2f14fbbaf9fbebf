"""Reads packed sequences at any place of a run."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from corpusforge_train.batch import Batch, PackedSequence, collate, idle
from corpusforge_train.build_files import Build
from corpusforge_train.errors import WrongUse
from corpusforge_train.plan import DataPlan

_HELD_GROUPS = 8
RoleWeights = Mapping[str, Mapping[Any, float]]


class Reader:
    """Sequences of one output by their row; keeps a few row groups in memory.

    `weights` replaces the build's loss weights by source and role.
    """

    def __init__(self, build: Build, name: str, weights: RoleWeights | None = None) -> None:
        self._roles: list[str] = build.packed["roles"]
        self._weights = dict(weights or {})
        self._groups: list[tuple[Path, int]] = []
        firsts = [0]
        for path in build.files(name):
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    self._groups.append((path, group))
                    firsts.append(firsts[-1] + file.metadata.row_group(group).num_rows)
        self._firsts = np.array(firsts)
        self._held: OrderedDict[int, list[PackedSequence]] = OrderedDict()

    def __len__(self) -> int:
        return int(self._firsts[-1])

    def __getitem__(self, row: int) -> PackedSequence:
        group = int(np.searchsorted(self._firsts, row, side="right")) - 1
        if group not in self._held:
            self._held[group] = list(self._read(group))
            if len(self._held) > _HELD_GROUPS:
                self._held.popitem(last=False)
        return self._held[group][row - int(self._firsts[group])]

    def _read(self, group: int) -> Iterator[PackedSequence]:
        path, number = self._groups[group]
        with pq.ParquetFile(path) as file:
            table = file.read_row_group(number)
        columns = {name: _rows(table[name].combine_chunks()) for name in table.schema.names if name not in _WORDS}
        records = table["ids"].to_pylist()
        for place, source in enumerate(table["source"].to_pylist()):
            own = {name: values[place] for name, values in columns.items()}
            weights = own["loss_weights"]
            if source in self._weights:
                by_role = self._weights[source]
                weights = weights.copy()
                for index, role in enumerate(self._roles):
                    if role in by_role:
                        weights[own["roles"] == index] = by_role[role]
                weights[np.concatenate([[0], np.cumsum(own["seq_lengths"])[:-1]])] = 0
            yield PackedSequence(
                source,
                own["input_ids"],
                weights,
                own["seq_lengths"].astype(np.int64),
                own["repeats"].astype(np.int64),
                own["starts"],
                own["sizes"],
                own["bytes"],
                records[place],
            )


_WORDS = ("source", "ids")


def _rows(column: Any) -> list[npt.NDArray[Any]]:
    """The lists of a column as arrays."""
    offsets = column.offsets.to_numpy()
    values = column.values.to_numpy()
    return [values[a:b] for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]


class Feed:
    """The sequences of a run by their position."""

    def __init__(self, build: Build, plan: DataPlan, weights: RoleWeights | None = None) -> None:
        self.plan = plan
        self._readers = [Reader(build, name, weights) for name in plan.outputs]
        self._sources = {name: number for number, name in enumerate(plan.sources)}
        self._fill = int(build.packed["eos"])

    def __getitem__(self, position: int) -> PackedSequence:
        return self._readers[self.plan.output[position]][int(self.plan.row[position])]

    def batches(
        self, positions: Sequence[int], micro: int, at_least: int = 0
    ) -> Iterator[tuple[list[PackedSequence], Batch]]:
        """The sequences at some positions, `micro` at a time, with their batch; idle ones up to `at_least`."""
        made = -(-len(positions) // micro)
        for first in range(0, len(positions), micro):
            sequences = [self[position] for position in positions[first : first + micro]]
            yield sequences, collate(sequences, self.plan.length, self._fill, self._sources)
        for _ in range(made, at_least):
            yield [], idle(self.plan.length, self._fill)


def check_learnable(feed: Feed) -> dict[str, float]:
    """The sum of loss weights of each source. Raises WrongUse for a document of which no token is learned from.

    Such a document costs its whole forward pass and teaches nothing: mostly a mask that fell on the wrong turn.
    """
    found: dict[str, float] = dict.fromkeys(feed.plan.sources, 0.0)
    silent: dict[str, int] = {}
    open_records: dict[tuple[int, str, str, int], tuple[float, int]] = {}
    for position in range(len(feed.plan)):
        sequence = feed[position]
        firsts = np.concatenate([[0], np.cumsum(sequence.lengths)[:-1]])
        sums = np.add.reduceat(sequence.weights.astype(np.float64), firsts)
        found[sequence.source] += float(sums.sum())
        for k, piece in enumerate(sums.tolist()):
            own, left = piece, int(sequence.sizes[k] - sequence.lengths[k])
            if left:
                output = int(feed.plan.output[position])
                key = (output, sequence.source, sequence.records[k], int(sequence.epochs[k]))
                before, missing = open_records.pop(key, (0.0, int(sequence.sizes[k])))
                own, left = before + own, missing - int(sequence.lengths[k])
                if left:
                    open_records[key] = (own, left)
                    continue
            if own == 0:
                silent[sequence.source] = silent.get(sequence.source, 0) + 1
    if silent:
        told = ", ".join(f"{count} of {source}" for source, count in sorted(silent.items()))
        hint = "Give a role of theirs a weight (loss.weights), or leave the source out of the mix."
        raise WrongUse(f"documents without any token to learn from: {told}.", hint=hint)
    return found
