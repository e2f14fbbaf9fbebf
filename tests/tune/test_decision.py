"""What is proposed and what is not: a share without evidence costs a training run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from corpusforge.tune.choice import best_shares, grid
from corpusforge.tune.proxies import Proxy, gather
from corpusforge.tune.tuning import tune

from .planted import SHAPES, Shape, exponential, measured

WIDE = SHAPES["exponential, wide"]
SHARES = np.array([0.1, 0.2, 0.3, 0.4])


def test_the_gain_is_the_greatest_within_the_budget() -> None:
    falling = np.array([[4.0, 3.0, 2.0, 1.0]])
    assert best_shares(SHARES, falling, np.array([[0.0, 0.02, 0.04, 0.06]]), 0.05)[0] == pytest.approx(0.35)
    assert best_shares(SHARES, falling, np.array([[0.0, 0.02, 0.04, 0.05]]), 0.05)[0] == pytest.approx(0.4)
    assert np.isnan(best_shares(SHARES, falling, np.array([[0.1, 0.2, 0.4, 0.5]]), 0.05)[0])
    turning = np.array([[4.0, 3.0, 3.5, 4.0]])
    assert best_shares(SHARES, turning, np.zeros((1, 4)), 0.05)[0] == pytest.approx(0.2)


def test_shares_are_never_outside_those_measured() -> None:
    assert grid(0.02, 0.5)[[0, -1]].tolist() == [0.02, 0.5]
    assert grid(0.0, 0.5)[0] == 0
    for budget in (0.0005, 0.02, 5.0):
        found = tune(measured(WIDE, 1), budget, against="least", count=150)
        assert found.interval is not None
        assert 0.02 <= found.interval[0] <= found.interval[1] <= 0.5
        if found.share is not None:
            assert 0.02 <= found.share <= 0.5


def test_a_budget_that_nothing_reaches_is_said_to_bind_nowhere() -> None:
    found = tune(measured(WIDE, 1), 5.0, against="least", count=150)
    assert found.bound == "most"
    assert found.share == 0.5


def test_no_law_reaches_beyond_ten_times_the_tokens() -> None:
    proxies = measured(SHAPES["D-CPT, wide"], 1)
    with pytest.raises(ValueError, match="10 times"):
        tune(proxies, 0.05, tokens=10_000_001 * 1.01, against="least", count=50)
    longer = tune(proxies, 0.05, tokens=4e6, against="least", count=150)
    assert longer.tokens == 4e6
    assert [one.fit.law.name for one in longer.laws["public"]] == ["dcpt"]
    assert longer.domain[1][0] < tune(proxies, 0.05, against="least", count=150).domain[1][0]


def test_scatter_as_large_as_the_effect_is_no_evidence() -> None:
    found = tune(measured(WIDE, 2, noise=40), 0.05, against="least", count=150)
    assert found.share is None
    assert found.missing


def test_it_tells_how_many_runs_are_missing_and_that_many_are_enough() -> None:
    """A number that is not meant would be paid for in processor time."""
    shape = SHAPES["exponential, four shares"]
    few = next(
        found
        for number in range(20)
        if (found := tune(measured(shape, number, 2, noise=5), 0.05, against="least", count=150)).more_runs
    )
    assert few.share is None
    assert few.more_runs is not None
    seeds = 2 + -(-few.more_runs // len(shape.shares))
    found = [tune(measured(shape, number, seeds, noise=5), 0.05, against="least", count=150) for number in range(5)]
    assert sum(one.share is not None for one in found) >= 3


def test_a_domain_that_does_not_respond_gets_no_share() -> None:
    flat = Shape(exponential(1.2, 0.0, -8), WIDE.public, WIDE.shares)
    found = tune(measured(flat, 3), 0.05, against="least", count=150)
    assert found.share is None
    assert any("does not fall" in one for one in found.missing)


def test_public_text_that_is_lost_at_every_share_gets_no_share() -> None:
    proxies = measured(WIDE, 3)
    worse = replace(proxies, before=np.full_like(proxies.before, 0.5))
    found = tune(worse, 0.05, against="before", count=150)
    assert found.share is None
    assert any("already at" in one for one in found.missing)


def test_a_run_that_diverged_is_not_compared() -> None:
    runs = [Proxy(share, 1, [10.0], [float("nan") if share == 0.2 else 1.0], [1.0], (2.0, 1.0)) for share in SHARES]
    with pytest.raises(ValueError, match="diverged"):
        gather(runs, paired=False)


def test_draws_that_allow_no_share_hold_the_proposal_down() -> None:
    proxies = measured(WIDE, 1)
    proxies = replace(proxies, paired=False, before=np.full_like(proxies.before, proxies.public[:, -1].min()))
    for budget in np.linspace(0.0005, 0.02, 6):
        found = tune(proxies, float(budget), against="before", count=150)
        if found.share is not None and found.interval is not None:
            assert found.interval[0] <= found.share <= found.interval[1]
            if found.share == found.shares[0]:
                assert found.bound == "budget"


def test_three_runs_cannot_tell_noise_from_a_law() -> None:
    three = Shape(WIDE.domain, WIDE.public, (0.02, 0.1, 0.5))
    found = tune(measured(three, 1, seeds=1), 0.05, against="least", count=100)
    assert found.share is None
    assert any("too few runs" in one for one in found.missing)
    with pytest.raises(ValueError, match="3 shares"):
        tune(measured(Shape(WIDE.domain, WIDE.public, (0.02, 0.5)), 1), 0.05, count=50)


def test_the_same_runs_in_any_order_give_the_same_figures() -> None:
    runs = [
        Proxy(share, seed, (5e5, 1e6), (2 - share, 1.8 - share), (2 + share / 9, 1.9 + share / 9 + seed / 500), (3, 3))
        for share in (0.02, 0.05, 0.1, 0.3)
        for seed in (1, 2)
    ]
    one, two = (tune(gather(order, True), 0.02, against="least", count=100) for order in (runs, runs[::-1]))
    assert one.share == two.share
    assert one.interval == two.interval


def test_runs_of_different_lengths_are_not_compared() -> None:
    runs = [Proxy(share, 1, (1e6 * (1 + share),), (1.0,), (1.0,), (3, 3)) for share in (0.02, 0.1, 0.3)]
    with pytest.raises(ValueError, match="end after different tokens"):
        gather(runs, False)
