"""The stage `verify`: keeps the rows that their source proves, and each other row as a Dropped with the rule's name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from corpusforge.generate.phrasings import resource
from corpusforge.generate.verify.checks import UNCHECKED, Rules, problems
from corpusforge.generate.verify.entailment import check_folder, entailment
from corpusforge.generate.verify.form import Limits
from corpusforge.generate.verify.nearest import decide_nearest, passages_table, read_nearest, true_elsewhere
from corpusforge.generate.verify.problem import Problem
from corpusforge.generate.verify.support import LONGEST
from corpusforge.manifest import library_version
from corpusforge.record import SYNTHETIC, Dropped, Record
from corpusforge.stage import Decision, Item, NamedFile, Stage, StageContext, StageSettings, Survey

if TYPE_CHECKING:
    import pyarrow as pa


class VerifySettings(StageSettings):
    """How strict the checks are."""

    max_question_chars: int = Field(1_000, ge=50, le=100_000, description="Longest question of a Q&A row or item.")
    max_answer_chars: int = Field(4_000, ge=50, le=100_000, description="Longest answer.")
    longest_unsupported: float = Field(
        LONGEST,
        gt=0,
        le=100,
        description="Weight of the longest stretch of an answer that its source does not support.",
    )
    min_support: float = Field(0.5, ge=0, le=1, description="Least share of an answer's words that its source has.")
    grounding_model: Path | None = Field(
        None, description="Folder of a cross-encoder (NLI or MiniCheck) that judges what a model wrote; needs [train]."
    )
    min_entailment: float = Field(0.5, ge=0, le=1, description="With it: least probability of an answer's sentences.")
    nearest: int = Field(
        3, ge=0, le=20, description="Nearest passages of other records in which no wrong option may be right; 0: none."
    )


class Verify(Stage):
    """Checks every synthetic row against the passage it is from; other records pass."""

    name: ClassVar[str] = "verify"
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("pyyaml", "py3langid", "xxhash")
    Settings: ClassVar[type[StageSettings]] = VerifySettings

    @classmethod
    def resources(cls) -> tuple[Path, ...]:
        """Files whose bytes decide the output beside the code."""
        return resource("agreement"), resource("alterations")

    @classmethod
    def files(cls, settings: Any) -> Iterator[NamedFile]:
        """The grounding model, known by its weights too."""
        if settings.grounding_model is not None:
            yield NamedFile(("grounding_model",), str(settings.grounding_model), whole=True)

    @classmethod
    def check(cls, settings: Any) -> None:
        """The folder named for the grounding model holds one that can be run."""
        if settings.grounding_model is not None:
            check_folder(Path(settings.grounding_model))

    @classmethod
    def also_identity(cls, settings: Any) -> Mapping[str, str]:
        """The library that runs the grounding model, where there is one."""
        return {} if settings.grounding_model is None else {"transformers": library_version("transformers")}

    @classmethod
    def has_survey(cls, settings: Any) -> bool:
        """Only the passages of other records make it look beyond a row."""
        return bool(settings.nearest)

    def survey(self, records: Iterable[Record], ctx: StageContext) -> pa.Table:
        """The passages and items of the shard; see `passages_table`."""
        return passages_table(records)

    def decide(self, surveys: Sequence[Survey], ctx: StageContext) -> Decision:
        """Per shard, the passages of other records nearest to each multiple-choice item."""
        return decide_nearest(surveys, ctx.settings.nearest)

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Each row kept, or dropped with the first rule that it breaks."""
        settings: VerifySettings = ctx.settings
        rules = rules_of(settings)
        nearest = read_nearest(ctx.mine)
        for record in records:
            if record.kind not in SYNTHETIC:
                yield record
                continue
            problem = next(problems(record, rules), None)
            if problem is None and record.id in nearest:
                problem = next(true_elsewhere(record, nearest[record.id]), None)
            problem = problem or verdict(record)
            if problem is None and settings.grounding_model is not None:
                problem = entailment(str(settings.grounding_model)).problem(record, settings.min_entailment)
            if problem is None:
                ctx.count(record.source, "proven")
                yield record
            else:
                yield Dropped(record, problem.reason, problem.score, problem.threshold, problem.detail)


def rules_of(settings: VerifySettings) -> Rules:
    """The thresholds that the settings give."""
    limits = Limits(question=settings.max_question_chars, answer=settings.max_answer_chars)
    return Rules(limits, settings.longest_unsupported, settings.min_support)


def verdict(record: Record) -> Problem | None:
    """What the model's own check makes of a row; only a plain yes keeps it. Rows of writers without a check pass."""
    if record.meta.get(UNCHECKED):
        return Problem(UNCHECKED, 0, 1)
    given = record.meta.get("verdict", "")
    if given in ("", "yes"):
        return None
    return Problem("verdict-no" if given == "no" else "verdict-unparsable", 0, 1)
