"""A proposal in words: the share with its interval, what holds it, and what all of it rests on."""

from __future__ import annotations

import numpy as np

from corpusforge.tune.proxies import Proxies
from corpusforge.tune.tuning import Band, Proposal

_BOUND = {
    "budget": "the forgetting budget holds it there",
    "most": "it is the largest share measured, and keeps the budget: measure larger ones before settling on it",
    "domain": "the domain's loss falls no further beyond it, and the budget is kept",
}
_AGAINST = {"before": "the model before training", "least": "the least share"}


def percent(share: float) -> str:
    """A share as a recipe writes it, with the figures that it has: 0.034 is 3.4%."""
    return f"{share * 100:.10g}%"


def sentences(proposal: Proposal, proxies: Proxies) -> list[str]:
    """What to know about a proposal, a line each."""
    lines = []
    if proposal.share is not None and proposal.interval is not None and proposal.bound is not None:
        low, high = proposal.interval
        lines.append(f"95% interval of the share: {low:.2%} to {high:.2%}; {_BOUND[proposal.bound]}")
    if proposal.gain is not None and proposal.rise is not None:
        least = f"{float(proxies.share.min()):.2%}"
        lines.append(f"domain: {_nats(proposal.gain, -1)} against {least} domain")
        budget = f"budget {proposal.budget:g}"
        lines.append(f"public: {_nats(proposal.rise)} against {_AGAINST[proposal.against]}; {budget}")
    shares, seeds = np.unique(proxies.share), np.unique(proxies.seed)
    times = proxies.tokens.shape[1]
    measured = f"{times} {_plural('measurement', times)} of each up to {proxies.measured:,.0f} tokens"
    kinds = f"{len(shares)} shares from {shares[0]:.2%} to {shares[-1]:.2%}, {len(seeds)} {_plural('seed', len(seeds))}"
    lines.append(f"rests on {len(proxies.share)} runs ({kinds}), {measured}")
    if abs(proposal.tokens / proxies.measured - 1) > 0.01:
        lines.append(f"read at {proposal.tokens:,.0f} tokens by the D-CPT law")
    for side, laws in proposal.laws.items():
        weights = ", ".join(f"{one.fit.law.name} {one.weight:.0%}" for one in laws)
        between = min(laws, key=lambda one: -one.weight).scatter.between
        lines.append(f"{side}: {weights}; runs scatter about it by {between:.4f} nats a token")
    return lines


def _nats(band: Band, sign: int = 1) -> str:
    ends = sorted((sign * band.low, sign * band.high))
    return f"{sign * band.value:+.4f} nats a token ({ends[0]:+.4f} to {ends[1]:+.4f})"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
