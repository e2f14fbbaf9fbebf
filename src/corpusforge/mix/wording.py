"""Numbers of remedies as a recipe would say them: three digits, rounded to the safe side, exact when read back."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, floor

from corpusforge.units import Amount, Epochs, Rest, Share, Tokens, show_count


def sentence(edits: Mapping[str, str], *, lower: bool) -> str:
    """What to do, in words: `lower` tells in which direction a total or rows change."""
    verb = "lower" if lower else "raise"
    parts: list[str] = []
    for key, value in edits.items():
        if key.startswith("+"):
            parts.append(f"add {value} tokens of {key[1:]}")
        elif key == "max_epochs":
            parts.append(f"raise max_epochs to {value}")
        elif key in ("total", "rows"):
            parts.append(f"{'set' if value == 'all' else verb} {'the total' if key == 'total' else key} to {value}")
        else:
            parts.append(f"set {key} to {value}")
    return " and ".join(parts)


def show(amount: Amount) -> str:
    """An amount exactly as a recipe would say it."""
    match amount:
        case Share(share):
            return f"{decimal(share * 100)}%"
        case Tokens(count):
            return show_count(count)
        case Epochs(times):
            return f"{decimal(times)}x"
        case Rest():
            return "rest"


def three_digits(value: Fraction, *, up: bool, whole: bool = False) -> Fraction:
    """A positive number with three digits, rounded up or down; whole numbers stay whole."""
    if value <= 0:
        return Fraction(0)
    places = 0
    while value * Fraction(10) ** places < 100:
        places += 1
    while value * Fraction(10) ** places >= 1000:
        places -= 1
    scale = Fraction(10) ** (min(places, 0) if whole else places)
    return Fraction((ceil if up else floor)(value * scale)) / scale


def decimal(value: Fraction) -> str:
    """A fraction with a finite decimal form, written out in full."""
    places = 0
    while (value * 10**places).denominator != 1 and places < 40:
        places += 1
    digits = str(int(value * 10**places)).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits
