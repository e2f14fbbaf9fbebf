"""What the proxies measured: held-out domain and public loss by share, seed and tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from corpusforge.tune.law import Array

Side = Literal["domain", "public"]
# Whole records make totals differ a little; the losses of a hundredth more tokens differ by less than seeds do.
_EQUAL = 0.02


@dataclass(frozen=True, slots=True)
class Proxy:
    """One run: the domain's share of its tokens, its seed, and losses in nats a token, [t], after `tokens` [t].

    `before` has the two losses of the model before training, domain and public.
    """

    share: float
    seed: int
    tokens: Sequence[float]
    domain: Sequence[float]
    public: Sequence[float]
    before: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Proxies:
    """All runs: `share` and `seed` [r], `tokens`, `domain` and `public` [r, t], `before` [r, 2].

    With `paired` every share was run with the same seeds, which begin from weights of their own: what a seed adds to
    all its runs is taken out, for losses are compared from share to share and not with the model before.
    """

    share: Array
    seed: Array
    tokens: Array
    domain: Array
    public: Array
    before: Array
    paired: bool

    def losses(self, side: Side) -> Array:
        """The losses [r, t] of one side, without what a seed adds if the runs are paired."""
        found = self.domain if side == "domain" else self.public
        if not self.paired:
            return found
        whole = found.mean(axis=0)
        made = found.copy()
        for seed in np.unique(self.seed):
            mine = self.seed == seed
            made[mine] += whole - found[mine].mean(axis=0)
        return made

    @property
    def measured(self) -> float:
        """The tokens of a whole run."""
        return float(self.tokens[:, -1].mean())

    def share_of(self, side: Side) -> Array:
        """The share of a side's own text in each run [r]: r for the domain, 1 - r for public text."""
        return self.share if side == "domain" else 1 - self.share


def gather(runs: Sequence[Proxy], paired: bool) -> Proxies:
    """Runs as arrays, by share and seed. Raises ValueError where they end after different tokens, or diverged.

    On the way there they may be measured wherever their sequences happen to end; each has its own tokens.
    """
    ordered = sorted(runs, key=lambda run: (run.share, run.seed))
    counts = {len(run.tokens) for run in ordered}
    if len(counts) != 1:
        raise ValueError("the runs have different numbers of measurements")
    tokens = np.array([run.tokens for run in ordered], dtype=np.float64)
    if np.ptp(tokens[:, -1]) > _EQUAL * tokens[:, -1].mean():
        raise ValueError("the runs end after different tokens")
    if not all(np.isfinite([*run.domain, *run.public, *run.before]).all() for run in ordered):
        raise ValueError("a run diverged and has losses that are no numbers")
    seeds = {share: [run.seed for run in ordered if run.share == share] for share in {run.share for run in ordered}}
    crossed = len({tuple(one) for one in seeds.values()}) == 1
    return Proxies(
        np.array([run.share for run in ordered], dtype=np.float64),
        np.array([run.seed for run in ordered], dtype=np.float64),
        tokens,
        np.array([run.domain for run in ordered], dtype=np.float64),
        np.array([run.public for run in ordered], dtype=np.float64),
        np.array([run.before for run in ordered], dtype=np.float64),
        paired and crossed,
    )
