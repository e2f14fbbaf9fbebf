"""Who redacted, and how: the name models with their figures and data, and each source's policy and what it missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from corpusforge.card.figures import count, part, plural, share
from corpusforge.card.section import Section
from corpusforge.card.step_facts import ModelFigures, NameModelFacts, ShareFacts, StepFacts

NO_MODEL = "no-ner"
FORM_ONLY = "structured-only"
STRICT_WORDS = "strict:words"
HIDDEN_BY_STRICT = ("found:WORD", "found:NUMBER")
# Counts that this section tells; what else a step counts is listed as it is.
KNOWN_COUNTS = (NO_MODEL, FORM_ONLY, STRICT_WORDS)
_PERSON = "PERSON"


class Measured(Section):
    """What a model did on a set that it never saw: shares with their 95% intervals (Wilson), in words."""

    on: str
    spans: int
    recall: str
    person_recall: str
    precision: str
    over_masked: str


class OneKind(Section):
    """A model's recall and precision of one kind on one set."""

    on: str
    kind: str
    spans: int
    recall: str
    precision: str


class TrainedOn(Section):
    """Data that a model was trained on, its licence and whom it asks to name."""

    name: str
    licence: str
    attribution: str
    use: str


class NameModel(Section):
    """A model that found names in free text."""

    name: str
    version: str
    languages: tuple[str, ...]
    licence: str
    said: str
    measured: tuple[Measured, ...]
    kinds: tuple[OneKind, ...]
    data: tuple[TrainedOn, ...]


class Treated(Section):
    """How one source was redacted. Of `read` records `model` had its free text read by a name model, `none` had none
    for their language (`languages` of these), `form_only` were searched for structured kinds alone, as their source
    declares no personal data. `strict` is what the strict policy hid beyond findings, of the words there were.
    """

    source: str
    policy: str
    style: str
    name_model: str
    read: int
    model: int
    none: int
    languages: dict[str, int]
    form_only: int
    strict: str


class Redactor(Section):
    """The name models and the sources they worked on; `said` sums up whom no model read."""

    said: str
    models: tuple[NameModel, ...]
    sources: tuple[Treated, ...]


def make_redactor(steps: Sequence[StepFacts], order: Sequence[str]) -> Redactor | None:
    """The section over all redact steps; None where a manifest tells nothing of how they were set."""
    if not any(step.settings for step in steps):
        return None
    sources = tuple(_treated(step, source) for source in order for step in steps if source in step.counts)
    models = tuple(_model(model) for step in steps for model in step.facts.name_models)
    return Redactor(said=_said(sources), models=models, sources=sources)


def _said(sources: Sequence[Treated]) -> str:
    read = sum(one.read for one in sources)
    languages: dict[str, int] = {}
    for one in sources:
        for language, n in one.languages.items():
            languages[language] = languages.get(language, 0) + n
    told = ", ".join(f"{language} {count(n)}" for language, n in sorted(languages.items(), key=lambda x: (-x[1], x[0])))
    none = sum(one.none for one in sources)
    if not any(one.model or one.none for one in sources):
        said = "No name model read any record."
    else:
        said = f"A name model read the free text of {part(sum(one.model for one in sources), read, 'records')}"
        said += (
            f"; {plural(none, 'record')} had none for the language ({told or 'unknown'}): rules alone looked for names."
            if none
            else "; no record was in a language that it does not know."
        )
    if form := sum(one.form_only for one in sources):
        said += (
            f" {plural(form, 'record')} of sources that declare no personal data were searched only for what its form "
            "gives away."
        )
    return said


def _treated(step: StepFacts, source: str) -> Treated:
    settings = _settings(step.settings, source)
    counted = step.counted.get(source, {})
    read = step.counts[source].read
    none, form = counted.get(NO_MODEL, 0), counted.get(FORM_ONLY, 0)
    words = counted.get(STRICT_WORDS, 0)
    name_model = str(settings.get("ner", ""))
    return Treated(
        source=source,
        policy=str(settings.get("policy", "")),
        style=str(settings.get("style", "")),
        name_model=next(
            (one.name for one in step.facts.name_models if one.version == name_model), name_model
        ).rpartition("/")[2],
        read=read,
        model=max(0, read - none - form - sum(step.counts[source].quarantined.values())),
        none=none,
        languages={
            key.removeprefix(f"{NO_MODEL}:"): n for key, n in sorted(counted.items()) if key.startswith(f"{NO_MODEL}:")
        },
        form_only=form,
        strict=part(sum(counted.get(key, 0) for key in HIDDEN_BY_STRICT), words, "words") if words else "",
    )


def _settings(settings: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The settings that held for a source."""
    own = (settings.get("by_source") or {}).get(source) or {}
    return {**settings, **{key: value for key, value in own.items() if value is not None}}


def _model(model: NameModelFacts) -> NameModel:
    made_for = ", ".join(model.languages) or "unknown languages"
    said = f"{model.name} ({model.version[:32]}), made for {made_for}"
    said += f", trained further from {model.base}." if model.base else "."
    if not model.figures:
        stated = " and ".join(f"{name} {share(value)}" for name, value in sorted(model.stated.items()))
        said += f" Its makers state {stated} on their own test set." if stated else " Its figures are not known."
        said += " Nothing was measured here."
    return NameModel(
        name=model.name,
        version=model.version,
        languages=model.languages,
        licence=model.licence,
        said=said,
        measured=tuple(_measured(name, one) for name, one in model.figures.items()),
        kinds=tuple(
            OneKind(
                on=name,
                kind=kind,
                spans=recall.n,
                recall=_interval(recall),
                precision=_interval(figures.precision.get(kind, ShareFacts())),
            )
            for name, figures in model.figures.items()
            for kind, recall in figures.recall.items()
            if kind != "all"
        ),
        data=tuple(
            TrainedOn(name=one.name, licence=one.licence, attribution=one.attribution, use=one.use)
            for one in model.data
        ),
    )


def _measured(name: str, found: ModelFigures) -> Measured:
    nothing = ShareFacts()
    return Measured(
        on=name,
        spans=found.recall.get("all", nothing).n,
        recall=_interval(found.recall.get("all", nothing)),
        person_recall=_interval(found.recall.get(_PERSON, nothing)),
        precision=_interval(found.precision.get("all", nothing)),
        over_masked=_interval(found.over_masked),
    )


def _interval(one: ShareFacts) -> str:
    return "–" if one.share is None else f"{share(one.share)} ({100 * one.low:.1f} to {100 * one.high:.1f})"
