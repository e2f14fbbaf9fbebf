"""How numbers are written for people: counts, shares with their denominator, honest bounds."""

from __future__ import annotations

import math

from corpusforge.units import show_count

# Below this 3/n is visibly not the exact bound any more, so the sentence does not call it by that name.
_RULE_OF_THREE_FROM = 30


def count(n: int | float) -> str:
    """1234567 as `1,234,567`."""
    return f"{n:,}" if isinstance(n, int) else f"{n:,.6g}"


def plural(n: int, one: str, many: str = "") -> str:
    """`1 record`, `2 records`."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def share(x: float) -> str:
    """A share of 1 as a percentage: enough digits to be told from 0% and 100%, no more."""
    percent = 100 * x
    if percent in (0.0, 100.0):
        return f"{percent:.0f}%"
    if percent >= 99.995:
        return "> 99.99%"
    if percent < 0.0001:
        return "< 0.0001%"
    digits = 1 if 1 <= percent <= 99 else 2 if percent >= 0.1 else 4
    return f"{percent:.{digits}f}%"


def precise(x: float) -> str:
    """A share with up to four decimals, for shares that are compared with each other."""
    if 0 < x < 1e-6:
        return "< 0.0001%"
    return f"{100 * x:.4f}".rstrip("0").rstrip(".") + "%"


def column(x: float) -> str:
    """A share for a column of shares: two decimals, or four where two would say nothing."""
    return f"{100 * x:.2f}%" if x == 0 or x >= 0.0001 else precise(x)


def sentence(text: str) -> str:
    """A remark with a capital and a full stop; nothing stays nothing."""
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""


def part(n: int, of: int, what: str = "") -> str:
    """`12 of 4,812 records (0.25%)`; the share is left out when there is nothing to divide by."""
    words = f"{count(n)} of {count(of)}" + (f" {what}" if what else "")
    return f"{words} ({share(n / of)})" if of else words


def size(n: int) -> str:
    """Bytes as B, kB, MB or GB (powers of ten)."""
    for scale, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if n >= scale:
            return f"{n / scale:.1f} {unit}"
    return f"{n} B"


def tokens(n: int) -> str:
    """A number of tokens or rows in three digits: `2.00 B`."""
    return show_count(n)


def upper_bound(found: int, checked: int, confidence: float = 0.95) -> float:
    """The exact one-sided upper bound (Clopper-Pearson 1934) of a share, `found` cases in `checked` random records.

    With nothing found it is 1 - (1 - confidence)^(1/checked), the rule of three: about 3/checked at 95%.
    """
    if not 0 <= found <= checked or checked == 0:
        raise ValueError(f"{found} of {checked} is not a sample.")
    if found == checked:
        return 1.0
    low, high = found / checked, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(found, checked, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(found: int, checked: int, p: float) -> float:
    """The chance of `found` or fewer cases in `checked` draws with chance `p`, in logarithms against underflow."""
    if p >= 1.0:
        return 0.0
    if p <= 0.0:
        return 1.0
    terms = (
        math.lgamma(checked + 1)
        - math.lgamma(k + 1)
        - math.lgamma(checked - k + 1)
        + k * math.log(p)
        + (checked - k) * math.log1p(-p)
        for k in range(found + 1)
    )
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def bound_sentence(found: int, checked: int) -> str:
    """What a random sample proves, in one sentence with its denominator."""
    if checked == 0:
        return "Nothing was checked, so nothing is known."
    if found == 0:
        bound = share(min(1.0, upper_bound(0, checked)))
        rule = "95%, rule of three" if checked >= _RULE_OF_THREE_FROM else "95%"
        return f"0 of {count(checked)} checked: at most {bound} of all are affected ({rule})."
    bound = share(upper_bound(found, checked))
    return f"{part(found, checked)} checked: at most {bound} of all are affected (95%, exact binomial bound)."
