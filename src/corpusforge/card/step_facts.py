"""The typed view of a manifest's steps: counts, samples, and what a stage tells of its models."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from corpusforge.card.fact import Fact

# The makers of the recipe language; a manifest that says `makes` itself is believed instead.
MAKERS = frozenset({"qa", "mcq", "reading", "rewrite", "turns"})


class StepCounts(Fact):
    """Where one source's records went in one step: read = kept + dropped + quarantined, out = kept + added."""

    read: int = 0
    kept: int = 0
    added: int = 0
    out: int = 0
    characters: int = 0
    dropped: dict[str, int] = Field(default_factory=dict)
    quarantined: dict[str, int] = Field(default_factory=dict)


class NearSample(Fact):
    """A redacted excerpt of a record close to a stage's threshold."""

    source: str
    id: str
    reason: str = ""
    score: float | None = None
    threshold: float | None = None
    kept: bool = False
    other: str = ""
    excerpt: str = ""


class ShardFact(Fact):
    """One committed shard of a step."""

    name: str
    sha256: str
    rows: int = 0
    bytes: int = 0


class ShareFacts(Fact):
    """A measured share, 0 to 1, of `n` cases, with its 95% interval."""

    n: int = 0
    share: float | None = None
    low: float = 0.0
    high: float = 1.0


class ModelFigures(Fact):
    """What a name model did on a set that it never saw, by label; `all` is for all labels together."""

    recall: dict[str, ShareFacts] = Field(default_factory=dict)
    precision: dict[str, ShareFacts] = Field(default_factory=dict)
    over_masked: ShareFacts = ShareFacts()


class DataFacts(Fact):
    """Data that a model was trained on."""

    name: str
    licence: str = ""
    attribution: str = ""
    use: str = ""


class NameModelFacts(Fact):
    """A model that found names in free text; `stated` are its makers' own figures, where nothing was measured here."""

    name: str
    version: str = ""
    languages: tuple[str, ...] = ()
    licence: str = ""
    base: str = ""
    data: tuple[DataFacts, ...] = ()
    figures: dict[str, ModelFigures] = Field(default_factory=dict)
    stated: dict[str, float] = Field(default_factory=dict)


class FitFacts(Fact):
    """How a fitted quality model did on labelled texts that it had not seen."""

    auc: float
    low: float
    high: float
    keep: int
    drop: int


class QualityModelFacts(Fact):
    """A quality model; `fit` is there for one that corpusforge trained."""

    name: str
    fit: FitFacts | None = None


class ToldFacts(Fact):
    """What a stage tells of what decides in it."""

    name_models: tuple[NameModelFacts, ...] = ()
    model: QualityModelFacts | None = None


class DuplicateFacts(Fact):
    """What dedup's decision says of the pairs it compared."""

    pairs_verified: int | None = None
    pairs_alike_by_template: int = 0
    pairs_told_apart_by_numbers: int = 0
    near_duplicates_at: dict[str, int] = Field(default_factory=dict)


class StepFacts(Fact):
    """What one step did."""

    name: str
    stage: str
    version: int | str = 1
    settings: dict[str, Any] = Field(default_factory=dict)
    fingerprint: str = ""
    libraries: dict[str, str] = Field(default_factory=dict)
    counts: dict[str, StepCounts] = Field(default_factory=dict)
    counted: dict[str, dict[str, int]] = Field(default_factory=dict)
    facts: ToldFacts = ToldFacts()
    notes: dict[str, Any] = Field(default_factory=dict)
    near: tuple[NearSample, ...] = ()
    shards: tuple[ShardFact, ...] = ()
    makes: bool | None = None
    proves: bool = False

    @property
    def is_maker(self) -> bool:
        """Whether the step is about synthetic rows, which it makes or proves, instead of passing records on."""
        return self.stage in MAKERS if self.makes is None else self.makes
