"""Fits a law to losses: Huber loss and a wide prior, many starts tried at once, the best of them by L-BFGS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from corpusforge.tune.law import Array, Law, Prior

# Within 1.345 standard deviations Huber's loss is least squares and loses 5% to it where noise is normal (Huber 1964).
HUBER = 1.345
_STARTS = 48
_POLISHED = 2
_ROUNDS = 2
_TRIED = 25
_FIRST_NOISE = 0.01
# The median of what is left, as a standard deviation of normal noise: one wild measurement does not move it.
_MAD = 1.4826


@dataclass(frozen=True, slots=True)
class Data:
    """Losses to fit: share, amount and loss, each [n]."""

    share: Array
    amount: Array
    loss: Array


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted law: parameters [p], the standard deviation `noise` that the fit took losses to have, and the prior."""

    law: Law
    parameters: Array
    noise: float
    prior: Prior

    def losses(self, share: Array, amount: Array) -> Array:
        """The law's losses [n] at shares and amounts [n]."""
        losses: Array = self.law.curve(self.parameters[None], share, amount)[0][0]
        return losses


def fit(law: Law, data: Data) -> Fit:
    """The law's parameters for some losses.

    Starts are drawn from the prior by a fixed seed, so the same losses give the same fit. The noise, by which Huber's
    loss and the prior are measured, is estimated anew from the median of what each fit leaves.
    """
    prior = law.prior(data.share, data.amount, data.loss)
    drawn = np.random.default_rng(0).standard_normal((_STARTS, len(prior.mean)))
    starts = prior.mean + prior.spread * drawn * 0.7
    noise = max(_FIRST_NOISE * float(np.ptp(data.loss)), 1e-6)
    starts, costs = descend(law, data, data.loss[None], starts, prior, noise, tries=_TRIED)
    best = starts[np.argsort(costs, kind="stable")[:_POLISHED]]
    for _ in range(_ROUNDS):
        found = [_lbfgs(law, data, start, prior, noise) for start in best]
        parameters = min(found, key=lambda one: one[1])[0]
        left = data.loss - law.curve(parameters[None], data.share, data.amount)[0][0]
        freedom = max(1.0, len(left) - len(parameters))
        noise = max(_MAD * float(np.median(np.abs(left))) * np.sqrt(len(left) / freedom), 1e-6)
        best = parameters[None]
    return Fit(law, parameters, noise, prior)


def descend(
    law: Law,
    data: Data,
    losses: Array,
    starts: Array,
    prior: Prior,
    noise: float,
    weights: Array | None = None,
    tries: int = 12,
) -> tuple[Array, Array]:
    """Fits to many sets of losses at once by damped Gauss-Newton steps with Huber's weights: parameters and costs.

    `losses` has shape [b, n] or [1, n], `starts` [b, p]; `weights`, of the shape of losses, leaves places out with 0.
    A step that makes a fit worse is not taken, so no fit ends worse than it began.
    """
    now = starts.copy()
    damping = np.full(len(now), 1e-2)
    values, slopes = law.curve(now, data.share, data.amount)
    costs, pulls = _costs(values, losses, now, prior, noise, weights)
    index = np.arange(now.shape[1])
    for _ in range(tries):
        scaled = slopes / noise
        weighted = scaled * pulls[..., None]
        normal = weighted.swapaxes(1, 2) @ scaled
        normal[:, index, index] += prior.spread**-2
        normal[:, index, index] *= 1 + damping[:, None]
        right = (weighted * ((losses - values) / noise)[..., None]).sum(axis=1) + (prior.mean - now) / prior.spread**2
        tried = now + np.linalg.solve(normal, right[..., None])[..., 0]
        new_values, new_slopes = law.curve(tried, data.share, data.amount)
        new_costs, new_pulls = _costs(new_values, losses, tried, prior, noise, weights)
        better = new_costs < costs
        now[better], costs[better] = tried[better], new_costs[better]
        values[better], slopes[better], pulls[better] = new_values[better], new_slopes[better], new_pulls[better]
        damping = np.where(better, damping / 5, damping * 6)
    return now, costs


def _costs(
    values: Array, losses: Array, parameters: Array, prior: Prior, noise: float, weights: Array | None
) -> tuple[Array, Array]:
    """The cost of each fit [b], and how much each loss counts in the next step [b, n]."""
    left = np.abs(losses - values) / noise
    near = left <= HUBER
    cost = np.where(near, left**2 / 2, HUBER * (left - HUBER / 2))
    pulls = np.where(near, 1.0, HUBER / np.maximum(left, HUBER))
    if weights is not None:
        cost, pulls = cost * weights, pulls * weights
    return cost.sum(axis=1) + (((parameters - prior.mean) / prior.spread) ** 2).sum(axis=1) / 2, pulls


def _lbfgs(law: Law, data: Data, start: Array, prior: Prior, noise: float) -> tuple[Array, float]:
    """One fit by L-BFGS, in units of the prior's spread: its parameters and cost."""

    def cost(scaled: Array) -> tuple[float, Array]:
        parameters = prior.mean + prior.spread * scaled
        values, slopes = law.curve(parameters[None], data.share, data.amount)
        left = (values[0] - data.loss) / noise
        near = np.abs(left) <= HUBER
        total = np.where(near, left**2 / 2, HUBER * (np.abs(left) - HUBER / 2)).sum() + (scaled**2).sum() / 2
        slope = np.clip(left, -HUBER, HUBER) / noise
        return float(total), (slope @ slopes[0]) * prior.spread + scaled

    done = minimize(cost, (start - prior.mean) / prior.spread, jac=True, method="L-BFGS-B", options={"maxiter": 80})
    return prior.mean + prior.spread * done.x, float(done.fun)
