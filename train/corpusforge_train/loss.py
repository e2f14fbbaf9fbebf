"""Weighted cross-entropy over the language-model head, a chunk of tokens at a time: all logits are never held.

Only tokens that weigh something are computed: a prompt of weight 0 costs no logits. Sums of chunks are kept in fp32.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor


def _slopes(logits: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Each token's loss, and the gradient of its logits times its weight in the logits' own type."""
    exact = logits.float()
    norm = exact.logsumexp(-1, keepdim=True)
    losses = (norm - exact.gather(1, targets[:, None])).squeeze(1)
    hit = torch.arange(logits.shape[1], device=logits.device) == targets[:, None]
    return losses, (exact - norm).exp_().sub_(hit.float()).mul_(weights[:, None]).to(logits.dtype)


@cache
def _compiled_slopes() -> Any:
    """`_slopes` as one kernel; the number of tokens differs from batch to batch."""
    return torch.compile(_slopes, dynamic=True)


class _WeightedLoss(torch.autograd.Function):
    """Computes the gradient in the forward pass, while a chunk's logits are there, as Liger-Kernel does."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor, chunk: int, fused: bool
    ) -> tuple[Tensor, Tensor]:
        matrix = head.to(hidden.dtype)
        learns_hidden, learns_head = ctx.needs_input_grad[:2]
        of_hidden = torch.empty_like(hidden) if learns_hidden else None
        of_head = torch.zeros(head.shape, dtype=torch.float32, device=head.device) if learns_head else None
        losses = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
        slopes = _compiled_slopes() if fused else _slopes
        for first in range(0, len(targets), chunk):
            part = slice(first, first + chunk)
            losses[part], slope = slopes(hidden[part] @ matrix.T, targets[part], weights[part])
            if of_hidden is not None:
                of_hidden[part] = slope @ matrix
            if of_head is not None:
                of_head += slope.T @ hidden[part]
        ctx.save_for_backward(of_hidden, None if of_head is None else of_head.to(head.dtype))
        ctx.mark_non_differentiable(losses)
        return (losses * weights).sum(), losses

    @staticmethod
    def backward(ctx: Any, slope: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        # The slope stays fp32: one over the weight of a batch, rounded to 8 bits, would bend the whole gradient.
        return (*(None if one is None else one * slope for one in ctx.saved_tensors), None, None, None, None)


def weighted_loss(
    hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor, chunk: int, fused: bool = False
) -> tuple[Tensor, Tensor]:
    """The sum of weight times loss over a tokens, and each token's own loss in nats (fp32, detached, shape [a]).

    `hidden` has shape [a, h], `head` [vocabulary, h], `targets` and `weights` [a]. The caller divides by the sum of
    weights of the *whole* batch of a step: gradients of parts then add up to those of one large batch. `fused` compiles
    what is done to the logits into one kernel.
    """
    total, losses = _WeightedLoss.apply(hidden, head, targets, weights, chunk, fused)
    return total, losses


def plain_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The same from logits of shape [a, vocabulary], for models whose head is more than a matrix."""
    losses = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
    return (losses * weights).sum(), losses.detach()
