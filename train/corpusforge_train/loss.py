"""Weighted cross-entropy over the language-model head, a chunk of tokens at a time: all logits are never held.

Only tokens that weigh something are computed: a prompt of weight 0 costs no logits. Sums of chunks are kept in fp32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _WeightedLoss(torch.autograd.Function):
    """Computes the gradient in the forward pass, while a chunk's logits are there, as Liger-Kernel does."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor, chunk: int
    ) -> tuple[Tensor, Tensor]:
        matrix = head.to(hidden.dtype)
        learns_hidden, learns_head = ctx.needs_input_grad[:2]
        of_hidden = torch.zeros_like(hidden) if learns_hidden else None
        of_head = torch.zeros(head.shape, dtype=torch.float32, device=head.device) if learns_head else None
        losses = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
        for first in range(0, len(targets), chunk):
            part = slice(first, first + chunk)
            logits = (hidden[part] @ matrix.T).float()
            target = targets[part, None]
            norm = logits.logsumexp(-1)
            losses[part] = norm - logits.gather(1, target).squeeze(1)
            if of_hidden is None and of_head is None:
                continue
            slope = logits.sub_(norm[:, None]).exp_()
            slope.scatter_add_(1, target, torch.full_like(target, -1, dtype=slope.dtype))
            slope *= weights[part, None]
            slope = slope.to(hidden.dtype)
            if of_hidden is not None:
                of_hidden[part] = slope @ matrix
            if of_head is not None:
                of_head += (slope.T @ hidden[part]).float()
        ctx.save_for_backward(of_hidden, None if of_head is None else of_head.to(head.dtype))
        ctx.mark_non_differentiable(losses)
        return (losses * weights).sum(), losses

    @staticmethod
    def backward(ctx: Any, slope: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        of_hidden, of_head = ctx.saved_tensors
        scaled = [None if one is None else one * slope.to(one.dtype) for one in (of_hidden, of_head)]
        return (*scaled, None, None, None)


def weighted_loss(hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
    """The sum of weight times loss over a tokens, and each token's own loss in nats (fp32, detached, shape [a]).

    `hidden` has shape [a, h], `head` [vocabulary, h], `targets` and `weights` [a]. The caller divides by the sum of
    weights of the *whole* batch of a step: gradients of parts then add up to those of one large batch.
    """
    total, losses = _WeightedLoss.apply(hidden, head, targets, weights, chunk)
    return total, losses


def plain_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The same from logits of shape [a, vocabulary], for models whose head is more than a matrix."""
    losses = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
    return (losses * weights).sum(), losses.detach()
