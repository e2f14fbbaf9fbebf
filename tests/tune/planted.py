"""Proxies whose losses follow a law that is known, with the noise of real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from corpusforge.tune.choice import best_shares
from corpusforge.tune.law import Array
from corpusforge.tune.proxies import Proxies, Proxy, gather

Loss = Callable[[Array, Array], Array]
# Nats a token: whole runs, a run from one measurement to another, and what a seed adds to all its runs.
RUN, PLACE, SEED = 0.005, 0.002, 0.02


def exponential(c: float, k: float, t: float) -> Loss:
    """The data-mixing law, with a power of the tokens added so that runs learn."""
    return lambda r, u: c + k * np.exp(t * r) + 0.3 * (u**-0.3 - 1)


def dcpt(e: float, b: float, eta: float, beta: float, c: float, eps: float, gamma: float) -> Loss:
    """The D-CPT law; public text has it with 1 - r."""
    return lambda r, u: e + b * r**eta / u**beta + c / (r + eps) ** gamma


def public(law: Loss) -> Loss:
    return lambda r, u: law(1 - r, u)


@dataclass(frozen=True)
class Shape:
    domain: Loss
    public: Loss
    shares: tuple[float, ...]

    def best(self, budget: float) -> float:
        """The share that is right if the law is known."""
        shares = np.linspace(self.shares[0], self.shares[-1], 20_001)
        one = np.ones_like(shares)
        domain, lost = self.domain(shares, one), self.public(shares, one)
        return float(best_shares(shares, domain[None], (lost - lost[0])[None], budget)[0])


SHAPES = {
    "exponential, wide": Shape(exponential(1.2, 0.6, -8), exponential(1.5, 0.02, 5.5), (0.02, 0.05, 0.1, 0.25, 0.5)),
    "exponential, small shares": Shape(
        exponential(1.2, 0.6, -25), exponential(1.5, 0.05, 6), (0.01, 0.02, 0.05, 0.1, 0.2)
    ),
    "exponential, four shares": Shape(exponential(1.2, 0.6, -25), exponential(1.5, 0.1, 6), (0.01, 0.02, 0.05, 0.1)),
    "D-CPT, wide": Shape(
        dcpt(1.0, 0.15, 0.3, 0.4, 0.12, 0.02, 0.5),
        public(dcpt(1.5, 0.1, 0.2, 0.3, 0.15, 0.1, 1.5)),
        (0.02, 0.05, 0.1, 0.25, 0.5),
    ),
    "D-CPT, steep": Shape(
        dcpt(0.8, 0.2, 0.6, 0.3, 0.2, 0.05, 0.7),
        public(dcpt(1.5, 0.2, 0.2, 0.5, 0.06, 0.05, 1.2)),
        (0.02, 0.05, 0.1, 0.2, 0.4, 0.6),
    ),
}


def measured(shape: Shape, seed: int, seeds: int = 2, noise: float = 1.0, places: int = 5) -> Proxies:
    """One draw of proxies of that shape: each share once a seed, measured at equal steps of a million tokens."""
    generator = np.random.default_rng([seed, 17])
    amount = np.linspace(1 / places, 1, places)
    added = generator.normal(0, SEED, (seeds, 2))
    runs = []
    for number in range(seeds):
        for share in shape.shares:
            losses = [
                law(np.float64(share), amount)
                + added[number, side]
                + noise * (generator.normal(0, RUN) + generator.normal(0, PLACE, places))
                for side, law in enumerate((shape.domain, shape.public))
            ]
            runs.append(Proxy(share, number, tuple(amount * 1e6), tuple(losses[0]), tuple(losses[1]), (3.0, 3.0)))
    return gather(runs, paired=True)
