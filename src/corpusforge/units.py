"""The units of the recipe language: shares (`2%`), tokens (`2B`), epochs (`4 epochs`), sizes (`64MB`) and `rest`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_COUNT = re.compile(r"(\d[\d_,]*(?:\.\d+)?)\s*([kKmMbBtT]?)(?:\s*tokens)?")
_EPOCHS = re.compile(r"(\d+(?:\.\d+)?)\s*(?:x|epochs?)")
_SCALE = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the parent, as an exact fraction in [0, 1]."""

    of_parent: Fraction


@dataclass(frozen=True, slots=True)
class Tokens:
    """An absolute number of tokens (or rows, where the mix counts rows)."""

    count: int


@dataclass(frozen=True, slots=True)
class Epochs:
    """Everything the source has, this many times."""

    times: Fraction


@dataclass(frozen=True, slots=True)
class Rest:
    """What the siblings leave of the parent; several `rest` share it by what they have."""


Amount = Share | Tokens | Epochs | Rest


def parse_share(value: object) -> Fraction:
    """`2%` as Fraction(1, 50). Raises ValueError for anything but a percentage between 0% and 100%."""
    if isinstance(value, str) and (match := _SHARE.fullmatch(value.strip())):
        share = Fraction(match[1]) / 100
        if share <= 1:
            return share
        raise ValueError(f"{value} is more than 100%.")
    raise ValueError(f"{value!r} is not a share. Write a percentage such as 2%.")


def parse_count(value: object) -> int:
    """`2B`, `12M tokens`, `250k` or `1000` as an integer. Raises ValueError otherwise."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and (match := _COUNT.fullmatch(value.strip())):
        count = Fraction(match[1].replace("_", "").replace(",", "")) * _SCALE[match[2].lower()]
        if count.denominator == 1:
            return int(count)
    raise ValueError(f"{value!r} is not a number of tokens. Write 2B, 12M or 250k.")


def parse_epochs(value: object) -> Fraction:
    """`4 epochs`, `2.5x` or `4` as a fraction. Raises ValueError otherwise."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return Fraction(str(value))
    if isinstance(value, str) and (match := _EPOCHS.fullmatch(value.strip())) and Fraction(match[1]) > 0:
        return Fraction(match[1])
    raise ValueError(f"{value!r} is not a number of epochs. Write 4 epochs or 2.5x.")


def parse_amount(value: object) -> Amount:
    """A line of a mix: a share, tokens, epochs or `rest`. Raises ValueError with all four spellings."""
    if isinstance(value, str) and value.strip() == "rest":
        return Rest()
    for parse in (_as_share, _as_epochs, _as_tokens):
        amount = parse(value)
        if amount is not None:
            return amount
    raise ValueError(f"{value!r} is not an amount. Write a share (2%), tokens (2B), epochs (2x) or rest.")


def _as_share(value: object) -> Amount | None:
    if isinstance(value, str) and value.strip().endswith("%"):
        return Share(parse_share(value))
    return None


def _as_epochs(value: object) -> Amount | None:
    if isinstance(value, str) and _EPOCHS.fullmatch(value.strip()):
        return Epochs(parse_epochs(value))
    return None


def _as_tokens(value: object) -> Amount | None:
    try:
        return Tokens(parse_count(value))
    except ValueError:
        return None


def show_share(share: Fraction) -> str:
    """A fraction as a percentage with as few digits as it needs: 1/50 gives `2%`."""
    return f"{float(share * 100):.4g}%"


def show_count(count: int) -> str:
    """A number of tokens for people: 2_000_000_000 gives `2.00 B`."""
    for scale, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if count >= scale:
            return f"{count / scale:.2f} {letter}"
    return str(count)
