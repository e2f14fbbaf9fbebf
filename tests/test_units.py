"""Units are part of the recipe's language: a misread one would train on another mix than was asked for."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.units import Epochs, Rest, Share, Tokens, parse_amount, parse_count, parse_epochs, parse_share


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2%", Share(Fraction(1, 50))),
        ("0.5 %", Share(Fraction(1, 200))),
        ("2B", Tokens(2_000_000_000)),
        ("12M tokens", Tokens(12_000_000)),
        ("2.5k", Tokens(2500)),
        (1000, Tokens(1000)),
        ("4 epochs", Epochs(Fraction(4))),
        ("2.5x", Epochs(Fraction(5, 2))),
        ("rest", Rest()),
    ],
)
def test_every_spelling(written: object, meant: object) -> None:
    assert parse_amount(written) == meant


@pytest.mark.parametrize("wrong", ["", "2 percent", "-2%", "101%", "2Q", "2.5", True, None, [], "x", "0x", 1.5])
def test_what_is_not_an_amount(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"is not|more than"):
        parse_amount(wrong)


@given(st.decimals(min_value=0, max_value=100, places=4))
def test_a_share_is_exact(percent: object) -> None:
    assert parse_share(f"{percent}%") * 100 == Fraction(str(percent))


@given(st.integers(min_value=0, max_value=10**15))
def test_counts_survive_separators(count: int) -> None:
    assert parse_count(f"{count:,}") == count == parse_count(f"{count:_}")


def test_epochs_must_be_positive() -> None:
    with pytest.raises(ValueError, match="not a number of epochs"):
        parse_epochs(0)
