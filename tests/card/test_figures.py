"""Whether the numbers on a card are honest."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.card import figures


@given(st.integers(30, 100_000))
def test_nothing_found_is_the_rule_of_three(n):
    """3/n is the textbook's figure for 1 - 0.05^(1/n)."""
    assert figures.upper_bound(0, n) == pytest.approx(1 - 0.05 ** (1 / n), rel=1e-6)
    assert figures.upper_bound(0, n) < 3 / n


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_bound_is_the_exact_binomial_one(sample):
    """At the bound, so few cases would be found only 5% of the time."""
    found, checked = sample
    bound = figures.upper_bound(found, checked)
    assert found / checked <= bound <= 1
    if found < checked:
        chance = sum(math.comb(checked, k) * bound**k * (1 - bound) ** (checked - k) for k in range(found + 1))
        assert chance == pytest.approx(0.05, rel=1e-6)


def test_large_samples_do_not_underflow():
    assert figures.upper_bound(2_000, 1_000_000) == pytest.approx(0.002075, rel=1e-2)


@pytest.mark.parametrize(("found", "checked"), [(0, 0), (3, 2), (-1, 5)])
def test_what_is_no_sample_is_refused(found, checked):
    with pytest.raises(ValueError, match="not a sample"):
        figures.upper_bound(found, checked)


@given(st.floats(1e-12, 1 - 1e-12, exclude_max=True))
def test_a_share_is_never_rounded_to_none_or_all(x):
    """3 leaks in a million must not read as 0%."""
    assert figures.share(x) not in ("0%", "100%", "0.0%", "100.0%", "0.00%", "100.00%", "0.0000%")


def test_numbers_carry_their_denominator():
    assert figures.part(12, 4812, "records") == "12 of 4,812 records (0.25%)"
    assert figures.part(0, 0) == "0 of 0"
    assert figures.bound_sentence(0, 0) == "Nothing was checked, so nothing is known."
    assert "at most 63.2%" in figures.bound_sentence(0, 3)
    assert "rule of three" not in figures.bound_sentence(0, 3)
