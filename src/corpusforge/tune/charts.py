"""The report's charts: losses by share with the law's band, domain loss against public loss, losses over tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from corpusforge.tune.law import Array
from corpusforge.tune.proxies import Proxies, Side
from corpusforge.tune.tuning import Proposal

if TYPE_CHECKING:
    import altair as alt

SIDES: tuple[Side, Side] = ("domain", "public")
INK, SOFT, RULE = "#1b2430", "#5b6673", "#b45309"
COLOURS = {"domain": "#0f6b6b", "public": "#7a4fa3"}
_WIDTH, _HEIGHT = 380, 260
_CURVE = 65
_SCALE = 2.0


def charts(proxies: Proxies, proposal: Proposal) -> dict[str, dict[str, Any]]:
    """Vega-Lite specifications by name: `by-share`, `trade-off`, `over-tokens`."""
    made = {
        "by-share": _by_share(proxies, proposal),
        "trade-off": _trade_off(proxies, proposal),
        "over-tokens": _over_tokens(proxies),
    }
    return {name: _styled(chart) for name, chart in made.items()}


def draw(spec: Mapping[str, Any]) -> tuple[str, bytes]:
    """A specification as SVG and as PNG."""
    import vl_convert

    png: bytes = vl_convert.vegalite_to_png(dict(spec), scale=_SCALE)
    return str(vl_convert.vegalite_to_svg(dict(spec))), png


def _by_share(proxies: Proxies, proposal: Proposal) -> alt.HConcatChart:
    """Domain and public loss over the share: a dot a run, the law and its band, the proposal and its interval."""
    import altair as alt

    x = alt.X("share:Q", title="domain's share of the tokens", scale=_share_scale(proxies), axis=_percents())
    bands = {"domain": proposal.domain, "public": proposal.public}
    panels = []
    for side in SIDES:
        low, middle, high = bands[side]
        pick = np.linspace(0, len(proposal.shares) - 1, _CURVE).round().astype(int)
        curve = [
            {"share": proposal.shares[k], "low": low[k], "loss": middle[k], "high": high[k]} for k in pick.tolist()
        ]
        base = alt.Chart(alt.InlineData(values=_plain(curve)))
        y = alt.Y("loss:Q", title="nats a token", scale=alt.Scale(zero=False))
        band = base.mark_area(opacity=0.22, color=COLOURS[side]).encode(x=x, y=alt.Y("low:Q", title=""), y2="high:Q")
        line = base.mark_line(color=COLOURS[side]).encode(x=x, y=y)
        runs = [{"share": share, "loss": loss} for share, loss in zip(proxies.share, _ends(proxies, side), strict=True)]
        dots = alt.Chart(alt.InlineData(values=_plain(runs))).mark_point(color=COLOURS[side], filled=True, size=45)
        layers = [band, line, dots.encode(x=x, y=y), *_proposed(proposal, x)]
        if side == "public":
            layers.append(_limit(proposal))
        panels.append(alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT, title=f"held-out {side} loss"))
    return alt.hconcat(*panels, spacing=28)


def _proposed(proposal: Proposal, x: alt.X) -> list[Any]:
    """The interval of the share as a bar of soft colour, and the share itself as a rule."""
    import altair as alt

    if proposal.interval is None:
        return []
    ends = alt.InlineData(values=[{"share": proposal.interval[0], "end": proposal.interval[1]}])
    layers = [alt.Chart(ends).mark_rect(opacity=0.12, color=RULE).encode(x=x, x2="end:Q")]
    if proposal.share is not None:
        place = alt.InlineData(values=[{"share": proposal.share}])
        layers.append(alt.Chart(place).mark_rule(color=RULE, strokeWidth=2).encode(x=x))
    return layers


def _limit(proposal: Proposal) -> Any:
    import altair as alt

    place = alt.InlineData(values=[{"loss": proposal.reference + proposal.budget}])
    return alt.Chart(place).mark_rule(color=INK, strokeDash=[4, 4]).encode(y="loss:Q")


def _trade_off(proxies: Proxies, proposal: Proposal) -> Any:
    """Domain loss against public loss: a dot a run, the laws' path from the least share to the most."""
    import altair as alt

    x = alt.X("public:Q", title="held-out public loss, nats a token", scale=alt.Scale(zero=False))
    y = alt.Y("domain:Q", title="held-out domain loss, nats a token", scale=alt.Scale(zero=False))
    path = [
        {"order": k, "public": p, "domain": d}
        for k, (p, d) in enumerate(zip(proposal.public[1], proposal.domain[1], strict=True))
    ]
    line = alt.Chart(alt.InlineData(values=_plain(path))).mark_line(color=SOFT).encode(x=x, y=y, order="order:Q")
    ends = {side: _ends(proxies, side) for side in SIDES}
    runs = _plain({"public": p, "domain": d} for d, p in zip(ends["domain"], ends["public"], strict=True))
    dots = alt.Chart(alt.InlineData(values=runs)).mark_point(color=COLOURS["domain"], filled=True, size=55)
    means = _plain(
        {
            **{side: ends[side][proxies.share == share].mean() for side in SIDES},
            "label": f"{share * 100:.3g}%",
        }
        for share in np.unique(proxies.share)
    )
    names = alt.Chart(alt.InlineData(values=means)).mark_text(align="left", dx=10, dy=-8, color=INK)
    budget = alt.InlineData(values=[{"public": proposal.reference + proposal.budget}])
    limit = alt.Chart(budget).mark_rule(color=INK, strokeDash=[4, 4]).encode(x="public:Q")
    layers = [line, dots.encode(x=x, y=y), names.encode(x=x, y=y, text="label:N"), limit]
    title = "one dot a run; dashed: the forgetting budget"
    return alt.layer(*layers).properties(width=2 * _WIDTH, height=_HEIGHT + 40, title=title)


def _over_tokens(proxies: Proxies) -> alt.HConcatChart:
    """The losses of each share, mean over seeds, as its runs go on."""
    import altair as alt

    panels = []
    for side, losses in (("domain", proxies.domain), ("public", proxies.public)):
        rows = _plain(
            {"tokens": tokens, "loss": loss, "share": float(share * 100)}
            for share in np.unique(proxies.share)
            for tokens, loss in zip(_mean(proxies, proxies.tokens, share), _mean(proxies, losses, share), strict=True)
        )
        chart = alt.Chart(alt.InlineData(values=rows)).mark_line(point=True)
        colour = alt.Color("share:O", title="domain %", scale=alt.Scale(scheme="viridis"))
        x = alt.X("tokens:Q", title="tokens", axis=alt.Axis(format="~s", tickCount=5, grid=False))
        y = alt.Y("loss:Q", title="nats a token", scale=alt.Scale(zero=False))
        title = f"held-out {side} loss"
        panels.append(chart.encode(x=x, y=y, color=colour).properties(width=_WIDTH, height=_HEIGHT, title=title))
    return alt.hconcat(*panels, spacing=28)


def _ends(proxies: Proxies, side: Side) -> Array:
    """Losses at the end of each run, as the laws are fitted to them (without what a paired seed adds)."""
    return proxies.losses(side)[:, -1]


def _mean(proxies: Proxies, figures: Array, share: float) -> Array:
    """Figures [r, t] of one share, mean over its runs [t]."""
    mean: Array = figures[proxies.share == share].mean(axis=0)
    return mean


def _share_scale(proxies: Proxies) -> alt.Scale:
    import altair as alt

    ends = [float(proxies.share.min()), float(proxies.share.max())]
    return alt.Scale(type="log" if ends[0] > 0 else "linear", domain=ends, nice=False, padding=12)


def _percents() -> alt.Axis:
    import altair as alt

    return alt.Axis(format="~p", tickCount=5, grid=False)


def _styled(chart: Any) -> dict[str, Any]:
    styled = (
        chart.configure(font="sans-serif", background="white", padding=14)
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=12, titleFontSize=12, labelColor=INK, titleColor=SOFT, gridColor="#e6e9ec")
        .configure_title(fontSize=14, color=INK, anchor="start")
        .configure_text(fontSize=12)
    )
    specification: dict[str, Any] = styled.to_dict()
    return specification


def _plain(rows: Any) -> list[dict[str, Any]]:
    """Rows with Python's own numbers, which a specification can hold."""
    return [{key: _number(value) for key, value in row.items()} for row in rows]


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, float | np.floating) else value
