"""If an interval is too narrow, a difference that is chance is sold as progress."""

from __future__ import annotations

import random

import pytest

from corpusforge.evaluate.intervals import bootstrap, mcnemar, paired, sign_test
from corpusforge.wilson import wilson


def scores(n: int, share: float, seed: int) -> dict[str, float]:
    dice = random.Random(seed)
    return {f"i{k}": float(dice.random() < share) for k in range(n)}


def test_an_interval_of_95_percent_holds_the_truth_95_times_of_a_hundred():
    own = {f"i{k}": f"i{k}" for k in range(120)}
    held = 0
    for seed in range(200):
        found = bootstrap(scores(120, 0.7, seed), own)
        held += found.low <= 0.7 <= found.high
    assert 0.90 <= held / 200 <= 0.99


def test_items_of_one_document_count_as_one_draw():
    """Forty items of four documents prove less than forty of forty."""
    values = {f"i{k}": float(k // 10 % 2) for k in range(40)}
    together = bootstrap(values, {f"i{k}": f"d{k // 10}" for k in range(40)})
    apart = bootstrap(values, {f"i{k}": f"i{k}" for k in range(40)})
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_the_same_answers_give_the_same_interval_in_any_order():
    values = scores(80, 0.4, 1)
    clusters = {item: f"d{int(item[1:]) // 4}" for item in values}
    backwards = dict(reversed(values.items()))
    assert bootstrap(values, clusters) == bootstrap(backwards, clusters)


def test_a_perfect_score_is_not_certain():
    values = {f"i{k}": 1.0 for k in range(20)}
    found = bootstrap(values, {item: item for item in values})
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(wilson(20, 20)[0])
    assert bootstrap({}, {}).to_json() == {"value": 0.0, "low": 0.0, "high": 1.0}


def test_a_pair_shows_what_two_intervals_hide():
    """Paired differences are small where both models fail on the same items."""
    base = scores(200, 0.5, 3)
    better = {item: 1.0 if number % 10 == 0 else value for number, (item, value) in enumerate(base.items())}
    clusters = {item: item for item in base}
    difference = paired(better, base, clusters)
    assert difference.low > 0
    one, two = bootstrap(better, clusters), bootstrap(base, clusters)
    assert one.low < two.high, "apart, the intervals overlap"
    assert paired(base, better, clusters).value == pytest.approx(-difference.value)


def test_equal_models_do_not_differ():
    values = scores(100, 0.5, 3)
    found = paired(values, values, {item: item for item in values})
    assert found.value == 0.0
    assert found.low < 0 < found.high
    assert mcnemar(values, values) == (0, 0, 1.0)


@pytest.mark.parametrize(("wins", "losses", "p"), [(5, 0, 1 / 16), (8, 2, 0.109375), (3, 3, 1.0), (0, 0, 1.0)])
def test_the_sign_test_is_the_binomial_one(wins: int, losses: int, p: float):
    assert sign_test(wins, losses) == sign_test(losses, wins) == pytest.approx(p)


def test_mcnemar_looks_at_items_that_only_one_has_right():
    first = {f"i{k}": float(k < 30) for k in range(40)}
    second = {f"i{k}": float(k < 20) for k in range(40)}
    only_first, only_second, p = mcnemar(first, second)
    assert (only_first, only_second) == (10, 0)
    assert p == pytest.approx(2 / 2**10)
    assert wilson(0, 0) == (0.0, 1.0)
