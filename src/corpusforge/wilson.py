"""The interval of a share that was counted: how far the true one may be from it."""

from __future__ import annotations

from math import sqrt


def wilson(right: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of a share, by default at 95% (Wilson 1927): two bounds; 0 and 1 of nothing."""
    if of == 0:
        return 0.0, 1.0
    share = right / of
    middle = share + z * z / (2 * of)
    spread = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    scale = 1 + z * z / of
    # Rounding must not take from a perfect score what the formula gives it.
    low = 0.0 if right == 0 else max(0.0, (middle - spread) / scale)
    return low, 1.0 if right == of else min(1.0, (middle + spread) / scale)
