"""A question with its answer as spans of a record's text: what every rule makes."""

from __future__ import annotations

from dataclasses import dataclass

from corpusforge.generate.page import Page
from corpusforge.generate.phrasings import templates

PRIORITY = (
    "gold", "faq", "chat", "steps", "how", "command", "definition", "what", "entry", "cell", "next-step", "condition",
    "going-about", "about", "term",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pair:
    """One question and answer.

    `answer` equals the text at `spans` up to white space (several spans: joined by line breaks), except for `gold`
    pairs, whose answer a person wrote. `section` is the index of the passage. `slot` names what kind of thing the
    answer is (the column of a table, a step of a procedure); `siblings` are other values of that slot beside it, each
    of them a wrong answer to this question by the structure of the text.
    """

    template: str
    family: str
    question: str
    answer: str
    spans: tuple[tuple[int, int], ...]
    section: int
    slot: str = ""
    siblings: tuple[str, ...] = ()

    @property
    def start(self) -> int:
        """Where the evidence starts; with template and question it tells pairs of one record apart."""
        return self.spans[0][0]


def ask(page: Page, template: str, start: int, **slots: str) -> str:
    """A question from one of the template's phrasings, always the same one for the same place of the same record."""
    question = templates("qa")[template].phrase(f"{page.record.id}:{start}", **slots)
    return question[:1].upper() + question[1:]
