"""card.html: the card as one self-contained page for eyes and for paper; no script, nothing fetched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from corpusforge.card import charts, figures
from corpusforge.card.answers import QUESTIONS, answers
from corpusforge.card.card_json import Card
from corpusforge.card.mixture import preference_sentence
from corpusforge.card.questions import questions
from corpusforge.card.synthetic import probe_line

if TYPE_CHECKING:
    from markupsafe import Markup

    from corpusforge.card.approve import Approval

_PLACEHOLDER = re.compile(r"&lt;[A-Z][A-Z0-9_]{0,38}_\d{1,6}&gt;")


def card_html(card: Card, approval: Approval | None = None) -> str:
    """The whole page of a card; with an `approval` it carries the reviewer's stamp."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("corpusforge.card"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        count=figures.count, share=figures.share, column=figures.column, size=figures.size, tokens=figures.tokens,
        marked=marked, words=lambda name: str(name).replace("_", " ").replace("-", " "),
    )  # fmt: skip
    environment.globals.update(
        part=figures.part, plural=figures.plural, probe_line=probe_line, told_pairs=preference_sentence
    )
    template = environment.get_template("card.html.jinja")
    return template.render(
        card=card,
        approval=approval,
        question=QUESTIONS,
        answer=answers(card),
        asked=questions(card),
        chart=_charts(card),
        heat=_heat(card),
        themed=charts.THEMED,
    )


def marked(text: str) -> Markup:
    """Escaped text in which the placeholders of redactions stand out."""
    from markupsafe import Markup, escape

    return Markup(_PLACEHOLDER.sub(lambda m: f'<span class="redacted">{m[0]}</span>', str(escape(text))))


def _charts(card: Card) -> dict[str, Any]:
    """Every chart of the page as markup that needs no escaping."""
    from markupsafe import Markup

    drawn: dict[str, Any] = {"whole": {}, "lens": {}, "leaves": {}}
    for blend in card.mixture:
        if not blend.groups:
            continue
        if len(blend.groups) > 1 and any(len(group.leaves) > 1 for group in blend.groups):
            drawn["whole"][blend.name] = Markup(charts.whole_bar(blend))
        else:
            leaves = tuple(leaf for group in blend.groups for leaf in group.leaves)
            drawn["leaves"][blend.name] = Markup(charts.leaf_bars(leaves, 1.0, 1.0, blend.unit))
        for group in blend.groups:
            if group.name in blend.lens:
                bars = charts.leaf_bars(group.leaves, group.share_wanted, group.share_got, blend.unit)
                drawn["lens"][blend.name, group.name] = Markup(bars)
    if card.funnel.streams:
        drawn["survivors"] = Markup(charts.survivors(card.funnel))
    if card.synthetic and card.synthetic.audit and card.synthetic.audit.letters:
        drawn["letters"] = Markup(charts.letters(card.synthetic.audit))
    return drawn


def _heat(card: Card) -> dict[tuple[str, str], int]:
    """The tint of each cell of the personal-data table, 0 to 60 percent, by findings per record read."""
    people = card.people
    tints = {}
    for kind in people.kinds:
        for source in people.sources:
            rate = people.found[kind].get(source, 0) / people.read[source] if people.read[source] else 0.0
            # A square root: rare kinds must still be seen beside names that stand in every line.
            tints[kind, source] = round(60 * min(1.0, rate) ** 0.5)
    return tints
