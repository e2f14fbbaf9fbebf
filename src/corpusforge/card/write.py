"""The one door to a card: reads a build's manifest and writes card.json, README.md, card.html and croissant.json."""

from __future__ import annotations

from pathlib import Path

from corpusforge.card.approve import CARD, HTML, README, approved_card
from corpusforge.card.card_json import Card, card_bytes, make_card
from corpusforge.card.configs import configs, read_columns
from corpusforge.card.croissant import croissant_bytes
from corpusforge.card.facts import read_facts
from corpusforge.card.html import card_html
from corpusforge.card.readme import readme
from corpusforge.shards import write_bytes

CROISSANT = "croissant.json"


def write_card(build_dir: Path, cards_dir: Path | None = None) -> Card:
    """Render the card of a build into its folder; the same manifest gives the same bytes.

    `cards_dir` holds the approved cards; the difference is against the one of the same name. Raises UsageError if the
    folder is not a build.
    """
    facts = read_facts(build_dir)
    card = make_card(facts, approved_card(cards_dir, facts.name) if cards_dir else None)
    columns = read_columns(build_dir, configs(card))
    write_bytes(build_dir / README, readme(card).encode())
    write_bytes(build_dir / HTML, card_html(card).encode())
    write_bytes(build_dir / CROISSANT, croissant_bytes(card, columns))
    write_bytes(build_dir / CARD, card_bytes(card))
    return card
