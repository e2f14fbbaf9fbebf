"""The sentences of a card that only a person can write, and which of them are missing."""

from __future__ import annotations

from corpusforge.card.facts import Facts
from corpusforge.card.section import Section

ASKED = {
    "purpose": "What is this corpus for, and who asked for it?",
    "suitable": "Which uses does it suit?",
    "unsuitable": "Which uses must it not be put to?",
    "limits": "Which biases, gaps and risks should a user know?",
}


class Missing(Section):
    """A sentence that nobody has written yet: `key` in the recipe's `about`, and what it should answer."""

    key: str
    question: str


class About(Section):
    """The human sentences, as written in the recipe."""

    purpose: str
    suitable: str
    unsuitable: str
    limits: str
    date: str
    publisher: str
    missing: tuple[Missing, ...]


def make_about(facts: Facts) -> About:
    """The recipe's `about`, with a list of what is missing; filler such as TODO counts as missing."""
    given = facts.recipe.get("about")
    given = given if isinstance(given, dict) else {}
    words = {key: str(given.get(key) or "").strip() for key in (*ASKED, "date", "publisher")}
    missing = [
        Missing(key=key, question=question) for key, question in ASKED.items() if not _says_something(words[key])
    ]
    return About(**words, missing=tuple(missing))


def _says_something(text: str) -> bool:
    filler = {"", "tbd", "todo", "…", "...", "none", "n/a", "[more information needed]"}
    return text.casefold().strip(" .") not in filler
