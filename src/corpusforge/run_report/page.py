"""A run's report as a page: Markdown with the charts beside it, and one HTML file that holds them."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_STYLE = """body{font:16px/1.5 system-ui,sans-serif;color:#1b2430;background:#fdfdfc}
body{max-width:56rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0;font-size:.9rem}th,td{padding:.25rem .7rem;border-bottom:1px solid #cdd3d9}
th{text-align:left;font-weight:600}.n{text-align:right;font-variant-numeric:tabular-nums}figure{margin:1rem 0}
svg{max-width:100%;height:auto}figcaption{color:#5b6673;font-size:.9rem}div.t{overflow-x:auto}"""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows of words; columns in `right` are figures."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with sentences, a table, and charts by name with what each shows."""

    heading: str
    sentences: tuple[str, ...] = ()
    table: Table | None = None
    charts: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Page:
    """A title, sections, and the SVG of every chart that they name."""

    title: str
    sections: list[Section] = field(default_factory=list)
    charts: Mapping[str, str] = field(default_factory=dict)

    def markdown(self) -> str:
        """The page with its charts as `plots/NAME.svg`."""
        lines = [f"# {self.title}", ""]
        for one in self.sections:
            lines += [f"## {one.heading}", "", *(part for said in one.sentences for part in (said, ""))]
            lines += [] if one.table is None else _markdown_table(one.table)
            for name, caption in one.charts:
                lines += [f"![{caption}](plots/{name}.svg)", ""] if name in self.charts else []
        return "\n".join(lines)

    def html(self) -> str:
        """The page as one file without scripts."""
        parts = [f"<h1>{html.escape(self.title)}</h1>"]
        for one in self.sections:
            parts.append(f"<h2>{html.escape(one.heading)}</h2>")
            parts += [f"<p>{html.escape(said)}</p>" for said in one.sentences]
            parts += [] if one.table is None else [_html_table(one.table)]
            for name, caption in one.charts:
                if name in self.charts:
                    drawn, told = self.charts[name], html.escape(caption)
                    parts.append(f"<figure>{drawn}<figcaption>{told}</figcaption></figure>")
        head = f'<meta charset="utf-8"><title>{html.escape(self.title)}</title><style>{_STYLE}</style>'
        return f'<!doctype html><html lang="en"><head>{head}</head><body>\n' + "\n".join(parts) + "\n</body></html>\n"


def run_page(report: Mapping[str, Any], charts: Mapping[str, str]) -> Page:
    """The page of one run."""
    page = Page(f"Training run {report['run']}", charts=charts)
    page.sections.append(Section("In short", tuple(verdicts(report))))
    page.sections.append(
        Section(
            "Held-out text",
            (
                "Change in nats a token since the run began, document by document, with 95% intervals. "
                f"The alarm watches the public side: it warns at +{report['alarm']['warn']:g}.",
            ),
            held_table(report),
            (("holdout", "Change of the held-out loss with its 95% band; dashed red: the alarm's warning."),),
        )
    )
    if report["evaluation"]:
        page.sections.append(_tasks(report["evaluation"]))
    page.sections.append(
        Section(
            "Tokens by source",
            ("What the mix planned and what the ledger says was consumed.",),
            _sources(report["sources"]),
            (("distance", "How far each source was from its share, in sequences; dashed: one sequence."),),
        )
    )
    page.sections.append(
        Section(
            "Training",
            (),
            None,
            (("losses", "Training loss by source, mean of neighbouring steps."), ("rate", "The learning rate.")),
        )
    )
    return page


def runs_page(reports: Sequence[Mapping[str, Any]], charts: Mapping[str, str]) -> Page:
    """Several runs side by side."""
    page = Page("Training runs side by side", charts=charts)
    page.sections.append(
        Section(
            "What the domain gained and the public side lost",
            ("Each run against the model that it began with, in nats a token, with 95% intervals.",),
            runs_table(reports),
            (("runs", "Change of the held-out losses with 95% intervals; dashed red: the alarm's warning."),),
        )
    )
    for report in reports:
        if report["evaluation"]:
            page.sections.append(_tasks(report["evaluation"], f"Tasks before and after {report['run']}"))
    return page


def runs_table(reports: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each run."""
    rows = []
    for one in reports:
        public = one["holdout"]["public"]
        rows.append(
            (
                one["run"],
                "+".join(one["outputs"]),
                _domain_share(one),
                f"{sum(source['tokens'] for source in one['sources']):,}",
                *(_last(one["holdout"][side]) for side in ("domain", "public")),
                _alarm(public[-1]["change"], one["alarm"]) if public else "not watched",
            )
        )
    columns = ("run", "rows", "domain share", "tokens", "domain loss [95%]", "public loss [95%]", "alarm")
    return Table(columns, tuple(rows), (2, 3, 4, 5))


def verdicts(report: Mapping[str, Any]) -> list[str]:
    """What a reader wants to know first, a sentence each."""
    tokens = sum(source["tokens"] for source in report["sources"])
    signed = f"approved by {report['approved_by']}" if report["approved_by"] else "approved by nobody"
    said = [
        f"{report['trained'].capitalize()} of {report['began_with']}, {tokens:,} tokens in {report['steps']:,} steps, "
        f"from build {report['build']} of {report['recipe']}, {signed}."
        + ("" if report["finished"] else " The run has not ended.")
    ]
    for side, points in report["holdout"].items():
        if len(points) < 2:
            said.append(f"The {side} side was not measured before and after.")
            continue
        last = points[-1]
        how = "fell" if last["change"] < 0 else "rose"
        sure = last["low"] is not None and (last["low"] > 0) == (last["high"] > 0)
        proof = "the interval excludes zero" if sure else "the interval holds zero"
        line = f"Held-out {side} loss {how} by {abs(last['change']):.3f} nats a token to {last['loss']:.3f}; {proof}."
        said.append(line + (f" {_alarm(last['change'], report['alarm']).capitalize()}." if side == "public" else ""))
    exact = all(source["tokens"] == source["planned_tokens"] for source in report["sources"])
    if report["finished"]:
        line = f"The ledger {'equals' if exact else 'DIFFERS FROM'} the mix to the token"
        if report["distances"]:
            worst = max(abs(one["sequences"]) for one in report["distances"])
            line += f"; at no logged step was a source further than {worst:.2f} sequences from its share"
        said.append(f"{line}.")
    return said


def held_table(report: Mapping[str, Any]) -> Table:
    """Both sides before and after."""
    rows = []
    for side, points in report["holdout"].items():
        if len(points) > 1:
            first, last = points[0], points[-1]
            bits = (f"{one['bits_per_byte']:.3f}" for one in (first, last))
            rows.append((side, f"{first['loss']:.3f}", f"{last['loss']:.3f}", _last(points), *bits))
    columns = ("held out", "loss before", "after", "change [95%]", "bits a byte before", "after")
    return Table(columns, tuple(rows), (1, 2, 3, 4, 5))


def _tasks(told: Mapping[str, Any], heading: str = "Tasks before and after") -> Section:
    rows = tuple(
        (
            row["task"],
            row["metric"],
            f"{row['items']:,}",
            _figure(row["before"]),
            _figure(row["after"]),
            _figure(row["difference"], signed=True),
            "–" if row["guesser"] is None else f"{row['guesser']:.3f}",
        )
        for row in told["rows"]
    )
    columns = ("task", "metric", "items", "before [95%]", "after [95%]", "difference [95%]", "guesser")
    names = {key: f"{one['name']}" for key, one in told["models"].items()}
    said = [f"Before is {names['B']}, after {names['A']}; differences are paired over the same items."]
    said.append("Of bits_per_byte less is better, of all others more.")
    said += [f"{one['task']} was not run: it {one['why']}." for one in told["not_run"]]
    chart = (("tasks", "Paired differences with 95% intervals; right of zero is better."),)
    return Section(heading, tuple(said), Table(columns, rows, (2, 3, 4, 5, 6)), chart)


def _sources(sources: Sequence[Mapping[str, Any]]) -> Table:
    rows = tuple(
        (
            one["source"],
            one["group"],
            "–" if one["wanted_share"] is None else f"{one['wanted_share']:.2%}",
            f"{one['share']:.2%}",
            f"{one['planned_tokens']:,}",
            f"{one['tokens']:,}",
            f"{one['epochs']}",
        )
        for one in sources
    )
    columns = ("source", "group", "recipe's share", "share", "planned tokens", "consumed", "passes begun")
    return Table(columns, rows, (2, 3, 4, 5, 6))


def _domain_share(report: Mapping[str, Any]) -> str:
    own = [source["share"] for source in report["sources"] if source["group"] == "domain"]
    return f"{sum(own):.1%}" if own else "–"


def _alarm(change: float, alarm: Mapping[str, Any]) -> str:
    if alarm["stop"] is not None and change > alarm["stop"]:
        return f"above the stop of {alarm['stop']:g}"
    return f"{'above' if change > alarm['warn'] else 'below'} the warning of {alarm['warn']:g}"


def _last(points: Sequence[Mapping[str, Any]]) -> str:
    if not points:
        return "–"
    last = points[-1]
    ends = "" if last["low"] is None else f" [{last['low']:+.3f}, {last['high']:+.3f}]"
    return f"{last['change']:+.3f}{ends}"


def _figure(told: Mapping[str, float] | None, signed: bool = False) -> str:
    if told is None:
        return "–"
    sign = "+" if signed else ""
    return f"{told['value']:{sign}.3f} [{told['low']:{sign}.3f}, {told['high']:{sign}.3f}]"


def _markdown_table(table: Table) -> list[str]:
    marks = ["---:" if place in table.right else "---" for place in range(len(table.columns))]
    rows = ["| " + " | ".join(row) + " |" for row in table.rows]
    return ["| " + " | ".join(table.columns) + " |", "|" + "|".join(marks) + "|", *rows, ""]


def _html_table(table: Table) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        kinds = [' class="n"' if place in table.right else "" for place in range(len(cells))]
        return (
            "<tr>" + "".join(f"<{tag}{k}>{html.escape(c)}</{tag}>" for k, c in zip(kinds, cells, strict=True)) + "</tr>"
        )

    body = "".join(row(cells, "td") for cells in table.rows)
    return f'<div class="t"><table><thead>{row(table.columns, "th")}</thead><tbody>{body}</tbody></table></div>'
