"""Loss on held-out text, paired with the model as it was before: what the domain gained and the public side lost."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from corpusforge_train.batch import collate
from corpusforge_train.build_files import Build
from corpusforge_train.data import Reader
from corpusforge_train.model import Trained

_NORMAL = 1.96


@dataclass(frozen=True, slots=True)
class Losses:
    """Sums over each held-out document of one side: nats, predicted tokens, bytes of text; shape [documents]."""

    nats: npt.NDArray[np.float64]
    tokens: npt.NDArray[np.float64]
    bytes: npt.NDArray[np.float64]

    def to_json(self) -> dict[str, Any]:
        """As it is kept beside the run."""
        return {"nats": self.nats.tolist(), "tokens": self.tokens.tolist(), "bytes": self.bytes.tolist()}

    @staticmethod
    def from_json(value: dict[str, Any]) -> Losses:
        """The sums of `to_json`."""
        return Losses(*(np.array(value[name], dtype=np.float64) for name in ("nats", "tokens", "bytes")))


@dataclass(frozen=True, slots=True)
class Figures:
    """One side of the hold-out: loss in nats a token, bits a byte, and the paired change with its 95% interval."""

    loss: float
    bits_per_byte: float
    change: float
    low: float
    high: float

    def to_json(self) -> dict[str, float | None]:
        """As it is logged; one document alone has no interval."""
        told = {"loss": self.loss, "bits_per_byte": self.bits_per_byte, "change": self.change}
        return {**told, "low": _finite(self.low), "high": _finite(self.high)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@torch.no_grad()
def measure(trained: Trained, build: Build, micro: int) -> dict[str, Losses]:
    """The losses of every held-out document by side (`domain`, `public`); empty if nothing was held out."""
    reader = Reader(build, "holdout")
    sides = sorted(build.packed["holdout"]["sources"])
    index = {side: number for number, side in enumerate(sides)}
    length, fill = int(build.packed["length"]), int(build.packed["eos"])
    found: dict[str, dict[str, list[float]]] = {side: {} for side in sides}
    was = trained.model.training
    trained.model.eval()
    for first in range(0, len(reader), micro):
        sequences = [reader[row] for row in range(first, min(first + micro, len(reader)))]
        batch = collate(sequences, length, fill, index)
        _, losses = trained.loss(batch)
        pieces = [
            (one.source, record, size) for one in sequences for record, size in zip(one.records, one.bytes, strict=True)
        ]
        nats = np.bincount(batch.piece, weights=losses.double().cpu().numpy(), minlength=len(pieces))
        tokens = np.bincount(batch.piece, minlength=len(pieces))
        for number, (side, record, size) in enumerate(pieces):
            sums = found[side].setdefault(record, [0.0, 0.0, 0.0])
            for place, value in enumerate((nats[number], tokens[number], size)):
                sums[place] += float(value)
    trained.model.train(was)
    return {
        side: Losses(*np.array([documents[record] for record in sorted(documents)], dtype=np.float64).T)
        for side, documents in found.items()
        if documents
    }


def compare(now: Losses, base: Losses) -> Figures:
    """Now against before, document by document: the change in nats a token and its 95% interval.

    The interval is that of a ratio of sums with documents as the unit (their tokens hang together), so it is narrow
    where the same text is easier or harder everywhere.
    """
    total = float(now.tokens.sum())
    change = float((now.nats - base.nats).sum()) / total
    apart = (now.nats - base.nats) - change * now.tokens
    n = len(apart)
    error = math.sqrt(n / (n - 1) * float((apart**2).sum())) / total if n > 1 else math.inf
    bits = float(now.nats.sum()) / math.log(2) / max(1.0, float(now.bytes.sum()))
    return Figures(float(now.nats.sum()) / total, bits, change, change - _NORMAL * error, change + _NORMAL * error)


def keep_base(path: Path, base: dict[str, Losses]) -> None:
    """Keep the losses before training, for the runs that go on from a checkpoint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({side: losses.to_json() for side, losses in base.items()}), "utf-8")
    temporary.replace(path)


def read_base(path: Path) -> dict[str, Losses] | None:
    """The losses before training, if they were kept and can be read."""
    try:
        return {side: Losses.from_json(value) for side, value in json.loads(path.read_text("utf-8")).items()}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None
