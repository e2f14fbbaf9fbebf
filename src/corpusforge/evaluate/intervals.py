"""Intervals and paired tests for figures over items: Wilson, bootstrap over documents, McNemar, sign test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

from corpusforge.record import stable_hash
from corpusforge.wilson import wilson

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 2000
_CELLS = 1 << 20


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95% interval."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """Rounded to six digits."""
        return {"value": round(self.value, 6), "low": round(self.low, 6), "high": round(self.high, 6)}


def bootstrap(
    values: Mapping[str, float], clusters: Mapping[str, str], weights: Mapping[str, float] | None = None
) -> Interval:
    """The mean over items (weighted, if asked) with a percentile bootstrap (Efron 1979) over clusters.

    Items of one document are right or wrong together, so documents are drawn, not items. The seed follows from ids and
    values: the same answers give the same interval everywhere. Where every item is alike, or there is one document
    only, resampling says nothing; Wilson's interval stands in where values are 0 and 1, and 0 to 1 otherwise.
    """
    ids = sorted(values)
    if not ids:
        return Interval(0.0, 0.0, 1.0)
    groups = sorted({clusters[i] for i in ids})
    sums, counts = _by_group(ids, values, clusters, groups, weights)
    mean = float(sums.sum() / counts.sum())
    if len(groups) < 2 or len({values[i] for i in ids}) == 1:
        if all(values[i] in (0.0, 1.0) for i in ids):
            low, high = wilson(round(sum(values.values())), len(ids))
            return Interval(mean, low, high)
        return Interval(mean, min(0.0, mean), max(1.0, mean))
    drawn = _means(sums, counts, stable_hash("bootstrap", *ids, *(f"{values[i]:.6g}" for i in ids)))
    return Interval(mean, *drawn)


def paired(
    first: Mapping[str, float],
    second: Mapping[str, float],
    clusters: Mapping[str, str],
    weights: Mapping[str, float] | None = None,
) -> Interval:
    """The mean of first - second over the items that both have, bootstrapped over clusters as `bootstrap` does."""
    shared = sorted(first.keys() & second.keys())
    differences = {i: first[i] - second[i] for i in shared}
    if not shared:
        return Interval(0.0, -1.0, 1.0)
    if len(set(differences.values())) == 1:
        # All differ alike: the interval is bounded by what a share of so few items can prove.
        spread = 1 - wilson(len(shared), len(shared))[0]
        value = differences[shared[0]]
        return Interval(value, max(min(-1.0, value), value - spread), min(max(1.0, value), value + spread))
    groups = sorted({clusters[i] for i in shared})
    sums, counts = _by_group(shared, differences, clusters, groups, weights)
    mean = float(sums.sum() / counts.sum())
    if len(groups) < 2:
        return Interval(mean, min(-1.0, mean), max(1.0, mean))
    seed = stable_hash("paired", *shared, *(f"{differences[i]:.6g}" for i in shared))
    return Interval(mean, *_means(sums, counts, seed))


def mcnemar(first: Mapping[str, float], second: Mapping[str, float]) -> tuple[int, int, float]:
    """Items that only the first has right, that only the second has, and the exact two-sided p (McNemar 1947)."""
    shared = first.keys() & second.keys()
    only_first = sum(first[i] >= 1.0 > second[i] for i in shared)
    only_second = sum(second[i] >= 1.0 > first[i] for i in shared)
    return only_first, only_second, sign_test(only_first, only_second)


def sign_test(wins: int, losses: int) -> float:
    """The two-sided p of so uneven a split of `wins + losses` fair coins, exactly."""
    n = wins + losses
    tail = sum(comb(n, k) for k in range(min(wins, losses) + 1))
    return min(1.0, float(2 * tail / (1 << n)))


def _by_group(
    ids: Sequence[str],
    values: Mapping[str, float],
    clusters: Mapping[str, str],
    groups: Sequence[str],
    weights: Mapping[str, float] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    import numpy as np

    place = {group: index for index, group in enumerate(groups)}
    sums, counts = np.zeros(len(groups)), np.zeros(len(groups))
    for i in ids:
        weight = 1.0 if weights is None else weights[i]
        sums[place[clusters[i]]] += weight * values[i]
        counts[place[clusters[i]]] += weight
    return sums, counts


def _means(sums: NDArray[np.float64], counts: NDArray[np.float64], seed: str) -> tuple[float, float]:
    import numpy as np

    dice = np.random.Generator(np.random.PCG64(int(seed, 16)))
    rows = max(1, min(RESAMPLES, _CELLS // len(sums)))
    means = []
    for start in range(0, RESAMPLES, rows):
        drawn = dice.integers(0, len(sums), (min(rows, RESAMPLES - start), len(sums)))
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    low, high = np.quantile(np.concatenate(means), (0.025, 0.975))
    return float(low), float(high)
