"""What two kinds of loss rest on: the pairs that dedup compared, and the labels that a quality model learned from."""

from __future__ import annotations

from corpusforge.card.facts import Facts
from corpusforge.card.figures import count, plural
from corpusforge.card.section import Section
from corpusforge.card.step_facts import DuplicateFacts, StepFacts


class DuplicateReason(Section):
    """Records that went for one reason, with the line they went over and the scores of those nearest to it."""

    reason: str
    records: int
    line: float | None
    nearest: tuple[float, ...]


class Duplicates(Section):
    """A dedup step's evidence: reasons, the pairs it compared, and how many records other lines would drop."""

    step: str
    said: str
    reasons: tuple[DuplicateReason, ...]
    line: float | None
    would_drop: dict[str, int]


class QualityModel(Section):
    """A trained quality model and what it does on labelled texts that it had not seen."""

    step: str
    name: str
    said: str


def make_duplicates(facts: Facts) -> tuple[Duplicates, ...]:
    """One for each dedup step that told what it compared."""
    return tuple(_duplicates(step) for step in facts.steps if step.stage == "dedup" and "pairs_verified" in step.notes)


def _duplicates(step: StepFacts) -> Duplicates:
    notes = DuplicateFacts.model_validate(step.notes)
    records: dict[str, int] = {}
    for counts in step.counts.values():
        for reason, n in counts.dropped.items():
            records[reason] = records.get(reason, 0) + n
    said = f"{plural(notes.pairs_verified or 0, 'pair')} were compared word by word before anything was dropped."
    if notes.pairs_told_apart_by_numbers:
        said += f" {plural(notes.pairs_told_apart_by_numbers, 'pair')} stayed for a number, a code or a negation."
    if notes.pairs_alike_by_template:
        said += f" {plural(notes.pairs_alike_by_template, 'pair')} had nothing in common but a template, and stayed."
    line = step.settings.get("similarity")
    return Duplicates(
        step=step.name,
        said=said,
        reasons=tuple(_reason(step, reason, n) for reason, n in sorted(records.items(), key=lambda r: (-r[1], r[0]))),
        line=line if isinstance(line, int | float) else None,
        would_drop=dict(sorted(notes.near_duplicates_at.items())),
    )


def _reason(step: StepFacts, reason: str, n: int) -> DuplicateReason:
    near = [s for s in step.near if s.reason == reason and not s.kept and s.score is not None]
    return DuplicateReason(
        reason=reason,
        records=n,
        line=next((s.threshold for s in near), None),
        nearest=tuple(sorted(s.score for s in near if s.score is not None)[:3]),
    )


def make_models(facts: Facts) -> tuple[QualityModel, ...]:
    """One for each step that a trained quality model decided in."""
    made = []
    for step in facts.steps:
        if (model := step.facts.model) is not None:
            said = "How well it tells texts to keep from others was not measured here."
            if (fit := model.fit) is not None:
                said = (
                    f"It ranks a text to keep above one to drop {fit.auc:.3f} of the time (AUC, 95% interval "
                    f"{fit.low:.3f} to {fit.high:.3f}), cross-validated on {count(fit.keep)} labelled keep and "
                    f"{count(fit.drop)} drop."
                )
            made.append(QualityModel(step=step.name, name=model.name, said=said))
    return tuple(made)
