"""A law is planted, proxies are drawn from it with noise: a share that misses the truth would be believed all the same."""

from __future__ import annotations

import numpy as np
import pytest

from corpusforge.tune.tuning import tune

from .planted import SHAPES, measured

BUDGET = 0.05


def hits(name: str, draws: int, count: int) -> int:
    """How often the true share is inside the interval of 95%."""
    shape = SHAPES[name]
    true = shape.best(BUDGET)
    found = 0
    for number in range(draws):
        interval = tune(measured(shape, number), BUDGET, against="least", count=count).interval
        assert interval is not None
        found += interval[0] - 1e-9 <= true <= interval[1] + 1e-9
    return found


@pytest.mark.parametrize("name", ["exponential, wide", "D-CPT, wide"])
def test_the_true_share_is_inside_the_interval(name: str) -> None:
    assert hits(name, 20, 200) >= 18


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_the_true_share_is_inside_the_interval_in_ninety_of_a_hundred_draws(name: str) -> None:
    assert hits(name, 100, 400) >= 90


def test_the_interval_shrinks_with_more_seeds_and_the_proposal_comes_to_the_truth() -> None:
    shape = SHAPES["exponential, wide"]
    widths, errors = [], []
    for seeds in (2, 8):
        found = [tune(measured(shape, number, seeds), BUDGET, against="least", count=200) for number in range(3)]
        widths.append(np.mean([one.interval[1] - one.interval[0] for one in found if one.interval]))
        errors.append(np.mean([abs((one.share or 0) - shape.best(BUDGET)) for one in found]))
    assert widths[1] < 0.75 * widths[0]
    assert errors[1] < 0.1 * shape.best(BUDGET)
