"""The data plan of a run: which sequence comes at which position, under a hash that guards it.

A position counts sequences from the beginning of the run, whatever the batch, the accumulation or the number of
processes: a step that begins at position p with a batch of n consumes the places p to p + n. (trl, transformers and
torchtune count batches or epochs: another batch size skips data that was never seen.)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusforge_train.build_files import Build
from corpusforge_train.errors import WrongUse

_VERSION = 1


@dataclass(frozen=True, slots=True)
class DataPlan:
    """Places of a run. Place i is row `row[i]` of output `outputs[output[i]]`, a sequence of `tokens[i]` tokens of
    `sources[source[i]]`; all arrays have shape [sequences]. A stage of the mix begins at each place of `stages`.
    """

    outputs: tuple[str, ...]
    sources: tuple[str, ...]
    length: int
    output: npt.NDArray[np.int8]
    row: npt.NDArray[np.int64]
    source: npt.NDArray[np.int16]
    tokens: npt.NDArray[np.int64]
    hash: str
    stages: tuple[int, ...] = (0,)

    def __len__(self) -> int:
        return len(self.row)

    @property
    def total(self) -> int:
        """Tokens of the whole run."""
        return int(self.tokens.sum())

    def steps(self, batch: int, position: int = 0) -> int:
        """Optimiser steps that are left from a position; the last may be smaller, for nothing is dropped."""
        return -(-(len(self) - position) // batch)

    def largest_deviation(self) -> float:
        """The largest difference between what a source had at any place and its share of it, in whole sequences. Both
        count from the beginning of the stage that the place lies in, and the share is the stage's own.
        """
        return max(self._deviation(begin, end) for begin, end in self.bounds())

    def _deviation(self, begin: int, end: int) -> float:
        had = np.zeros((end - begin, len(self.sources)))
        had[np.arange(end - begin), self.source[begin:end]] = self.tokens[begin:end]
        had = had.cumsum(axis=0)
        return float(np.abs(had - had[-1] / had[-1].sum() * had.sum(axis=1)[:, None]).max() / self.length)

    def bounds(self) -> list[tuple[int, int]]:
        """Where each stage begins and ends."""
        return list(zip(self.stages, (*self.stages[1:], len(self)), strict=True))

    def stage_of(self, position: int) -> int:
        """The number of the stage, from 1, that the sequence before a position belongs to."""
        return sum(begin < max(1, position) for begin in self.stages)

    def tokens_of(self, begin: int, end: int, output: str | None = None) -> dict[str, int]:
        """Tokens of each source between two places, of one output or all."""
        chosen = np.ones(end - begin, dtype=bool)
        if output is not None:
            chosen = self.output[begin:end] == self.outputs.index(output)
        source, tokens = self.source[begin:end][chosen], self.tokens[begin:end][chosen]
        counts = np.bincount(source, weights=tokens, minlength=len(self.sources))
        return {name: int(count) for name, count in zip(self.sources, counts, strict=True) if count}


def make_plan(build: Build, outputs: Sequence[str]) -> DataPlan:
    """The plan of a run over some outputs of a build.

    One output keeps the order in which it is packed. Several are merged by the middle of each sequence's share of its
    output, so that at every place each output is within half a sequence of its share. Raises WrongUse for an output
    that the build does not have.
    """
    known = build.packed["outputs"]
    for name in outputs:
        if name not in known or not known[name]["sequences"]:
            hint = f"It has {', '.join(known) or 'none'}."
            raise WrongUse(f"the build has no packed {name}.", where=str(build.folder), hint=hint)
    found = [_sequences(build.files(name)) for name in outputs]
    middles, owners, rows = [], [], []
    for number, (_, tokens) in enumerate(found):
        ends = np.cumsum(tokens)
        middles.append((2 * ends - tokens) / (2 * int(ends[-1])))
        owners.append(np.full(len(tokens), number, dtype=np.int8))
        rows.append(np.arange(len(tokens), dtype=np.int64))
    order = np.argsort(np.concatenate(middles), kind="stable") if len(found) > 1 else np.arange(len(rows[0]))
    sources = tuple(sorted({name for names, _ in found for name in names}))
    index = {name: number for number, name in enumerate(sources)}
    source = np.concatenate([np.array([index[name] for name in names], dtype=np.int16) for names, _ in found])
    owner = np.concatenate(owners)[order]
    begins = {0}
    for number, name in enumerate(outputs):
        sequences = [stage["sequences"] for stage in known[name].get("stages", ())]
        firsts = np.flatnonzero(owner == number)
        begins.update(int(firsts[k]) for k in np.cumsum(sequences[:-1]).tolist() if k < len(firsts))
    return DataPlan(
        tuple(outputs),
        sources,
        int(build.packed["length"]),
        owner,
        np.concatenate(rows)[order],
        source[order],
        np.concatenate([tokens for _, tokens in found])[order],
        _hash(build, outputs),
        tuple(sorted(begins)),
    )


def stages_differ(build: Build, plan: DataPlan) -> list[str]:
    """Outputs of which a stage does not hold, source by source, the tokens that the manifest tells of it."""
    wrong = []
    for number, name in enumerate(plan.outputs):
        told = build.packed["outputs"][name].get("stages", ())
        own = np.flatnonzero(plan.output == number).tolist()
        begin = 0
        for stage in told:
            end = begin + stage["sequences"]
            first, last = (own[begin], own[end - 1] + 1) if end > begin else (0, 0)
            wanted = {source: count for source, count in stage["sources"].items() if count}
            if end > len(own) or plan.tokens_of(first, last, name) != wanted:
                wrong.append(name)
                break
            begin = end
    return wrong


def _sequences(files: Sequence[Path]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The source and the number of tokens of each sequence of an output."""
    names: list[str] = []
    tokens = []
    for path in files:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=["source", "seq_lengths"])
                lengths = table["seq_lengths"].combine_chunks()
                names += table["source"].to_pylist()
                ends = np.concatenate([[0], np.cumsum(lengths.flatten().to_numpy())])
                counts = pc.list_value_length(lengths).to_numpy()
                bounds = np.concatenate([[0], np.cumsum(counts)])
                tokens.append(np.diff(ends[bounds]))
    return names, np.concatenate(tokens).astype(np.int64)


def _hash(build: Build, outputs: Sequence[str]) -> str:
    """Stands for every token and its place: the packed files' bytes, their length, and how outputs are merged."""
    files = [[file["sha256"] for file in build.packed["outputs"][name]["files"]] for name in outputs]
    value = [_VERSION, build.packed["format"], build.packed["length"], build.packed["eos"], list(outputs), files]
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
