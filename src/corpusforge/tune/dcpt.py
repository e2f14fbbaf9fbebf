"""The D-CPT law at one model size: loss over tokens D and share r (Que et al. 2024, arXiv 2406.01375)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from corpusforge.tune.law import Array, Prior


@dataclass(frozen=True, slots=True)
class Dcpt:
    """L(D, r) = E + B r^eta / D^beta + C / (r + eps)^gamma.

    Parameters are E and the logarithms of B, eta, beta, C, eps, gamma; tokens count in units of a whole run, so that B
    is what more tokens can still win.
    """

    name: str = "dcpt"
    formula: str = "L(D, r) = E + B r^eta / D^beta + C / (r + eps)^gamma"

    def prior(self, share: Array, amount: Array, loss: Array) -> Prior:
        """Exponents between a tenth and a few, an eps of some percent, and terms of the size of what losses differ."""
        height = max(float(np.ptp(loss)), 1e-3)
        mean = [float(loss.min()) - height, np.log(height), np.log(0.3), np.log(0.4), np.log(height / 4), np.log(0.05)]
        spread = [3 * height + 1, 2.0, 1.2, 0.8, 2.0, 1.2, 1.2]
        return Prior(np.array([*mean, np.log(0.5)]), np.array(spread))

    def curve(self, parameters: Array, share: Array, amount: Array) -> tuple[Array, Array]:
        """Losses [b, n] and slopes [b, n, 7] for parameters E, log B, log eta, log beta, log C, log eps, log gamma."""
        floor = parameters[:, 0, None]
        # e^±12 is beyond any loss; without a bound a step that is tried and refused would overflow.
        logs = np.clip(parameters[:, 1:], -12.0, 12.0)
        log_b, log_eta, log_beta, log_c, log_eps, log_gamma = (logs[:, k, None] for k in range(6))
        eta, beta, eps, gamma = np.exp(log_eta), np.exp(log_beta), np.exp(log_eps), np.exp(log_gamma)
        log_share, log_amount = np.log(np.maximum(share, 1e-9)), np.log(amount)
        learned = np.exp(np.clip(log_b + eta * log_share - beta * log_amount, -60.0, 12.0))
        moved = share + eps
        missing = np.exp(np.clip(log_c - gamma * np.log(moved), -60.0, 12.0))
        slopes = [
            np.ones_like(learned),
            learned,
            learned * eta * log_share,
            -learned * beta * log_amount,
            missing,
            -missing * gamma * eps / moved,
            -missing * gamma * np.log(moved),
        ]
        return floor + learned + missing, np.stack(np.broadcast_arrays(*slopes), axis=-1)

    def told(self, parameters: Array, unit: float) -> Mapping[str, float]:
        """E, B (for D in tokens), eta, beta, C, eps and gamma."""
        floor, *logs = (float(one) for one in parameters)
        b, eta, beta, c, eps, gamma = (float(np.exp(one)) for one in logs)
        return {"E": floor, "B": b * unit**beta, "eta": eta, "beta": beta, "C": c, "eps": eps, "gamma": gamma}
