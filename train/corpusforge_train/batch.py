"""A packed sequence, and the arrays of a batch made of some: what the model's parts know of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusforge_train.ledger import UNIT, Entry, Ledger


@dataclass(frozen=True, slots=True)
class PackedSequence:
    """One packed sequence of n tokens in k pieces: `ids` and `weights` have shape [n], `lengths` to `bytes` shape [k].

    `weights` weigh the prediction *of* each token, 0 where a piece begins; a piece is `lengths` tokens of its record,
    which has `sizes`, from `starts` on.
    """

    source: str
    ids: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    lengths: npt.NDArray[np.int64]
    epochs: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    bytes: npt.NDArray[np.int64]
    records: list[str]

    def ledger(self) -> Ledger:
        """What this sequence adds to the ledger."""
        ledger = Ledger()
        ends = np.cumsum(self.lengths)
        for k, end in enumerate(ends.tolist()):
            length = int(self.lengths[k])
            # In doubles: sums of floats of 24 bits are exact there, whatever their order.
            weight = round(float(self.weights[end - length : end].sum(dtype=np.float64)) * UNIT)
            whole = int(self.starts[k]) + length == int(self.sizes[k])
            ledger.count(self.source, int(self.epochs[k]), Entry(length, 1, int(whole), weight))
        return ledger


@dataclass(frozen=True, slots=True)
class Batch:
    """b sequences, filled to `length` tokens each.

    `input_ids` and `position_ids` have shape [b, length]; positions restart at each piece (and at the filling), which
    is what keeps pieces apart. The a predicted tokens: `active` is where their logits stand in the flattened batch,
    `targets` what they should say, `weights` how much it counts, `source` and `piece` to whom it belongs; shape [a].
    """

    input_ids: npt.NDArray[np.int64]
    position_ids: npt.NDArray[np.int64]
    active: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    source: npt.NDArray[np.int64]
    piece: npt.NDArray[np.int64]

    @property
    def ends(self) -> npt.NDArray[np.int32]:
        """Where pieces (and fillings) begin in the flattened batch, and its end; shape [pieces + 1]."""
        firsts = np.flatnonzero(self.position_ids.reshape(-1) == 0)
        return np.append(firsts, self.position_ids.size).astype(np.int32)

    @property
    def weight(self) -> float:
        """Sum of the weights of all predicted tokens."""
        return float(self.weights.sum(dtype=np.float64))


def collate(sequences: Sequence[PackedSequence], length: int, fill: int, sources: Mapping[str, int]) -> Batch:
    """A batch of sequences; `fill` is the id behind their ends. `piece` numbers the pieces of the batch from 0."""
    ids = np.full((len(sequences), length), fill, dtype=np.int64)
    positions = np.zeros((len(sequences), length), dtype=np.int64)
    parts: list[tuple[npt.NDArray[Any], ...]] = []
    pieces = 0
    for row, sequence in enumerate(sequences):
        n = len(sequence.ids)
        ids[row, :n] = sequence.ids
        lengths = [*sequence.lengths.tolist(), length - n]
        positions[row] = np.concatenate([np.arange(one) for one in lengths])
        # The token at place t is predicted from place t - 1, within its piece: first tokens have no weight.
        at = np.flatnonzero(sequence.weights)
        owner = np.searchsorted(np.cumsum(sequence.lengths), at, side="right") + pieces
        source = np.full(len(at), sources[sequence.source])
        parts.append((row * length + at - 1, sequence.ids[at], sequence.weights[at], source, owner))
        pieces += len(sequence.lengths)
    active, targets, weights, source, piece = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Batch(
        ids,
        positions,
        active.astype(np.int64),
        targets.astype(np.int64),
        weights.astype(np.float32),
        source.astype(np.int64),
        piece.astype(np.int64),
    )


def idle(length: int, fill: int) -> Batch:
    """A batch in which nothing is predicted, for a process that has no sequence left while others have."""
    none = np.empty(0, dtype=np.int64)
    ids, positions = np.full((1, length), fill, dtype=np.int64), np.arange(length)[None]
    return Batch(ids, positions, none, none, none.astype(np.float32), none, none)
