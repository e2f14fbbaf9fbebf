"""The share with the greatest gain on the domain among those that keep the forgetting budget."""

from __future__ import annotations

import numpy as np

from corpusforge.tune.law import Array

_STEPS = 257


def grid(least: float, most: float) -> Array:
    """Shares from the least to the most, both measured, in equal steps of ratio (of difference, from 0)."""
    steps: Array = np.linspace(least, most, _STEPS) if least == 0 else np.geomspace(least, most, _STEPS)
    steps[0], steps[-1] = least, most
    return steps


def best_shares(shares: Array, domain: Array, rise: Array, budget: float) -> Array:
    """For each of b pairs of curves the share with the lowest domain loss whose public rise keeps the budget, [b].

    `shares` has shape [g], `domain` and `rise` (nats a token) [b, g]; NaN where no share keeps the budget. A budget
    that is crossed between two shares of the grid is crossed where the straight line between them does.
    """
    allowed = rise <= budget
    best = np.where(allowed, domain, np.inf).argmin(axis=1)
    rows = np.arange(len(rise))
    after = np.minimum(best + 1, len(shares) - 1)
    here, there = rise[rows, best], rise[rows, after]
    # Past the last share allowed the gain may still grow: then the budget binds between it and the next.
    binds = ~allowed[rows, after] & (domain[rows, after] < domain[rows, best])
    part = np.where(binds, (budget - here) / np.where(binds, there - here, 1.0), 0.0)
    chosen = shares[best] + np.clip(part, 0, 1) * (shares[after] - shares[best])
    found: Array = np.where(allowed.any(axis=1), chosen, np.nan)
    return found
