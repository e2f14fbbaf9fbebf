"""The typed view of a manifest that the card is made from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from corpusforge.card.audit_facts import AuditFacts
from corpusforge.card.fact import Fact
from corpusforge.card.step_facts import StepFacts
from corpusforge.errors import UsageError
from corpusforge.manifest import MANIFEST, read_manifest


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


class FileFact(Fact):
    """One file of the build, its path relative to the build's folder."""

    path: str
    sha256: str
    rows: int = 0
    bytes: int = 0


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


class PreferenceFacts(Fact):
    """The multiple-choice rows of the instruct mix as pairs of a right and a wrong answer."""

    against: str = ""
    items: int = 0
    pairs: int = 0
    files: tuple[FileFact, ...] = ()


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
    rewrite: tuple[ReadingSample, ...] = ()
    turns: tuple[ReadingSample, ...] = ()
    redacted: tuple[RedactedSample, ...] = ()
    hidden: tuple[HiddenSample, ...] = ()


class EvidenceFacts(Fact):
    """Synthetic rows, those proven by their evidence, by task those that a model wrote, and by kind those of the
    hold-out that are neither trained on nor part of the benchmark."""

    rows: int = 0
    proven: int = 0
    by_model: dict[str, int] = Field(default_factory=dict)
    aside: dict[str, int] = Field(default_factory=dict)


class ProbeFacts(Fact):
    """How often probes that know nothing pick the right option: by the options alone, and with the question beside."""

    items: int
    chance: float
    choices: float
    with_question: float


class MCQAudit(Fact):
    """Whether the answer's letter, length or form gives it away."""

    letters: dict[str, int] = Field(default_factory=dict)
    gold_longest_share: float | None = None
    items: int = 0
    probe: ProbeFacts | None = None


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
    """Whether any training row descends from a held-out group, and what was searched besides without finding any."""

    holdout_groups: int = 0
    violations: int = 0
    searched_runs: int = 0
    searched_copies: int = 0
    searched_questions: int = 0


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
    preference: PreferenceFacts | None = None
    eval: EvalFacts = EvalFacts()
    samples: SampleFacts = SampleFacts()
    evidence: EvidenceFacts = EvidenceFacts()
    mcq_audit: MCQAudit = MCQAudit()
    gates: tuple[GateFacts, ...] = ()
    lineage: LineageFacts = LineageFacts()
    audit: AuditFacts | None = None
    audit_failed: str = ""
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
