"""Activation checkpointing: what of a layer's forward pass is kept for the backward pass, and what is done again."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial
from typing import Any, Literal

import torch
from torch import nn
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

Recompute = Literal["none", "selective", "full"]
# Where the time goes: matrix products and attention. All else is cheap to do again.
_KEPT = (
    "aten.mm",
    "aten.addmm",
    "aten._scaled_dot_product_flash_attention",
    "aten._scaled_dot_product_efficient_attention",
    "aten._scaled_dot_product_cudnn_attention",
    "aten._scaled_dot_product_flash_attention_for_cpu",
    "torch_attn._varlen_attn",
    "higher_order.flex_attention",
)


def _operators() -> frozenset[Any]:
    """The operators of `_KEPT` that this version of torch has."""
    found = []
    for name in _KEPT:
        space, _, own = name.partition(".")
        operator = getattr(getattr(torch.ops, space), own, None)
        if operator is not None:
            found.append(getattr(operator, "default", operator))
    return frozenset(found)


def _selected() -> Any:
    """The contexts of the first and the second pass of a selective checkpoint."""
    kept = _operators()

    def policy(context: Any, operator: Any, *args: Any, **named: Any) -> CheckpointPolicy:
        return CheckpointPolicy.MUST_SAVE if operator in kept else CheckpointPolicy.PREFER_RECOMPUTE

    return create_selective_checkpoint_contexts(policy)


def set_recompute(layers: Iterable[nn.Module], which: Recompute, dropout: bool) -> None:
    """Make each layer forget its activations but for its input (`full`), or but for the results of matrix products and
    attention too (`selective`); `none` leaves them as they are.

    Losses and gradients are the same. With `dropout` the second pass draws what the first drew. A layer that is
    compiled afterwards has this in its graph.
    """
    if which == "none":
        return
    words: dict[str, Any] = {"use_reentrant": False, "preserve_rng_state": dropout}
    if which == "selective":
        words["context_fn"] = _selected
    for layer in layers:
        kind: Any = type(layer)
        layer.__class__ = _recomputing(kind, tuple(words.items()))


@cache
def _recomputing(kind: type[nn.Module], words: tuple[tuple[str, Any], ...]) -> type[nn.Module]:
    """The class of a layer with a forward pass that is checkpointed.

    A class, since a function of each layer's own would be compiled for each layer, and one of torch's own not at all.
    """

    def forward(self: nn.Module, *args: Any, **named: Any) -> Any:
        return checkpoint(partial(kind.forward, self), *args, **dict(words), **named)

    return type(kind.__name__, (kind,), {"forward": forward, "__module__": kind.__module__})
