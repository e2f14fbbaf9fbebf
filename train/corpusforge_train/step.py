"""One step on the device: the gradients of all its batches, then the update; nothing here waits for the device."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from corpusforge_train.batch import Batch
    from corpusforge_train.model import Trained
    from corpusforge_train.optimizer import AdamW


def add_gradients(trained: Trained, batches: Iterable[Batch], weight: Tensor, sums: Tensor, idle: bool = False) -> None:
    """Add the gradients of some batches of a step whose loss weights sum to `weight` (on the device) over all parts.

    Each source's loss times weight, and weight, are added to its row of `sums`, shape [sources, 2]. Batches in which
    nothing is predicted are passed over, unless other processes wait for their passes (`idle`).
    """
    for batch in batches:
        if not (len(batch.active) or idle):
            continue
        total, losses = trained.loss(batch)
        (total / weight).backward()
        weights, owner = trained.tensor(batch.weights), trained.tensor(batch.source)
        sums.index_add_(0, owner, torch.stack([losses * weights, weights], dim=1).to(sums.dtype))


def update(optimizer: AdamW, rate: float, clip: float, measure: bool) -> tuple[Tensor, float | None]:
    """Update the weights by their gradients, clipped to a norm, and forget these; the norm (on the device).

    With `measure` also the share of the update that the weights took, which waits for the device.
    """
    norm = optimizer.norm()
    scale = (clip / norm.clamp_min(1e-12)).clamp_max(1.0)
    share = optimizer.step(rate, scale, measure)
    optimizer.clear()
    return norm, share
