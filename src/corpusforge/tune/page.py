"""The report's folder: tune.json for programs, tune.html for people, and its charts as SVG and PNG."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from corpusforge.tune.charts import charts, draw
from corpusforge.tune.draws import Candidate
from corpusforge.tune.proxies import Proxies
from corpusforge.tune.tuning import Band, Proposal
from corpusforge.tune.wording import percent, sentences

FORMAT = 1
_CAPTIONS = {
    "by-share": "Held-out loss at the end of each run by the domain's share, with the law and its 95% band. "
    "Shaded: the share's interval. Dashed: what the budget allows public text.",
    "trade-off": "Domain loss against public loss: to the left less is forgotten, further down more is learned.",
    "over-tokens": "Held-out losses as the runs go on, mean over seeds.",
}
_STYLE = """
body{font:16px/1.5 sans-serif;color:#1b2430;max-width:960px;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.2rem .9rem .2rem 0;text-align:right}
figure{margin:1.5rem 0}figcaption{color:#5b6673}svg{max-width:100%;height:auto}code{font-size:1.15rem}
"""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: tune.json's value and the page's path."""

    value: dict[str, Any]
    page: Path


def write_report(folder: Path, name: str, proxies: Proxies, proposal: Proposal) -> Written:
    """Write a proposal's report into a folder, over one that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    value = report(name, proxies, proposal)
    drawn = {}
    for chart, specification in charts(proxies, proposal).items():
        drawn[chart], png = draw(specification)
        (folder / f"{chart}.svg").write_text(drawn[chart], "utf-8")
        (folder / f"{chart}.png").write_bytes(png)
    (folder / "tune.json").write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")
    page = folder / "tune.html"
    page.write_text(_page(name, proxies, proposal, drawn), "utf-8")
    return Written(value, page)


def report(name: str, proxies: Proxies, proposal: Proposal) -> dict[str, Any]:
    """A proposal and all that was measured, as plain values."""
    runs = [
        {
            "share": float(share),
            "seed": int(seed),
            "tokens": tokens.tolist(),
            "domain": domain.tolist(),
            "public": public.tolist(),
            "before": {"domain": float(before[0]), "public": float(before[1])},
        }
        for share, seed, tokens, domain, public, before in zip(
            proxies.share, proxies.seed, proxies.tokens, proxies.domain, proxies.public, proxies.before, strict=True
        )
    ]
    return {
        "format": FORMAT,
        "recipe": name,
        "share": proposal.share,
        "set": None if proposal.share is None else f"mix.completion.domain.share={percent(proposal.share)}",
        "interval": None if proposal.interval is None else list(proposal.interval),
        "bound": proposal.bound,
        "budget": proposal.budget,
        "against": proposal.against,
        "gain": _band(proposal.gain),
        "rise": _band(proposal.rise),
        "tokens": proposal.tokens,
        "missing": list(proposal.missing),
        "more_runs": proposal.more_runs,
        "laws": {side: [_law(one, proxies.measured) for one in found] for side, found in proposal.laws.items()},
        "runs": runs,
    }


def _law(one: Candidate, unit: float) -> dict[str, Any]:
    return {
        "law": one.fit.law.name,
        "formula": one.fit.law.formula,
        "weight": one.weight,
        "parameters": dict(one.fit.law.told(one.fit.parameters, unit)),
        "scatter": one.scatter.between,
        "freedom": one.scatter.freedom,
    }


def _band(band: Band | None) -> list[float] | None:
    return None if band is None else [band.value, band.low, band.high]


def _page(name: str, proxies: Proxies, proposal: Proposal, drawn: dict[str, str]) -> str:
    if proposal.share is None:
        head = f"<p><strong>Not enough evidence for a share:</strong> {escape('; '.join(proposal.missing))}.</p>"
    else:
        head = f"<p><code>mix.completion.domain.share={percent(proposal.share)}</code></p>"
    lines = "".join(f"<li>{escape(line)}</li>" for line in sentences(proposal, proxies))
    figures = "".join(
        f"<figure>{drawn[chart]}<figcaption>{escape(words)}</figcaption></figure>" for chart, words in _CAPTIONS.items()
    )
    title = f"Tuning {escape(name)}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1>{head}<ul>{lines}</ul>{figures}{_table(proxies)}</html>\n"
    )


def _table(proxies: Proxies) -> str:
    """Mean losses at the end by share, and how far the seeds lie apart."""
    rows = []
    for share in np.unique(proxies.share):
        mine = proxies.share == share
        cells = [f"{share:.2%}", str(int(mine.sum()))]
        for losses in (proxies.domain[mine, -1], proxies.public[mine, -1]):
            cells += [f"{losses.mean():.4f}", f"{np.ptp(losses):.4f}"]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    heads = ("share", "runs", "domain loss", "range", "public loss", "range")
    return f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{''.join(rows)}</table>"
