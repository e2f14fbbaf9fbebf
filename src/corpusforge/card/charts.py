"""The card's charts as inline SVG: Altair specifications drawn by vl-convert, no script, nothing fetched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from corpusforge.card.figures import column, count, share
from corpusforge.card.funnel import Funnel
from corpusforge.card.mixture import Blend, Leaf
from corpusforge.card.synthetic import Audit

if TYPE_CHECKING:
    import altair as alt

WIDTH = 900
# Each colour stands for a role; the page's style sheet swaps it for the reader's theme by this very value.
INK, SOFT, PAPER, ON_FILL = "#1b2430", "#5b6673", "#fdfdfc", "#fffffe"
ACCENT, ACCENT_SOFT, REST = "#0f6b6b", "#8fbfba", "#cdd3d9"
TONES = (ACCENT, "#3f8f8a", ACCENT_SOFT, "#b9c3cb", REST)
LOSSES = ("#9aa5b0", "#c2c9d0")
THEMED = {
    "ink": INK, "soft": SOFT, "paper": PAPER, "accent": ACCENT, "accent-2": TONES[1], "accent-3": ACCENT_SOFT,
    "rest-2": TONES[3], "rest": REST, "loss-1": LOSSES[0], "loss-2": LOSSES[1],
}  # fmt: skip
# The share of the width that a letter takes: a label longer than its bar is left to the table.
_LETTER = 0.0105


def whole_bar(blend: Blend) -> str:
    """One bar of the whole mix by group; a group too thin for a label has a lens of its own."""
    rows, at = [], 0.0
    for i, group in enumerate(blend.groups):
        end = at + group.share_got
        rows.append(
            {
                "start": at,
                "end": end,
                "middle": (at + end) / 2,
                "fill": TONES[0] if group.name in blend.lens else TONES[min(3 + i, 4)],
                "ink": INK if group.name not in blend.lens else ON_FILL,
                "label": _fitting(f"{group.name} {share(group.share_got)}", group.share_got),
            }
        )
        at = end
    words = ", ".join(f"{group.name} {share(group.share_got)}" for group in blend.groups)
    return _segments([{**row, "row": ""} for row in rows], 30, f"Share of {blend.unit} by group: {words}.")


def leaf_bars(leaves: tuple[Leaf, ...], of_wanted: float, of_got: float, unit: str) -> str:
    """A bar per leaf, what it got of its whole (`of_got`), and a tick at what it wanted (of `of_wanted`)."""
    import altair as alt

    rows: list[dict[str, Any]] = [
        {
            "name": leaf.name,
            "got": leaf.share_got / of_got if of_got else 0.0,
            "wanted": leaf.share_wanted / of_wanted if of_wanted else 0.0,
            "fill": ACCENT_SOFT if leaf.synthetic else ACCENT,
            "label": f"{column(leaf.share_got)} · {count(leaf.got)} {unit}{' · synthetic' if leaf.synthetic else ''}",
        }
        for leaf in leaves
    ]
    for row in rows:
        row["edge"] = max(row["got"], row["wanted"])
    top = max([0.01, *(row["edge"] for row in rows)])
    y = alt.Y("name:N", sort=None, axis=_names())
    x = alt.X("got:Q", axis=None, scale=alt.Scale(domain=[0, top * 1.6]))
    chart = alt.Chart(alt.InlineData(values=rows))
    bars = chart.mark_bar(height=16).encode(y=y, x=x, color=alt.Color("fill:N", scale=None))
    ticks = chart.mark_tick(color=INK, thickness=2, height=22).encode(y=y, x="wanted:Q")
    labels = chart.mark_text(align="left", dx=8, color=INK).encode(y=y, x="edge:Q", text="label:N")
    words = ", ".join(f"{row['name']} {row['label']}" for row in rows)
    return _svg(bars + ticks + labels, 28, f"Got, with a tick at what was wanted: {words}.")


def survivors(funnel: Funnel) -> str:
    """A bar per source: what survived, then what each step took, as shares of its raw records."""
    rows: list[dict[str, Any]] = []
    for stream in funnel.streams:
        left, losses = 1.0, []
        for flow in stream.flows:
            losses.append((flow.step, left * flow.lost_share))
            left *= flow.kept / flow.read if flow.read else 1.0
        at = 0.0
        for step, part in [("kept", stream.surviving), *losses]:
            if part <= 0:
                continue
            kept = step == "kept"
            rows.append(
                {
                    "row": stream.source,
                    "start": at,
                    "end": at + part,
                    "middle": at + part / 2,
                    "fill": ACCENT if kept else LOSSES[funnel.steps.index(step) % 2],
                    "ink": ON_FILL if kept else INK,
                    "label": _fitting(f"{step} {share(part)}", part),
                }
            )
            at += part
    words = ", ".join(f"{stream.source} kept {share(stream.surviving)}" for stream in funnel.streams)
    return _segments(rows, 32, f"Share of raw records that survive: {words}.")


def letters(audit: Audit) -> str:
    """How often each letter is the right answer, with a rule at the flat spread."""
    import altair as alt

    total = sum(audit.letters.values())
    shares = {letter: n / total for letter, n in audit.letters.items() if total}
    rows = [
        {"letter": letter, "share": x, "label": f"{share(x)} · {count(audit.letters[letter])}"}
        for letter, x in shares.items()
    ]
    chart = alt.Chart(alt.InlineData(values=rows))
    y = alt.Y("letter:N", sort=None, axis=_names())
    x = alt.X("share:Q", axis=None, scale=alt.Scale(domain=[0, max([0.5, *shares.values()])]))
    bars = chart.mark_bar(height=16, color=ACCENT).encode(y=y, x=x)
    labels = chart.mark_text(align="left", dx=10, color=INK).encode(y=y, x=x, text="label:N")
    flat = (
        alt.Chart(alt.InlineData(values=[{"at": audit.chance}]))
        .mark_rule(color=INK, strokeDash=[3, 3])
        .encode(x="at:Q")
    )
    words = ", ".join(f"{row['letter']} {row['label']}" for row in rows)
    return _svg(bars + labels + flat, 26, f"Place of the right answer: {words}; dashed: an even spread.")


def _segments(rows: list[dict[str, Any]], height: int, words: str) -> str:
    import altair as alt

    chart = alt.Chart(alt.InlineData(values=rows))
    named = any(row["row"] for row in rows)
    y = alt.Y("row:N", sort=None, axis=_names() if named else None)
    x = alt.X("start:Q", axis=None, scale=alt.Scale(domain=[0, 1], nice=False))
    bars = chart.mark_bar(height=height - 8, stroke=PAPER, strokeWidth=1.5).encode(
        y=y, x=x, x2="end:Q", color=alt.Color("fill:N", scale=None)
    )
    labels = chart.mark_text(baseline="middle").encode(
        y=y, x="middle:Q", text="label:N", color=alt.Color("ink:N", scale=None)
    )
    return _svg(bars + labels, height, words)


def _fitting(label: str, width: float) -> str:
    return label if width >= _LETTER * len(label) else ""


def _names() -> alt.Axis:
    import altair as alt

    return alt.Axis(
        title=None, domain=False, ticks=False, labelColor=INK, labelPadding=10, labelLimit=180, minExtent=110
    )


def _svg(chart: alt.LayerChart, step: int, words: str) -> str:
    """The SVG of a chart: themable, named for a screen reader, sized by the page."""
    import altair as alt
    import vl_convert

    whole = (
        chart.properties(width=WIDTH - 140, height=alt.Step(step), background="transparent", padding=2)
        .configure(font="sans-serif")
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=13)
        .configure_text(fontSize=13, font="sans-serif")
    )
    drawn = str(vl_convert.vegalite_to_svg(whole.to_dict()))
    return _inline(drawn, words)


def _inline(drawn: str, words: str) -> str:
    """An SVG fit to stand in a page: one name for screen readers, no roles of Vega's own, sized by the style sheet."""
    from html import escape

    body = drawn[drawn.index("<svg") :]
    body = re.sub(r' (?:role|aria-[a-z]+|pointer-events|class)="[^"]*"', "", body)
    body = (
        re.sub(r' (?:xmlns(?::xlink)?|version|width|height)="[^"]*"', "", body[: body.index(">")])
        + body[body.index(">") :]
    )
    return body.replace("<svg", f'<svg role="img" aria-label="{escape(words, quote=True)}"', 1)
