"""Question 4, is the synthetic part true: who made it, what was refused, its evidence, and an audit of the items."""

from __future__ import annotations

from typing import Any

from corpusforge.card.facts import Facts, MCQAudit, MCQSample
from corpusforge.card.section import Section
from corpusforge.card.step_facts import StepFacts

SAMPLES = 20


class Maker(Section):
    """A generating step: of `read` passages `kept` gave rows; `rows` came out; reasons why the others gave none."""

    step: str
    stage: str
    read: int
    kept: int
    rows: int
    refused: dict[str, int]
    counted: dict[str, int]


class Pair(Section):
    """A question and answer beside the passage that should prove it."""

    id: str
    source: str
    question: str
    answer: str
    evidence: str


class Choice(Section):
    """One option of an item: its letter, its text, and whether it is right, near or far."""

    letter: str
    text: str
    verdict: str


class Item(Section):
    """A multiple-choice item."""

    id: str
    source: str
    question: str
    choices: tuple[Choice, ...]


class ReadingRow(Section):
    """A reading-comprehension row."""

    id: str
    source: str
    task: str
    text: str


class Audit(Section):
    """Answer letters and lengths; `chi_square` tests the letters against a flat spread (df = letters - 1)."""

    items: int
    letters: dict[str, int]
    chi_square: float
    flat: bool
    gold_longest_share: float | None
    chance: float


class Synthetic(Section):
    """The generated part of a build."""

    engine: dict[str, Any]
    makers: tuple[Maker, ...]
    pairs: tuple[Pair, ...]
    items: tuple[Item, ...]
    reading: tuple[ReadingRow, ...]
    audit: Audit | None


# Upper 5% points of chi-square for 1 to 9 degrees of freedom.
_CRITICAL = (3.841, 5.991, 7.815, 9.488, 11.070, 12.592, 14.067, 15.507, 16.919)


def make_synthetic(facts: Facts) -> Synthetic | None:
    """The generated part, or None where nothing was generated."""
    makers = [step for step in facts.steps if step.is_maker]
    samples = facts.samples
    if not makers and not (samples.qa or samples.mcq or samples.reading):
        return None
    generate = facts.recipe.get("generate")
    engine = generate.get("engine") if isinstance(generate, dict) else None
    return Synthetic(
        engine=dict(engine) if isinstance(engine, dict) else {},
        makers=tuple(_maker(step) for step in makers),
        pairs=tuple(
            Pair(id=s.id, source=s.source, question=s.question, answer=s.answer, evidence=s.evidence_text)
            for s in samples.qa[:SAMPLES]
        ),
        items=tuple(_item(sample) for sample in samples.mcq[:SAMPLES]),
        reading=tuple(
            ReadingRow(id=s.id, source=s.source, task=s.task, text=s.text) for s in samples.reading[:SAMPLES]
        ),
        audit=_audit(facts.mcq_audit) if facts.mcq_audit.items else None,
    )


def _maker(step: StepFacts) -> Maker:
    refused: dict[str, int] = {}
    counted: dict[str, int] = {}
    for counts in step.counts.values():
        for table in (counts.dropped, counts.quarantined):
            for reason, n in table.items():
                refused[reason] = refused.get(reason, 0) + n
    for table in step.counted.values():
        for key, n in table.items():
            counted[key] = counted.get(key, 0) + n
    return Maker(
        step=step.name,
        stage=step.stage,
        read=sum(c.read for c in step.counts.values()),
        kept=sum(c.kept for c in step.counts.values()),
        rows=sum(c.out for c in step.counts.values()),
        refused=dict(sorted(refused.items(), key=lambda pair: (-pair[1], pair[0]))),
        counted=dict(sorted(counted.items())),
    )


def _item(sample: MCQSample) -> Item:
    options = sample.options
    pairs = list(options.items()) if isinstance(options, dict) else [("", text) for text in options]
    letters = [letter or chr(ord("A") + i) for i, (letter, _) in enumerate(pairs)]
    marks = {"right": (sample.gold,), "near": _many(sample.near), "far": _many(sample.far)}

    def verdict(i: int) -> str:
        names = {letters[i], pairs[i][1], i}
        return next((word for word, marked in marks.items() if any(mark in names for mark in marked)), "")

    choices = tuple(Choice(letter=letters[i], text=text, verdict=verdict(i)) for i, (_, text) in enumerate(pairs))
    return Item(id=sample.id, source=sample.source, question=sample.question, choices=choices)


def _many(value: tuple[str | int, ...] | str | int) -> tuple[str | int, ...]:
    return value if isinstance(value, tuple) else (value,)


def _audit(audit: MCQAudit) -> Audit:
    letters = dict(sorted(audit.letters.items()))
    total, k = sum(letters.values()), len(letters)
    expected = total / k if k else 0.0
    chi = sum((n - expected) ** 2 / expected for n in letters.values()) if expected else 0.0
    critical = _CRITICAL[min(max(k - 2, 0), len(_CRITICAL) - 1)]
    return Audit(
        items=audit.items,
        letters=letters,
        chi_square=round(chi, 3),
        flat=chi <= critical,
        gold_longest_share=audit.gold_longest_share,
        chance=1 / k if k else 0.0,
    )
