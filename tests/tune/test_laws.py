"""The laws and their fit: a wrong slope or a wild measurement would move a share that money is spent on."""

from __future__ import annotations

import numpy as np
import pytest

from corpusforge.tune.dcpt import Dcpt
from corpusforge.tune.exponential import Exponential
from corpusforge.tune.fitting import Data, fit
from corpusforge.tune.law import Law

SHARE = np.array([0.01, 0.02, 0.05, 0.1, 0.3, 0.6])
AMOUNT = np.array([0.2, 0.5, 1.0, 0.4, 0.8, 1.0])
LAWS: list[Law] = [Exponential(0.305, 0.59), Dcpt()]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_the_slopes_are_those_of_the_curve(law: Law) -> None:
    loss = np.linspace(2, 1, len(SHARE))
    prior = law.prior(SHARE, AMOUNT, loss)
    drawn = prior.mean + prior.spread * np.random.default_rng(3).normal(0, 0.3, (200, len(prior.mean)))
    _, slopes = law.curve(drawn, SHARE, AMOUNT)
    step = 1e-6
    for k in range(drawn.shape[1]):
        moved = np.zeros(drawn.shape[1])
        moved[k] = step
        ahead, behind = (law.curve(drawn + sign * moved, SHARE, AMOUNT)[0] for sign in (1, -1))
        numeric = (ahead - behind) / (2 * step)
        assert np.allclose(numeric, slopes[..., k], rtol=1e-4, atol=1e-5 * max(1.0, np.abs(slopes).max()) ** 0.5)


def test_the_exponential_is_told_as_its_paper_writes_it() -> None:
    law = Exponential(0.3, 0.6)
    for parameters in ([2.0, -1.5, -4.0], [2.0, 0.8, 1e-12], [1.0, 0.5, 3.0]):
        told = law.told(np.array(parameters), 1e6)
        curve = law.curve(np.array([parameters]), SHARE, AMOUNT)[0][0]
        assert np.allclose(told["c"] + told["k"] * np.exp(told["t"] * SHARE), curve, atol=1e-4)


def test_dcpt_is_told_in_tokens() -> None:
    law = Dcpt()
    parameters = np.array([1.2, -1.0, -0.5, -0.9, -2.0, -3.0, -0.7])
    told = law.told(parameters, 2e6)
    tokens = AMOUNT * 2e6
    paper = told["E"] + told["B"] * SHARE ** told["eta"] / tokens ** told["beta"]
    paper += told["C"] / (SHARE + told["eps"]) ** told["gamma"]
    assert np.allclose(paper, law.curve(parameters[None], SHARE, AMOUNT)[0][0])


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_a_law_without_noise_is_found_between_the_shares_too(law: Law) -> None:
    share = np.repeat(np.geomspace(0.01, 0.6, 6), 4)
    amount = np.tile([0.25, 0.5, 0.75, 1.0], 6) if law.name == "dcpt" else np.ones(24)
    true = np.array([1.0, -0.9, -0.7, -0.9, -1.8, -3.0, -0.7]) if law.name == "dcpt" else np.array([2.0, -1.5, -6.0])
    fitted = fit(law, Data(share, amount, law.curve(true[None], share, amount)[0][0]))
    between = np.geomspace(0.015, 0.5, 20)
    one = np.ones(20)
    assert np.abs(fitted.losses(between, one) - law.curve(true[None], between, one)[0][0]).max() < 3e-3


def test_one_wild_measurement_does_not_carry_the_curve_away() -> None:
    law = Exponential(0.305, 0.59)
    share = np.repeat(np.geomspace(0.01, 0.6, 6), 3)
    true = law.curve(np.array([[2.0, -1.5, -6.0]]), share, np.ones(18))[0][0]
    loss = true + np.random.default_rng(5).normal(0, 0.003, 18)
    loss[8] += 0.3
    left = np.abs(fit(law, Data(share, np.ones(18), loss)).losses(share, np.ones(18)) - true)
    assert np.median(left) < 0.005
    assert left.max() < 0.03


def test_the_same_losses_give_the_same_fit() -> None:
    loss = np.array([2.0, 1.8, 1.5, 1.42, 1.2, 1.17])
    one, two = (fit(Dcpt(), Data(SHARE, AMOUNT, loss)) for _ in range(2))
    assert (one.parameters == two.parameters).all()
