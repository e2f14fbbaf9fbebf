"""The whole decision: from what proxies measured to a share with its interval, or to what is missing for one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from corpusforge.tune.choice import best_shares, grid
from corpusforge.tune.draws import DRAWS, Candidate, candidates, draw
from corpusforge.tune.law import Array
from corpusforge.tune.proxies import Proxies

Against = Literal["before", "least"]
# A power law says nothing of another regime; peers that fitted one at 2% of the tokens were wrong at 100%.
REACH = 10.0
LEAST_SHARES = 3
_LEAST_FREEDOM = 2.0
# An interval wider than the share itself cannot tell twice as much from half as much.
_WIDEST = 1.0
_TIMES = (2, 3, 4, 6, 8)
_TAIL = 2.5
# A law that counts less than this is refuted rather than doubted.
_HEARD = 0.1


@dataclass(frozen=True, slots=True)
class Band:
    """A value with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """A share with its interval and what it rests on.

    `share` is None where `missing` says why none is proposed; `more_runs` is how many runs of the same kind would do,
    where the interval shrinks as it should. `bound` says what holds the share: the `budget`, the largest share
    measured (`most`: more may be allowed), or the domain itself (`domain`: its loss falls no further). `gain` is how
    much lower the domain's loss is than at the least share, `rise` what public text loses against `against`.
    """

    share: float | None
    interval: tuple[float, float] | None
    bound: Literal["budget", "most", "domain"] | None
    gain: Band | None
    rise: Band | None
    against: Against
    budget: float
    tokens: float
    missing: tuple[str, ...]
    more_runs: int | None
    shares: Array
    domain: tuple[Array, Array, Array]
    public: tuple[Array, Array, Array]
    reference: float
    laws: dict[str, list[Candidate]] = field(default_factory=dict)


def tune(
    proxies: Proxies, budget: float, tokens: float | None = None, against: Against = "before", count: int = DRAWS
) -> Proposal:
    """The share with the greatest domain gain whose public rise stays within a budget of nats a token.

    `tokens` are those of the run that the share is for, by default those of the proxies. The rise is that over the
    model `before` training, or over the mix with the `least` share where proxies begin from random weights and have
    nothing to forget. Only shares between the least and the most measured are proposed. The same losses give the same
    figures. Raises ValueError for fewer than three shares or more than ten times the tokens measured.
    """
    measured = proxies.measured
    target = measured if tokens is None else float(tokens)
    distinct = np.unique(proxies.share)
    if len(distinct) < LEAST_SHARES:
        raise ValueError(f"a law needs {LEAST_SHARES} shares at least")
    if target > REACH * measured * (1 + 1e-9):
        raise ValueError(f"the law reaches {REACH:g} times the tokens measured at most")
    amount, seed = target / measured, _seed(proxies, budget, target)
    shares = grid(float(distinct[0]), float(distinct[-1]))
    laws = {"domain": candidates(proxies, "domain", amount), "public": candidates(proxies, "public", amount)}

    def drawn(times: int) -> tuple[Array, Array, Array, list[Array]]:
        domain = draw(laws["domain"], shares, amount, seed, count, times)
        public = draw(laws["public"], 1 - shares, amount, seed + 1, count, times)
        alone = [one for one in laws["public"] if one.weight >= _HEARD]
        each = [draw([one], 1 - shares, amount, seed + 2, count, times) for one in alone]

        def rise(curves: Array) -> Array:
            return curves - (curves[:, :1] if against == "least" else proxies.before[:, 1].mean())

        chosen = [best_shares(shares, domain, rise(one), budget) for one in (public, *each)]
        return domain, public, rise(public), chosen

    domain, public, rise, by_law = drawn(1)
    chosen = by_law[0]
    freedom = min(one.scatter.freedom for one in laws["public"])
    missing = [*_unsure(by_law, shares, freedom, budget), *_flat(domain)]
    more = None
    if missing and freedom >= 1:
        runs = len(proxies.share)
        for times in _TIMES:
            again = drawn(times)
            if not [*_unsure(again[3], shares, freedom + runs * (times - 1), budget), *_flat(again[0])]:
                more = runs * (times - 1)
                break
    # A draw in which no share keeps the budget stands for the least, or the others would speak for it.
    known = np.where(np.isnan(chosen), shares[0], chosen)
    share = None if missing else _rounded(float(np.median(known)), float(shares[0]))
    interval = _widest(by_law, shares)
    reference = float(np.median(public[:, 0])) if against == "least" else float(proxies.before[:, 1].mean())
    return Proposal(
        share,
        None if np.isnan(chosen).all() else (interval.low, interval.high),
        _bound(known, shares, rise, budget) if share is not None else None,
        None if share is None else _interval(_at(shares, domain[:, :1] - domain, share)),
        None if share is None else _interval(_at(shares, rise, share)),
        against,
        budget,
        target,
        tuple(missing),
        more,
        shares,
        _percentiles(domain),
        _percentiles(public),
        reference,
        laws,
    )


def _unsure(by_law: Sequence[Array], shares: Array, freedom: float, budget: float) -> list[str]:
    """Why the share itself is not known well enough."""
    if freedom < _LEAST_FREEDOM:
        return ["there are too few runs to tell how far two equal ones would differ"]
    none = np.isnan(by_law[0])
    if none.mean() > 0.5:
        return [f"public text loses more than {budget:g} nats a token already at {shares[0]:.2%} domain"]
    interval = _widest(by_law, shares)
    if interval.high - interval.low > _WIDEST * interval.value:
        return [f"the share may be anything from {interval.low:.2%} to {interval.high:.2%}"]
    return []


def _widest(by_law: Sequence[Array], shares: Array) -> Band:
    """The interval of the share: from the lowest end to the highest of what all laws together and each alone allow.

    Which law holds is itself drawn from the noise, which a mixture by weights is too sure of.
    """
    each = [_interval(np.where(np.isnan(one), shares[0], one)) for one in by_law]
    return Band(each[0].value, min(one.low for one in each), max(one.high for one in each))


def _flat(domain: Array) -> list[str]:
    """Why a larger share may gain nothing at all."""
    gain = domain[:, :1] - domain
    best = _interval(gain.max(axis=1))
    return [] if best.low > 0 and np.percentile(gain[:, -1], _TAIL) > 0 else _no_gain(gain)


def _no_gain(gain: Array) -> list[str]:
    # A domain loss that falls and rises again has gained on the way.
    middle = int(np.median(gain, axis=0).argmax())
    if np.percentile(gain[:, middle], _TAIL) > 0:
        return []
    return ["the domain's loss does not fall by more than the runs scatter"]


def _bound(known: Array, shares: Array, rise: Array, budget: float) -> Literal["budget", "most", "domain"]:
    if (known >= shares[-1]).mean() >= 0.5:
        return "most"
    chosen = float(np.median(known))
    near = abs(float(np.median(_at(shares, rise, chosen))) - budget) < 0.1 * abs(budget) + 1e-4
    return "budget" if near or chosen <= shares[0] else "domain"


def _at(shares: Array, curves: Array, share: float) -> Array:
    """Curves [b, g] at one share, [b]."""
    place = int(np.clip(np.searchsorted(shares, share), 1, len(shares) - 1))
    part = (share - shares[place - 1]) / (shares[place] - shares[place - 1])
    found: Array = curves[:, place - 1] * (1 - part) + curves[:, place] * part
    return found


def _interval(values: Array) -> Band:
    low, middle, high = np.percentile(values, [_TAIL, 50, 100 - _TAIL])
    return Band(float(middle), float(low), float(high))


def _percentiles(curves: Array) -> tuple[Array, Array, Array]:
    low, middle, high = np.percentile(curves, [_TAIL, 50, 100 - _TAIL], axis=0)
    return low, middle, high


def _rounded(share: float, least: float) -> float:
    """Two figures, rounded down, for the budget is a limit; never below the least share measured."""
    digits = 1 - int(np.floor(np.log10(share))) if share > 0 else 0
    unit = 10.0**-digits
    return max(least, round(float(np.floor(share / unit + 1e-9) * unit), 12))


def _seed(proxies: Proxies, budget: float, target: float) -> int:
    """From the losses themselves, so that the same measurements draw the same fits."""
    parts: Sequence[Array] = (proxies.share, proxies.seed, proxies.tokens, proxies.domain, proxies.public)
    state = hashlib.sha256(repr((budget, target)).encode())
    for part in parts:
        state.update(np.ascontiguousarray(part).tobytes())
    return int.from_bytes(state.digest()[:6], "big")
