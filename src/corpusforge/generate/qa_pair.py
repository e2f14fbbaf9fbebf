"""A question with its answer as spans of a record's text: what every rule makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from corpusforge.generate.page import Page
from corpusforge.generate.phrasings import templates
from corpusforge.generate.sentences import normalised

PRIORITY = (
    "gold", "faq", "chat", "steps", "how", "command", "definition", "what", "entry", "cell", "next-step", "condition",
    "going-about", "about", "term",
)  # fmt: skip


@dataclass(slots=True)
class Ask:
    """A question before it is worded: its template, what fills the slots, and the seed that chooses the wording."""

    template: str
    seed: str
    slots: tuple[tuple[str, str], ...]
    _text: str = field(default="", init=False, repr=False, compare=False)
    _key: str = field(default="", init=False, repr=False, compare=False)

    @property
    def text(self) -> str:
        """The question in one of its template's wordings."""
        if not self._text:
            template, slots = templates("qa")[self.template], dict(self.slots)
            question = template.phrase(self.seed, **slots)
            # A question that opens with a name keeps its letters: `ls` is no `Ls`.
            if "title" not in slots or not question.startswith(f"{slots['title']}:"):
                question = question[:1].upper() + question[1:]
            self._text = question
        return self._text

    @property
    def key(self) -> str:
        """What is asked, whatever the wording: two questions with the same key must have the same answer."""
        if not self._key:
            words = [self.template.removesuffix("-titled"), *[value for _, value in self.slots]]
            self._key = normalised(" ".join(words))
        return self._key


class Pair(NamedTuple):
    """One question and answer.

    `answer` equals the text at `spans` up to white space (several spans: joined by line breaks), except for `gold`
    pairs, whose answer a person wrote. `section` is the index of the passage. `slot` names what kind of thing the
    answer is (the column of a table, a step of a procedure); `siblings` are other values of that slot beside it, each
    of them a wrong answer to this question by the structure of the text.
    """

    template: str
    family: str
    ask: Ask
    answer: str
    spans: tuple[tuple[int, int], ...]
    section: int
    slot: str = ""
    siblings: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """The question as it is put."""
        return self.ask.text

    @property
    def start(self) -> int:
        """Where the evidence starts; with template and question it tells pairs of one record apart."""
        return self.spans[0][0]


def ask(page: Page, template: str, start: int, **slots: str) -> Ask:
    """A question whose wording is always the same one for the same place of the same record."""
    return Ask(template, f"{page.record.id}:{start}", tuple(sorted(slots.items())))
