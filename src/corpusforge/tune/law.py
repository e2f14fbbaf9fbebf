"""What a law of losses is to the fit: a curve over share and tokens, its slopes, and how strange its parameters are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed of the parameters before any loss is seen: independent normals; arrays of shape [p].

    It is wide where the losses speak and keeps directions on which they are silent (a bend between two shares) from
    running away, so that a fit is never worse off for a parameter too many.
    """

    mean: Array
    spread: Array


class Law(Protocol):
    """Loss as a function of `share` x (of the text that the loss is of) and `amount` u (tokens, 1 where runs end).

    Parameters are free real numbers, so that any of them may be tried: what must be positive is kept as its logarithm.
    """

    @property
    def name(self) -> str:
        """The law's name in reports."""

    @property
    def formula(self) -> str:
        """The law as its paper writes it, for reports."""

    def prior(self, share: Array, amount: Array, loss: Array) -> Prior:
        """The prior for some losses; all three arrays have shape [n]."""

    def curve(self, parameters: Array, share: Array, amount: Array) -> tuple[Array, Array]:
        """Losses [b, n] and their slopes [b, n, p] for parameters [b, p] at shares and amounts [n]."""

    def told(self, parameters: Array, unit: float) -> Mapping[str, Any]:
        """One set of parameters [p] under the names of the paper; `unit` tokens are an amount of 1."""
