"""Curves that the losses allow: bootstrap fits of both laws, each law by how well it foretells a share left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from corpusforge.tune.dcpt import Dcpt
from corpusforge.tune.exponential import Exponential
from corpusforge.tune.fitting import Data, Fit, descend, fit
from corpusforge.tune.law import Array, Law, Prior
from corpusforge.tune.proxies import Proxies, Side
from corpusforge.tune.scatter import Scatter, scatter

DRAWS = 1000
_REFIT = 10


@dataclass(frozen=True, slots=True)
class Candidate:
    """A law fitted to one side: its data, `places` a run, scatter, and its `weight` among the laws."""

    fit: Fit
    data: Data
    places: int
    scatter: Scatter
    weight: float


def candidates(proxies: Proxies, side: Side, amount: float) -> list[Candidate]:
    """The laws of one side, fitted and weighed; `amount` is the target's tokens in units of a whole run.

    Where runs end the exponential is asked too; a target of other tokens only the D-CPT law knows.
    """
    share = proxies.share_of(side)
    laws: list[tuple[Law, int]] = [(Dcpt(), proxies.tokens.shape[1])]
    if abs(amount - 1) < 1e-9:
        laws.append((Exponential(float(np.ptp(share)) / 2 + float(share.min()), float(np.ptp(share))), 1))
    seeds = proxies.seed if proxies.paired else None
    found = []
    for law, places in laws:
        data = _data(proxies, side, places)
        fitted = fit(law, data)
        found.append(Candidate(fitted, data, places, scatter(fitted, data, places, seeds), 1.0))
    scores = np.array([_left_out(one, proxies, side) for one in found])
    # A normal likelihood of what was foretold, one for each share left out: a law twice as wrong as the other counts a
    # fraction, and luck on three shares does not silence either.
    likely = scores ** (-(len(np.unique(proxies.share)) - 2) / 2)
    weights = likely / likely.sum()
    return [replace(one, weight=float(weight)) for one, weight in zip(found, weights, strict=True)]


def draw(
    found: Sequence[Candidate], share: Array, amount: float, seed: int, count: int = DRAWS, times: int = 1
) -> Array:
    """Losses [count, g] at shares [g] and one amount, as bootstrap fits of the candidates by their weights.

    Each draw shifts whole runs by normal noise whose size is itself uncertain (its chi-square has the scatter's
    degrees of freedom), shakes the measurements within them, and moves the prior as much as the prior allows.
    `times` asks what as many runs of the same kind again would show: 2 for twice the runs.
    """
    counts = np.floor(np.cumsum([0.0, *(one.weight for one in found)]) * count + 0.5).astype(int)
    counts[-1] = count
    made = [
        _curves(one, share, amount, np.random.default_rng([seed, number]), int(last - first), times)
        for number, (one, first, last) in enumerate(zip(found, counts[:-1], counts[1:], strict=True))
    ]
    whole = np.concatenate(made)
    shuffled: Array = whole[np.random.default_rng([seed, len(found)]).permutation(count)]
    return shuffled


def _curves(
    one: Candidate, share: Array, amount: float, generator: np.random.Generator, count: int, times: int
) -> Array:
    if count == 0:
        return np.empty((0, len(share)))
    runs = len(one.data.loss) // one.places
    # One degree less than the fit's own, for the law was chosen by the same losses.
    freedom = max(one.scatter.freedom - 1, 0.5) + runs * (times - 1)
    sizes = np.sqrt(freedom / generator.chisquare(freedom, count)) / np.sqrt(times)
    shifts = generator.standard_normal((count, runs)) * sizes[:, None] * one.scatter.between
    shakes = generator.standard_normal((count, runs, one.places)) * one.scatter.within / np.sqrt(times)
    shakes -= shakes.mean(axis=2, keepdims=True)
    losses = one.data.loss + (shifts[:, :, None] + shakes).reshape(count, -1)
    prior = one.fit.prior
    moved = prior.mean + prior.spread * generator.standard_normal((count, len(prior.mean)))
    starts = np.repeat(one.fit.parameters[None], count, axis=0)
    parameters, _ = descend(
        one.fit.law, one.data, losses, starts, Prior(moved, prior.spread), one.fit.noise, tries=_REFIT
    )
    return one.fit.law.curve(parameters, share, np.full(len(share), amount))[0]


def _data(proxies: Proxies, side: Side, places: int) -> Data:
    """The last `places` measurements of each run."""
    losses = proxies.losses(side)[:, -places:]
    amount = proxies.tokens[:, -places:] / proxies.tokens[:, -1:]
    share = np.repeat(proxies.share_of(side), places)
    return Data(share, amount.ravel(), losses.ravel())


def _left_out(one: Candidate, proxies: Proxies, side: Side) -> float:
    """The mean squared error at the end of runs whose share was left out of the fit; shares between others alone."""
    share = proxies.share_of(side)
    inner = np.unique(share)[1:-1]
    weights = np.array([(np.repeat(share, one.places) != left) * 1.0 for left in inner])
    starts = np.repeat(one.fit.parameters[None], len(inner), axis=0)
    data, prior = one.data, one.fit.prior
    losses = np.repeat(data.loss[None], len(inner), axis=0)
    parameters, _ = descend(one.fit.law, data, losses, starts, prior, one.fit.noise, weights, tries=_REFIT)
    foretold = one.fit.law.curve(parameters, inner, np.ones(len(inner)))[0].diagonal()
    ends = proxies.losses(side)[:, -1]
    errors = [(ends[share == left].mean() - value) ** 2 for left, value in zip(inner, foretold, strict=True)]
    count = len(share) / len(np.unique(share))
    # What a mean over the runs of a share is itself unsure of, so that luck is not taken for a law.
    return float(np.mean(errors)) + one.scatter.between**2 / count + 1e-12
