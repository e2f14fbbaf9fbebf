"""What a reviewer must answer before a build is approved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from corpusforge.card.card_json import Card
from corpusforge.card.figures import bound_sentence, plural

YES = frozenset({"yes", "y", "true"})


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the reviewer, answered with yes; `why` says what the answer rests on."""

    key: str
    text: str
    why: str = ""


def questions(card: Card) -> list[Question]:
    """The questions that this build raises: what is not in it is not asked about."""
    asked = [
        Question("purpose", "The purpose and the suitable uses fit how the model will be used.", card.about.suitable),
        Question("limits", "The limits and the unsuitable uses are named.", card.about.limits),
    ]
    if card.difference is not None:
        text = f"I read what changed since the approved build {card.difference.before}."
        asked.append(Question("changes", text, plural(len(card.difference.changes), "change") + "."))
    near = sum(len(r.kept_near) + len(r.dropped_near) for r in card.funnel.reasons)
    if near:
        # Chosen for being close calls, not at random: they bound nothing.
        text = f"I read the {near} examples of question 2; they were kept or left out as I would have done."
        asked.append(Question("dropped", text))
    asked += _samples("redacted", "redacted samples", len(card.people.samples), "name nobody")
    if card.people.hidden:
        # Chosen evenly over kinds, so they bound nothing either.
        text = f"I read the {len(card.people.hidden)} places where something was hidden; it was right to hide it there."
        asked.append(Question("hidden", text))
    made = card.synthetic
    if made is not None:
        asked += _samples("qa", "questions with their answers", len(made.pairs), "are proven by their passage")
        asked += _samples("mcq", "multiple-choice items", len(made.items), "have one right answer")
        asked += _samples("reading", "reading rows", len(made.reading), "are right")
    asked.append(Question("licences", "The licences' conditions can be met, and the owners agree."))
    return asked


def unanswered(asked: list[Question], answers: Mapping[str, str | bool]) -> list[Question]:
    """The questions that were not answered with yes."""
    return [question for question in asked if str(answers.get(question.key, "")).strip().lower() not in YES]


def _samples(key: str, what: str, n: int, verdict: str) -> list[Question]:
    if not n:
        return []
    # A clean look at few samples proves little; the reviewer should see how little before signing.
    return [Question(key, f"I read the {n} {what}; they {verdict}.", f"If you find no fault: {bound_sentence(0, n)}")]
