"""The stage that takes personal data and secrets out of records, or the record out of the corpus."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from corpusforge.curate.redaction.kinds import CUSTOM_KIND, ENTITIES, Entity
from corpusforge.curate.redaction.ner import EMBEDDED, NO_NER, embedded_folder
from corpusforge.errors import CorpusforgeError
from corpusforge.manifest import fingerprint, library_version
from corpusforge.record import Dropped, Quarantined, Record
from corpusforge.shards import sha256_file
from corpusforge.stage import Decision, Item, SourceFacts, Stage, StageContext, StageSettings, Survey

if TYPE_CHECKING:
    import pyarrow as pa

    from corpusforge.curate.redaction.redactor import Outcome, Policy

_MOST_RECORDS = 256
_MOST_CHARACTERS = 1 << 19
_EXAMPLES = ("doc", "article", "public")
_WORD = re.compile(r"\w+")


class RedactSettings(StageSettings):
    """Settings of `redact`."""

    entities: Literal["all"] | tuple[Entity, ...] = Field(
        default="all", description="Kinds of personal data to take out, or all."
    )
    policy: Literal["standard", "strict"] = Field(
        default="standard",
        description="strict also hides every token with a digit, unknown capitalised words, and words that fewer than "
        "common_in records use, unless they are plain English. It hides more that is nobody's: see the counts.",
    )
    common_in: int = Field(
        default=10, ge=2, description="strict: a word outside the English vocabulary stays when so many records use it."
    )
    style: Literal["placeholder"] = Field(
        default="placeholder", description="`<EMAIL_1>`: typed, the same number for the same value within a record."
    )
    ner: str = Field(
        default=EMBEDDED,
        min_length=1,
        description="What finds names in free text beside the rules: embedded (the shipped tagger, for English), an "
        "installed spaCy pipeline, a folder such as `corpusforge fit names` writes, or none.",
    )
    min_score: float = Field(default=0.4, ge=0, le=1, description="Findings below this score stay in the text.")
    patterns: dict[str, str] = Field(
        default_factory=dict, description="Your own kinds, each a regular expression: {ORDER_ID: 'AC-\\d{6}'}."
    )
    allow: tuple[str, ...] = Field(default=(), description="Literal values that stay, such as your support address.")
    keep_reserved: bool = Field(
        default=True,
        description="Keep values reserved for examples (example.com, 192.0.2.1, 555-0100) in docs, articles and public "
        "text. Private and loopback addresses stay everywhere.",
    )
    drop_above: float | None = Field(
        default=None, gt=0, description="Drop a record with more findings than this per 1000 characters."
    )
    phone_regions: tuple[str, ...] = Field(
        default=("US", "GB", "DE", "FR", "IL", "IN", "CA", "BR"),
        description="Countries (ISO 3166) whose national phone formats are tried; each costs time.",
    )

    @field_validator("patterns")
    @classmethod
    def _patterns_compile(cls, patterns: dict[str, str]) -> dict[str, str]:
        import regex  # type: ignore[import-untyped]

        for kind, pattern in patterns.items():
            if not CUSTOM_KIND.fullmatch(kind):
                raise ValueError(f"{kind!r} is not a kind. Write capitals, digits and underscores, such as ORDER_ID.")
            try:
                empty = regex.compile(pattern).match("") is not None
            except regex.error as error:
                raise ValueError(f"the pattern of {kind} does not compile: {error}") from None
            if empty:
                raise ValueError(f"the pattern of {kind} matches empty text. Make some part of it required.")
        return patterns

    @field_validator("phone_regions")
    @classmethod
    def _regions_exist(cls, regions: tuple[str, ...]) -> tuple[str, ...]:
        import phonenumbers

        for region in regions:
            if region not in phonenumbers.SUPPORTED_REGIONS:
                raise ValueError(f"{region!r} is no region. Write ISO 3166 letters such as US.")
        return regions


class Redact(Stage):
    """Puts placeholders in place of personal data. Fails closed: what cannot be analysed is quarantined.

    Counts per source: `found:<KIND>`, `no-ner` (records whose free text no name model saw) and `no-ner:<language>`
    (those of a language), `structured-only` (records of a source that declares no personal data: only what its form
    gives away was looked for). Strict: `strict:words` (words there were; `found:WORD` and `found:NUMBER` were hidden).
    """

    name = "redact"
    version = 1
    libraries = ("presidio-analyzer", "spacy", "phonenumbers", "tldextract", "regex")
    Settings = RedactSettings

    @classmethod
    def also_identity(cls, settings: RedactSettings) -> Mapping[str, str]:
        """The pipeline: its version where it is a package, its files where it is a folder or the shipped one."""
        if settings.ner == NO_NER:
            return {}
        folder = embedded_folder() if settings.ner == EMBEDDED else Path(settings.ner)
        if not folder.is_dir():
            return {"ner": f"{settings.ner} {library_version(settings.ner)}"}
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {"ner": fingerprint([[path.relative_to(folder).as_posix(), sha256_file(path)] for path in files])}

    @classmethod
    def resources(cls) -> tuple[Path, ...]:
        """The word lists."""
        return tuple(sorted((Path(__file__).parent / "redaction" / "word_lists").glob("*.txt")))

    @classmethod
    def has_survey(cls, settings: RedactSettings) -> bool:
        """Only the strict policy must know how many records use a word."""
        return settings.policy == "strict"

    def survey(self, records: Iterable[Record], ctx: StageContext) -> pa.Table:
        """How many records of the shard use each word, by the word's key; no word is written."""
        import pyarrow as pa

        from corpusforge.curate.redaction.strict import words_of

        used: Counter[int] = Counter()
        for record in records:
            used.update(words_of(record))
        keys = sorted(used)
        return pa.table({"word": pa.array(keys, pa.uint64()), "records": pa.array([used[k] for k in keys], pa.int64())})

    def decide(self, surveys: Sequence[Survey], ctx: StageContext) -> Decision:
        """The keys of words that at least `common_in` records of all sources together use."""
        import polars as pl

        settings: RedactSettings = ctx.settings
        common = (
            pl.scan_parquet([survey.path for survey in surveys])
            .group_by("word")
            .agg(pl.col("records").sum())
            .filter(pl.col("records") >= settings.common_in)
            .select("word")
            .sort("word")
            .collect()
        )
        return Decision(shared=common.to_arrow(), notes={"common_words": common.height})

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Each record redacted, `Dropped` (redacted too) with `too-much-personal-data`, or `Quarantined`."""
        settings: RedactSettings = ctx.settings
        redactor = _redactor(settings.model_dump_json())
        common = None if ctx.shared is None else frozenset(ctx.shared["word"].to_pylist())
        for batch in _batches(records):
            read = [(record, _policy(record, ctx.sources.get(record.source), settings, common)) for record in batch]
            for (record, policy), outcome in zip(read, redactor.redact_all(read), strict=True):
                yield self._told(record, outcome, policy, ctx)

    def _told(self, record: Record, outcome: Outcome | Exception, policy: Policy, ctx: StageContext) -> Item:
        settings: RedactSettings = ctx.settings
        if isinstance(outcome, CorpusforgeError):
            raise outcome
        if isinstance(outcome, Exception):
            # Whatever went wrong, the text was not fully searched; the error may quote it, so only its type is told.
            return Quarantined(record.source, record.origin, "redaction-failed", _reason(outcome))
        for kind, n in sorted(outcome.found.items()):
            ctx.count(record.source, f"found:{kind}", n)
        if policy.strict and policy.names:
            ctx.count(record.source, "strict:words", len(_WORD.findall(record.text)))
        if not policy.names:
            ctx.count(record.source, "structured-only")
        elif not policy.ner:
            ctx.count(record.source, "no-ner")
            for language in _languages(record, ctx.sources.get(record.source)) or ("unknown",):
                ctx.count(record.source, f"no-ner:{language}")
        rate = 1000 * sum(outcome.found.values()) / max(len(record.text), 1)
        if settings.drop_above is not None and rate > settings.drop_above:
            return Dropped(outcome.record, "too-much-personal-data", rate, settings.drop_above)
        return outcome.record


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Records whose texts a name model reads together: few enough to hold."""
    batch: list[Record] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record.text)
        if len(batch) >= _MOST_RECORDS or size >= _MOST_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _reason(error: Exception) -> str:
    from corpusforge.curate.redaction.findings import RedactionFailed

    return str(error) if isinstance(error, RedactionFailed) else type(error).__name__


def _policy(
    record: Record, facts: SourceFacts | None, settings: RedactSettings, common: frozenset[int] | None = None
) -> Policy:
    from corpusforge.curate.redaction.ner import knows
    from corpusforge.curate.redaction.redactor import Policy

    # An unknown source is read as if it held everything.
    return Policy(
        names=facts is None or bool(facts.personal_data),
        chat=record.kind == "chat" or record.messages is not None,
        keep_reserved=settings.keep_reserved and record.kind in _EXAMPLES,
        describing=record.kind not in _EXAMPLES,
        ner=settings.ner != NO_NER and knows(settings.ner, _languages(record, facts)),
        strict=settings.policy == "strict",
        common=common,
    )


def _languages(record: Record, facts: SourceFacts | None) -> tuple[str, ...]:
    """The record's language where one is told, else those that its source declares."""
    if record.language:
        return (record.language,)
    return facts.languages if facts is not None else ()


@lru_cache(maxsize=4)
def _redactor(settings_json: str) -> Any:
    from corpusforge.curate.redaction.redactor import Redactor

    settings = RedactSettings.model_validate_json(settings_json)
    return Redactor(
        entities=ENTITIES if settings.entities == "all" else settings.entities,
        ner=settings.ner,
        min_score=settings.min_score,
        patterns=settings.patterns,
        allow=settings.allow,
        phone_regions=settings.phone_regions,
    )
