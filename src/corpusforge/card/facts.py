"""The typed view of a manifest that the card is made from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from corpusforge.errors import UsageError
from corpusforge.manifest import MANIFEST, read_manifest

# The four makers of the recipe language; a manifest that says `makes` itself is believed instead.
MAKERS = frozenset({"qa", "mcq", "reading"})


class Fact(BaseModel):
    """A part of the manifest; keys that the card does not need are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class TokenizerFacts(Fact):
    """The tokenizer that all token counts are of."""

    name: str = ""
    sha256: str = ""


class SourceFile(Fact):
    """One raw source as declared and as found."""

    name: str
    role: Literal["domain", "labelled", "public"] = "domain"
    kind: str = ""
    about: str = ""
    licence: str = ""
    owner: str = ""
    origin: str = ""
    languages: tuple[str, ...] = ()
    collected: str = ""
    retention: str = ""
    personal_data: tuple[str, ...] = ()
    files: int = 0
    bytes: int = 0
    fingerprint: str = ""


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


class FileFact(Fact):
    """One file of the build, its path relative to the build's folder."""

    path: str
    sha256: str
    rows: int = 0
    bytes: int = 0


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

    @property
    def is_maker(self) -> bool:
        """Whether the step makes new records (synthetic rows) instead of passing records on."""
        return self.stage in MAKERS if self.makes is None else self.makes


class LeafFacts(Fact):
    """One line of the mix, wanted and got; amounts are in the blend's unit."""

    path: tuple[str, ...]
    share_wanted: float = 0.0
    share_got: float = 0.0
    wanted: int = 0
    got: int = 0
    have: int = 0
    epochs: float = 0.0
    records: int = 0
    largest_record: int = 0
    synthetic: bool = False


class BlendFacts(Fact):
    """One mix: completion or instruct. `unit` is what wanted, got and have count."""

    wanted_tokens: int = 0
    got_tokens: int = 0
    rows: int = 0
    unit: Literal["tokens", "rows"] = "tokens"
    leaves: tuple[LeafFacts, ...] = ()
    files: tuple[FileFact, ...] = ()


class MixFacts(Fact):
    """The two mixes; either may be absent."""

    completion: BlendFacts | None = None
    instruct: BlendFacts | None = None


class EvalFacts(Fact):
    """The sealed hold-out."""

    qa: int = 0
    mcq: int = 0
    tasks: dict[str, int] = Field(default_factory=dict)
    texts: dict[str, int] = Field(default_factory=dict)
    files: tuple[FileFact, ...] = ()


class QASample(Fact):
    """A generated question with its answer and the passage that proves it."""

    id: str
    question: str
    answer: str
    evidence_text: str = ""
    source: str = ""


class MCQSample(Fact):
    """A generated multiple-choice item: `gold` right, `near` slightly wrong, `far` completely wrong."""

    id: str
    question: str
    options: tuple[str, ...] | dict[str, str] = ()
    gold: str | int = ""
    near: tuple[str | int, ...] | str | int = ()
    far: tuple[str | int, ...] | str | int = ()
    source: str = ""


class ReadingSample(Fact):
    """A generated reading-comprehension row."""

    id: str
    task: str = ""
    text: str
    source: str = ""


class RedactedSample(Fact):
    """A redacted record; never the original."""

    id: str
    source: str = ""
    text: str


class HiddenSample(Fact):
    """A few words around something that was hidden."""

    id: str
    kind: str
    source: str = ""
    text: str


class SampleFacts(Fact):
    """What a reviewer reads."""

    qa: tuple[QASample, ...] = ()
    mcq: tuple[MCQSample, ...] = ()
    reading: tuple[ReadingSample, ...] = ()
    redacted: tuple[RedactedSample, ...] = ()
    hidden: tuple[HiddenSample, ...] = ()


class MCQAudit(Fact):
    """Whether the answer's letter or length gives it away."""

    letters: dict[str, int] = Field(default_factory=dict)
    gold_longest_share: float | None = None
    items: int = 0


class GateFacts(Fact):
    """A gate, allowed against observed. Where it rests on a sample: `found` cases in `checked` records."""

    name: str
    allowed: float | str | None = None
    observed: float | str | None = None
    passed: bool
    detail: str = ""
    checked: int | None = None
    found: int | None = None


class LineageFacts(Fact):
    """Whether any training row descends from a held-out group."""

    holdout_groups: int = 0
    violations: int = 0


class TallyFacts(Fact):
    """Planted values of one group: planted = masked + leaked + not tested; recall with its 95% interval, 0 to 1."""

    planted: int = 0
    masked: int = 0
    leaked: int = 0
    not_tested: int = 0
    recall: float | None = None
    low: float | None = None
    high: float | None = None


class LeakFacts(Fact):
    """A planted value that was found again."""

    form: str
    value: str = ""
    first: tuple[dict[str, str], ...] = ()


class SearchedFacts(Fact):
    """What the leak audit opened."""

    files: int = 0
    strings: int = 0
    tokens: int = 0


class SuspectFacts(Fact):
    """Records in which the second detector suspects a kind."""

    found: int = 0


class LookFacts(Fact):
    """The second detector over a sample of finished records."""

    records: int = 0
    suspects: dict[str, SuspectFacts] = Field(default_factory=dict)
    suspect_snippets: tuple[dict[str, str], ...] = ()


class AuditFacts(Fact):
    """The leak audit: invented values that were planted before redaction, and what became of them."""

    forms: int = 0
    records: dict[str, int] = Field(default_factory=dict)
    all: TallyFacts
    gated: TallyFacts
    disguised: TallyFacts = TallyFacts()
    other: TallyFacts = TallyFacts()
    kinds: dict[str, TallyFacts] = Field(default_factory=dict)
    leaks: tuple[LeakFacts, ...] = ()
    not_tested: dict[str, int] = Field(default_factory=dict)
    not_planted: dict[str, int] = Field(default_factory=dict)
    searched: SearchedFacts = SearchedFacts()
    second_look: LookFacts = LookFacts()


class Facts(Fact):
    """A whole manifest, and the sha256 of its bytes."""

    format: Literal[1]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    build: str
    corpusforge: str
    seed: int = 0
    recipe: dict[str, Any] = Field(default_factory=dict)
    tokenizer: TokenizerFacts = TokenizerFacts()
    sources: tuple[SourceFile, ...] = ()
    steps: tuple[StepFacts, ...] = ()
    mix: MixFacts = MixFacts()
    eval: EvalFacts = EvalFacts()
    samples: SampleFacts = SampleFacts()
    mcq_audit: MCQAudit = MCQAudit()
    gates: tuple[GateFacts, ...] = ()
    lineage: LineageFacts = LineageFacts()
    audit: AuditFacts | None = None
    sha256: str = ""

    def blends(self) -> list[tuple[str, BlendFacts]]:
        """The mixes that this build has, by name."""
        both = [("completion", self.mix.completion), ("instruct", self.mix.instruct)]
        return [(name, blend) for name, blend in both if blend is not None]


def facts_of(manifest: Mapping[str, Any], sha256: str = "") -> Facts:
    """The typed view of a manifest; `sha256` is of the manifest's bytes. Raises UsageError where it does not fit."""
    try:
        return Facts.model_validate({**manifest, "sha256": sha256})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(["manifest", *map(str, first["loc"])])
        raise UsageError(f"{first['msg']}.", where=where, hint="Build again with this version.") from None


def read_facts(build_dir: Path) -> Facts:
    """The typed view of the manifest in a build's folder. Raises UsageError if there is none or it does not fit."""
    manifest = read_manifest(build_dir)
    return facts_of(manifest, hashlib.sha256((build_dir / MANIFEST).read_bytes()).hexdigest())
