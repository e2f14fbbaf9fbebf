"""Question 4, is the synthetic part true: who made it, what was refused, its evidence, and an audit of the items."""

from __future__ import annotations

from typing import Any

from corpusforge.card.facts import Facts, MCQAudit, MCQSample
from corpusforge.card.section import Section
from corpusforge.card.step_facts import StepFacts

SAMPLES = 20


class ModelUse(Section):
    """What a step asked of a model: rows asked for = written + missing; calls and tokens; rows left at the end.

    `money` is what all tokens cost by the recipe's prices, `per_row` the same for each row that is left; None where the
    recipe names no price, or nothing is left.
    """

    asked: int
    written: int
    missing: dict[str, int]
    repaired: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    accepted: int
    money: float | None
    per_row: float | None


class Proof(Section):
    """A step that rows must pass: read, kept, and why the others were refused."""

    step: str
    read: int
    kept: int
    refused: dict[str, int]


class Maker(Section):
    """A generating step: of `read` passages `kept` gave rows; `rows` came out; reasons why the others gave none."""

    step: str
    stage: str
    read: int
    kept: int
    rows: int
    refused: dict[str, int]
    counted: dict[str, int]
    model: ModelUse | None = None


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


class Probe(Section):
    """Shares of `items` whose right option a probe picks that sees options alone, or the question too."""

    items: int
    chance: float
    choices: float
    with_question: float


class Audit(Section):
    """Answer letters and lengths; `chi_square` tests the letters against a flat spread (df = letters - 1)."""

    items: int
    letters: dict[str, int]
    chi_square: float
    flat: bool
    gold_longest_share: float | None
    chance: float
    probe: Probe | None = None


class Synthetic(Section):
    """The generated part of a build; `silent` names the steps of which no row is left."""

    engine: dict[str, Any]
    makers: tuple[Maker, ...]
    silent: tuple[str, ...] = ()
    proofs: tuple[Proof, ...]
    pairs: tuple[Pair, ...]
    items: tuple[Item, ...]
    reading: tuple[ReadingRow, ...]
    audit: Audit | None


# Of an engine's settings, those that a reader of the card can use; where it answers is nobody's business.
_TOLD = ("kind", "model", "revision", "output", "temperature", "top_p", "max_tokens")
# Upper 5% points of chi-square for 1 to 9 degrees of freedom.
_CRITICAL = (3.841, 5.991, 7.815, 9.488, 11.070, 12.592, 14.067, 15.507, 16.919)


def make_synthetic(facts: Facts) -> Synthetic | None:
    """The generated part, or None where nothing was generated."""
    makers = [step for step in facts.steps if step.is_maker and not step.proves]
    samples = facts.samples
    others = (*samples.reading, *samples.rewrite, *samples.turns)
    if not makers and not (samples.qa or samples.mcq or others):
        return None
    generate = facts.recipe.get("generate")
    engine = generate.get("engine") if isinstance(generate, dict) else None
    made = tuple(_maker(step, facts, engine) for step in makers)
    return Synthetic(
        engine={key: engine[key] for key in _TOLD if key in engine} if isinstance(engine, dict) else {},
        makers=made,
        silent=tuple(m.step for m in made if not (m.rows if m.model is None else m.model.accepted)),
        proofs=tuple(_proof(step) for step in facts.steps if step.proves),
        pairs=tuple(
            Pair(id=s.id, source=s.source, question=s.question, answer=s.answer, evidence=s.evidence_text)
            for s in samples.qa[:SAMPLES]
        ),
        items=tuple(_item(sample) for sample in samples.mcq[:SAMPLES]),
        reading=tuple(
            ReadingRow(id=s.id, source=s.source, task=s.task, text=s.text)
            for kind in (samples.reading, samples.rewrite, samples.turns)
            for s in kind[:SAMPLES]
        ),
        audit=_audit(facts.mcq_audit) if facts.mcq_audit.items else None,
    )


def _maker(step: StepFacts, facts: Facts, engine: Any) -> Maker:
    counted: dict[str, int] = {}
    for table in step.counted.values():
        for key, n in table.items():
            counted[key] = counted.get(key, 0) + n
    return Maker(
        step=step.name,
        stage=step.stage,
        read=sum(c.read for c in step.counts.values()),
        kept=sum(c.kept for c in step.counts.values()),
        rows=sum(c.out for c in step.counts.values()),
        refused=_refused(step),
        counted=dict(sorted(counted.items())),
        model=_model(step, counted, facts, engine if isinstance(engine, dict) else {}) if "asked" in counted else None,
    )


def _model(step: StepFacts, counted: dict[str, int], facts: Facts, engine: dict[str, Any]) -> ModelUse:
    prompt, completion = counted.get("prompt_tokens", 0), counted.get("completion_tokens", 0)
    accepted = facts.evidence.by_model.get(step.name, 0)
    prices = [float(engine.get(f"{side}_price") or 0) for side in ("prompt", "completion")]
    money = (prompt * prices[0] + completion * prices[1]) / 1e6 if any(prices) else None
    missing = {key.removeprefix("missing."): n for key, n in counted.items() if key.startswith("missing.")}
    return ModelUse(
        asked=counted["asked"],
        written=counted.get("written", 0),
        missing=_most_first(missing),
        repaired=counted.get("repaired", 0),
        calls=counted.get("calls", 0),
        prompt_tokens=prompt,
        completion_tokens=completion,
        accepted=accepted,
        money=None if money is None else round(money, 4),
        per_row=None if money is None or not accepted else round(money / accepted, 6),
    )


def _proof(step: StepFacts) -> Proof:
    read, kept = (sum(getattr(c, key) for c in step.counts.values()) for key in ("read", "kept"))
    return Proof(step=step.name, read=read, kept=kept, refused=_refused(step))


def _refused(step: StepFacts) -> dict[str, int]:
    refused: dict[str, int] = {}
    for counts in step.counts.values():
        for table in (counts.dropped, counts.quarantined):
            for reason, n in table.items():
                refused[reason] = refused.get(reason, 0) + n
    return _most_first(refused)


def _most_first(table: dict[str, int]) -> dict[str, int]:
    return dict(sorted(table.items(), key=lambda pair: (-pair[1], pair[0])))


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
        probe=None if audit.probe is None else Probe.model_validate(audit.probe.model_dump()),
    )


def probe_line(probe: Probe) -> str:
    """What the probes found, as a sentence."""
    guessed = f"A probe that sees the options alone picks the right one in {probe.choices:.1%} of {probe.items:,} items"
    return f"{guessed}, one that sees the question too in {probe.with_question:.1%}; chance is {probe.chance:.0%}."


def silent_sentence(synthetic: Synthetic) -> str:
    """That steps which the recipe asks for left no row."""
    return f"No row is left of {' and '.join(synthetic.silent)}, which the recipe asks for."
