"""The charts of a run's report as SVG: Altair specifications drawn by vl-convert, no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WIDTH, HEIGHT = 640, 220
INK, SOFT, ALARM = "#1b2430", "#5b6673", "#b3261e"
DOMAIN, PUBLIC = "#0f6b6b", "#8a5a00"
_COLOURS = ("#0f6b6b", "#8a5a00", "#4c4a9e", "#9c3d6b", "#3f7f2f", "#5b6673", "#b0702c", "#2a7fb8")
SIDES = {"domain": DOMAIN, "public": PUBLIC}


def run_charts(report: Mapping[str, Any]) -> dict[str, str]:
    """SVG by name, for what the run has figures of."""
    made: dict[str, str] = {}
    if report["losses"]:
        made["losses"] = _by_source(report["losses"], "loss", "loss, nats a token")
    if any(len(points) > 1 for points in report["holdout"].values()):
        made["holdout"] = _holdout(report["holdout"], report["alarm"])
    if report["rates"]:
        made["rate"] = _svg(_line(report["rates"], "rate", "learning rate", ".1e"))
    if report["distances"]:
        made["distance"] = _by_source(report["distances"], "sequences", "sequences from its share", rules=(-1.0, 1.0))
    if report["evaluation"]:
        made["tasks"] = _tasks(report["evaluation"]["rows"])
    return made


def runs_chart(rows: Sequence[Mapping[str, Any]], warn: float) -> str:
    """The change of domain and public loss of several runs, side by side, with the alarm's line on the public side."""
    import altair as alt

    names = list(dict.fromkeys(row["run"] for row in rows))
    panels = []
    for side, colour in SIDES.items():
        # Each panel has data of its own: a filter would not reach into layers that bring theirs.
        chart = alt.Chart(alt.InlineData(values=[dict(row) for row in rows if row["side"] == side]))
        y = alt.Y("run:N", scale=alt.Scale(domain=names), title=None, axis=alt.Axis(labelFontSize=13, labelLimit=200))
        x = alt.X("change:Q", title="change, nats a token", axis=alt.Axis(format="+.2f", tickCount=5))
        ranges = chart.mark_rule(strokeWidth=3, color=colour).encode(y=y, x=alt.X("low:Q"), x2="high:Q")
        points = chart.mark_point(size=90, filled=True, opacity=1, color=colour).encode(y=y, x=x)
        labels = chart.mark_text(dy=-13, color=INK).encode(y=y, x=x, text=alt.Text("change:Q", format="+.3f"))
        rules = [_rule(0.0, SOFT, vertical=True), *([_rule(warn, ALARM, vertical=True)] if side == "public" else [])]
        panel = alt.layer(*rules, ranges, points, labels)
        panels.append(panel.properties(width=WIDTH // 2 - 60, height=alt.Step(46), title=f"held-out {side} text"))
    return _drawn(alt.hconcat(*panels))


def _by_source(rows: Sequence[Mapping[str, Any]], field: str, title: str, rules: Sequence[float] = ()) -> str:
    import altair as alt

    names = sorted({row["source"] for row in rows})
    colours = {name: _COLOURS[number % len(_COLOURS)] for number, name in enumerate(names)}
    chart = alt.Chart(alt.InlineData(values=[dict(row) for row in rows]))
    colour = alt.Color("source:N", scale=_scale(colours), legend=alt.Legend(title=None, orient="right"))
    y = alt.Y(f"{field}:Q", title=title, scale=alt.Scale(zero=False))
    x = _steps()
    lines = chart.mark_line(strokeWidth=1.8).encode(x=x, y=y, color=colour)
    # A source with a single bin has no line.
    points = chart.mark_point(size=14, filled=True).encode(x=x, y=y, color=colour)
    return _svg(alt.layer(lines, points, *(_rule(value, SOFT) for value in rules)))


def _holdout(sides: Mapping[str, Sequence[Mapping[str, Any]]], alarm: Mapping[str, Any]) -> str:
    """The change since the run began with its 95% band, and the alarm's lines, which are for the public side."""
    import altair as alt

    rows = [
        {"side": side, "step": one["step"], "change": one["change"], "low": one["low"], "high": one["high"]}
        for side, points in sides.items()
        for one in points
    ]
    for row in rows:
        row["low"], row["high"] = (row["change"] if row[key] is None else row[key] for key in ("low", "high"))
    chart = alt.Chart(alt.InlineData(values=rows))
    colour = alt.Color("side:N", scale=_scale(SIDES), legend=alt.Legend(title=None, orient="right"))
    x = _steps()
    y = alt.Y("change:Q", title="change, nats a token", axis=alt.Axis(format="+.2f"))
    band = chart.mark_area(opacity=0.2).encode(x=x, y="low:Q", y2="high:Q", color=colour)
    line = chart.mark_line(point=True, strokeWidth=2).encode(x=x, y=y, color=colour)
    lines = [_rule(0.0, SOFT), _rule(float(alarm["warn"]), ALARM)]
    return _svg(alt.layer(band, line, *lines))


def _tasks(rows: Sequence[Mapping[str, Any]]) -> str:
    """The paired difference of each task's metric with its interval; text is told in bits and has a table alone."""
    import altair as alt

    shown = [{"what": f"{row['task']} · {row['metric']}", **row["difference"]} for row in rows if row["kind"] != "text"]
    chart = alt.Chart(alt.InlineData(values=shown))
    y = alt.Y("what:N", sort=None, title=None, axis=alt.Axis(labelLimit=320))
    x = alt.X("value:Q", title="after less before", axis=alt.Axis(format="+.2f", tickCount=6))
    ranges = chart.mark_rule(color=DOMAIN, strokeWidth=3).encode(y=y, x=alt.X("low:Q"), x2="high:Q")
    points = chart.mark_point(color=DOMAIN, size=80, filled=True, opacity=1).encode(y=y, x=x)
    layers = alt.layer(_rule(0.0, SOFT, vertical=True), ranges, points)
    return _drawn(layers.properties(width=WIDTH - 220, height=alt.Step(24)))


def _line(rows: Sequence[Mapping[str, Any]], field: str, title: str, form: str) -> Any:
    import altair as alt

    chart = alt.Chart(alt.InlineData(values=[dict(row) for row in rows]))
    y = alt.Y(f"{field}:Q", title=title, axis=alt.Axis(format=form))
    return chart.mark_line(color=DOMAIN, strokeWidth=2).encode(x=_steps(), y=y)


def _steps() -> Any:
    import altair as alt

    return alt.X("step:Q", title="step", scale=alt.Scale(nice=False), axis=alt.Axis(tickCount=8))


def _rule(value: float, colour: str, vertical: bool = False) -> Any:
    import altair as alt

    mark = alt.Chart(alt.InlineData(values=[{"at": value}])).mark_rule(color=colour, strokeDash=[4, 3])
    return mark.encode(x="at:Q") if vertical else mark.encode(y="at:Q")


def _scale(colours: Mapping[str, str]) -> Any:
    import altair as alt

    return alt.Scale(domain=list(colours), range=list(colours.values()))


def _svg(chart: Any) -> str:
    return _drawn(chart.properties(width=WIDTH, height=HEIGHT))


def _drawn(chart: Any) -> str:
    import vl_convert

    whole = (
        chart.configure(font="sans-serif", background="#fdfdfc", padding=8)
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight="normal", gridColor="#e6e9ec")
        .configure_legend(labelFontSize=12)
        .configure_title(fontSize=13, fontWeight="normal")
    )
    return str(vl_convert.vegalite_to_svg(whole.to_dict()))
