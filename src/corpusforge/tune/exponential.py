"""The data-mixing law: loss as an exponential of the share, L(r) = c + k exp(t r) (Ye et al. 2024, two sources)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from corpusforge.tune.law import Array, Prior

_BENDS = 5.0
_STEEPEST = 40.0


@dataclass(frozen=True, slots=True)
class Exponential:
    """It knows no tokens, so it is fitted where runs end, and says nothing of longer or shorter ones.

    Fitted as a + b (exp(t (r - m)) - 1) / t with m the middle of the shares: a and b are loss and slope there, which
    the losses pin down also where the curve is nearly straight and c, k and t each are not. `middle` is m, `span` the
    difference of the largest and smallest share.
    """

    middle: float
    span: float
    name: str = "exponential"
    formula: str = "L(r) = c + k exp(t r)"

    def prior(self, share: Array, amount: Array, loss: Array) -> Prior:
        """Any level, any slope, and a bend of a few e-folds between the smallest and largest share."""
        height = max(float(np.ptp(loss)), 1e-3)
        return Prior(
            np.array([float(loss.mean()), 0.0, 0.0]),
            np.array([10 * height + 1, 30 * height / self.span, _BENDS / self.span]),
        )

    def curve(self, parameters: Array, share: Array, amount: Array) -> tuple[Array, Array]:
        """Losses [b, n] and slopes [b, n, 3] for parameters a, b, t."""
        level, slope, bend = (parameters[:, k, None] for k in range(3))
        z = share - self.middle
        # Beyond e^40 between two shares no loss can tell one bend from another.
        free = np.abs(bend) * self.span < _STEEPEST
        bend = np.clip(bend, -_STEEPEST / self.span, _STEEPEST / self.span)
        product = bend * z
        flat = np.abs(product) < 1e-4
        safe = np.where(flat, 1.0, bend)
        rise = np.expm1(product)
        shape = np.where(flat, z * (1 + product / 2), rise / safe)
        by_bend = np.where(flat, z * z * (0.5 + product / 3), (z * (rise + 1) - shape) / safe) * free
        slopes = np.stack([np.ones_like(shape), shape, slope * by_bend], axis=-1)
        return level + slope * shape, slopes

    def told(self, parameters: Array, unit: float) -> Mapping[str, float]:
        """c, k and t; for a straight line k and c are large and of opposite sign."""
        level, slope, bend = (float(one) for one in parameters)
        bend = float(np.clip(bend, -_STEEPEST / self.span, _STEEPEST / self.span))
        bend = bend if abs(bend) > 1e-9 else 1e-9
        factor = slope / bend
        return {"c": level - factor, "k": factor * float(np.exp(-bend * self.middle)), "t": bend}
