"""How far runs scatter about a fitted law, and on how many degrees of freedom that is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from corpusforge.tune.fitting import Data, Fit
from corpusforge.tune.law import Array


@dataclass(frozen=True, slots=True)
class Scatter:
    """Standard deviations in nats a token: `between` whole runs, `within` a run from one measurement to another.

    The measurements of a run move together (one order of data, one set of first weights), so runs and not
    measurements are what counts: `freedom` is the number of runs less what the law could bend to.
    """

    between: float
    within: float
    freedom: float


def scatter(fitted: Fit, data: Data, places: int, seeds: Array | None) -> Scatter:
    """The scatter of runs with `places` measurements each; `seeds` [r] where what a seed adds was taken out.

    The degrees of freedom are those of the fit with its prior: the part of a run's own shift that the fit leaves in
    the run's residual, squared and summed (the trace of the residual maker for shifts).
    """
    runs = len(data.loss) // places
    _, slopes = fitted.law.curve(fitted.parameters[None], data.share, data.amount)
    scaled = slopes[0] / fitted.noise
    normal = scaled.T @ scaled + np.diag(fitted.prior.spread**-2)
    spread = np.repeat(np.eye(runs), places, axis=0)
    shifts = spread @ _without_seeds(seeds, runs)
    left = shifts - scaled @ np.linalg.solve(normal, scaled.T @ shifts)
    freedom = float((left.reshape(runs, places, runs).mean(axis=1) ** 2).sum())
    residuals = (data.loss - fitted.losses(data.share, data.amount)).reshape(runs, places)
    means = residuals.mean(axis=1)
    inside = residuals - means[:, None]
    within = np.sqrt((inside**2).sum() / max(1, runs * (places - 1) - 2)) if places > 1 else 0.0
    return Scatter(float(np.sqrt((means**2).sum() / max(freedom, 1e-9))), float(within), freedom)


def _without_seeds(seeds: Array | None, runs: int) -> Array:
    """The matrix [r, r] that takes out of runs what their seed adds to all of them."""
    if seeds is None:
        return np.eye(runs)
    same = (seeds[:, None] == seeds[None, :]).astype(np.float64)
    taken: Array = np.eye(runs) - same / same.sum(axis=1, keepdims=True) + 1 / runs
    return taken
