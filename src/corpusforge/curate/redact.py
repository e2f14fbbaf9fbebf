"""The stage that takes personal data and secrets out of records, or the record out of the corpus."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from corpusforge.curate.batches import in_batches
from corpusforge.curate.redaction.kinds import CUSTOM_KIND, ENTITIES, Entity
from corpusforge.curate.redaction.ner import EMBEDDED, NO_NER, embedded_folder, is_package
from corpusforge.errors import CorpusforgeError, UsageError
from corpusforge.manifest import library_version
from corpusforge.record import Dropped, Quarantined, Record
from corpusforge.setting_files import content_of
from corpusforge.stage import Decision, Item, NamedFile, SourceFacts, Stage, StageContext, StageSettings, Survey

if TYPE_CHECKING:
    import pyarrow as pa

    from corpusforge.curate.redaction.redactor import Outcome, Policy, Redactor

_MOST_RECORDS = 256
_MOST_CHARACTERS = 1 << 19
_EXAMPLES = ("doc", "article", "public")
_WORD = re.compile(r"\w+")
_KEY_FILE = "file:"
_NO_PIPELINE = (
    "Write embedded, none, an installed spaCy pipeline, or a folder such as `corpusforge fit names` writes; paths are "
    "relative to the workspace."
)


class SourcePolicy(BaseModel):
    """What of `redact` is other for one source; what is left out is as for all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    entities: Literal["all"] | tuple[Entity, ...] | None = Field(default=None, description="Kinds to take out, or all.")
    keep: tuple[Entity, ...] | None = Field(default=None, description="Kinds that stay.")
    policy: Literal["standard", "strict"] | None = Field(default=None, description="standard or strict.")
    style: Literal["placeholder", "surrogate"] | None = Field(default=None, description="placeholder or surrogate.")
    ner: str | None = Field(default=None, min_length=1, description="embedded, a spaCy pipeline, a folder, or none.")
    min_score: float | None = Field(default=None, ge=0, le=1, description="The line for findings.")
    drop_above: float | None = Field(default=None, gt=0, description="The most findings per 1000 characters.")


class RedactSettings(StageSettings):
    """Settings of `redact`."""

    entities: Literal["all"] | tuple[Entity, ...] = Field(
        default="all", description="Kinds of personal data to take out, or all."
    )
    policy: Literal["standard", "strict"] = Field(
        default="standard",
        description="strict also hides every token with a digit, unknown capitalised words, and words that fewer than "
        "common_in texts use, unless they are plain English. It hides more that is nobody's: see the counts.",
    )
    common_in: int = Field(
        default=10,
        ge=2,
        description="strict: a word outside the English vocabulary stays when so many different texts use it.",
    )
    keep: tuple[Entity, ...] = Field(default=(), description="Kinds that stay although entities holds them.")
    style: Literal["placeholder", "surrogate"] = Field(
        default="placeholder",
        description="placeholder: `<EMAIL_1>`, the same number for the same value within a record. surrogate: an "
        "invented value of a range that nobody has, chosen by a secret key, the same for a value in the whole corpus.",
    )
    key: str | None = Field(
        default=None,
        pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$",
        description="Where the key of surrogates lies, outside the project: env:NAME or file:PATH. Never written.",
    )
    ner: str = Field(
        default=EMBEDDED,
        min_length=1,
        description="What finds names in free text beside the rules: embedded (the shipped tagger, for English), an "
        "installed spaCy pipeline, a folder such as `corpusforge fit names` writes, or none.",
    )
    min_score: float = Field(default=0.4, ge=0, le=1, description="Findings below this score stay in the text.")
    min_scores: dict[Entity, float] = Field(
        default_factory=dict, description="Other lines for some kinds, {PERSON: 0.6}; min_score is for the rest."
    )
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
    by_source: dict[str, SourcePolicy] = Field(
        default_factory=dict, description="Other settings for some sources, by name: {desk: {policy: strict}}."
    )

    @model_validator(mode="after")
    def _surrogates_have_a_key(self) -> RedactSettings:
        if "surrogate" in (self.style, *(rules.style for rules in self.by_source.values())) and self.key is None:
            raise ValueError("style: surrogate needs a key. Write where it lies: key: env:CORPUSFORGE_KEY.")
        return self

    @property
    def strict(self) -> bool:
        """Whether any source is under the strict policy."""
        return "strict" in (self.policy, *(rules.policy for rules in self.by_source.values()))

    @property
    def name_models(self) -> tuple[str, ...]:
        """The name models that any source is read by."""
        named = {self.ner, *(rules.ner for rules in self.by_source.values() if rules.ner)}
        return tuple(sorted(named - {NO_NER}))

    def of(self, source: str) -> RedactSettings:
        """The settings that hold for one source."""
        rules = self.by_source.get(source)
        changed = rules.model_dump(exclude_none=True) if rules is not None else {}
        return self.model_copy(update={**changed, "by_source": {}})

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
    version = 5
    libraries = ("presidio-analyzer", "spacy", "phonenumbers", "tldextract", "regex", "google-re2")
    Settings = RedactSettings

    @classmethod
    def files(cls, settings: RedactSettings) -> Iterator[NamedFile]:
        """Name models that are neither shipped nor an installed package, and the file that holds the key."""
        ner: list[tuple[tuple[str, ...], str]] = [(("ner",), settings.ner)]
        ner += [(("by_source", name, "ner"), rules.ner) for name, rules in settings.by_source.items() if rules.ner]
        for setting, name in ner:
            if name not in (EMBEDDED, NO_NER) and not is_package(name):
                yield NamedFile(setting, name, whole=True, hint=_NO_PIPELINE)
        if settings.key is not None and settings.key.startswith(_KEY_FILE):
            hint = "Make a key once, such as by `openssl rand -hex 32`, and name its file, from the workspace."
            yield NamedFile(("key",), settings.key.removeprefix(_KEY_FILE), _KEY_FILE, secret=True, hint=hint)

    @classmethod
    def check(cls, settings: RedactSettings) -> None:
        """A key that lies in a file is a key, and a folder named for names holds a pipeline."""
        for named in cls.files(settings):
            where = ".".join(map(str, named.setting))
            if named.secret:
                try:
                    _key_of(settings)
                except UsageError as error:
                    raise UsageError(error.problem.what, where=where, hint=error.problem.hint) from None
            elif not all((Path(named.written) / name).is_file() for name in ("meta.json", "config.cfg")):
                what = f"{Path(named.written).name} is no folder of a spaCy pipeline."
                raise UsageError(what, where=where, hint=_NO_PIPELINE)

    @classmethod
    def also_identity(cls, settings: RedactSettings) -> Mapping[str, str]:
        """The pipelines: version of a package, files of a folder or of the shipped one; and the key's fingerprint.

        A folder for a source alone is told by its content in the settings.
        """
        named = sorted(name for name in settings.name_models if name == settings.ner or not Path(name).is_dir())
        made = {"ner" if name == settings.ner else f"ner {name}": _version_of(name) for name in named}
        if settings.key is not None:
            made["key"] = _key_of(settings)
        return made

    @classmethod
    def facts(cls, settings: RedactSettings) -> Mapping[str, Any]:
        """`name_models`: for each its version, languages, training data with licences, and figures on unseen text."""
        from corpusforge.curate.redaction.ner.told import told

        return {"name_models": [told(name, _version_of(name)) for name in settings.name_models]}

    @classmethod
    def resources(cls) -> tuple[Path, ...]:
        """The word lists."""
        return tuple(sorted((Path(__file__).parent / "redaction" / "word_lists").glob("*.txt")))

    @classmethod
    def has_survey(cls, settings: RedactSettings) -> bool:
        """Only the strict policy must know how many records use a word."""
        return settings.strict

    def survey(self, records: Iterable[Record], ctx: StageContext) -> pa.Table:
        """In which texts of the shard each word stands, `common_in` of them at most: pairs of the word's key and the
        text's. Texts count and not records, as a copy of a text uses no word a second time.
        """
        import pyarrow as pa

        from corpusforge.curate.redaction.strict import text_key, words_of

        settings: RedactSettings = ctx.settings
        used: dict[int, set[int]] = {}
        for record in records:
            text = text_key(record.text)
            for word in words_of(record):
                texts = used.setdefault(word, set())
                if len(texts) < settings.common_in:
                    texts.add(text)
        pairs = sorted((word, text) for word, texts in used.items() for text in texts)
        words, texts_of = [word for word, _ in pairs], [text for _, text in pairs]
        return pa.table({"word": pa.array(words, pa.uint64()), "text": pa.array(texts_of, pa.uint64())})

    def decide(self, surveys: Sequence[Survey], ctx: StageContext) -> Decision:
        """The keys of words that stand in at least `common_in` different texts of all sources together."""
        import polars as pl

        settings: RedactSettings = ctx.settings
        common = (
            pl.scan_parquet([survey.path for survey in surveys])
            .unique()
            .group_by("word")
            .len()
            .filter(pl.col("len") >= settings.common_in)
            .select("word")
            .sort("word")
            .collect()
        )
        return Decision(shared=common.to_arrow(), notes={"common_words": common.height})

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Each record redacted, `Dropped` (redacted too) with `too-much-personal-data`, or `Quarantined`."""
        settings: RedactSettings = ctx.settings
        common = None if ctx.shared is None else frozenset(ctx.shared["word"].to_pylist())
        for batch in batches_of(records):
            source = batch[0].source
            chosen = settings.of(source)
            read = [(record, policy_of(record, ctx.sources.get(source), chosen, common)) for record in batch]
            outcomes = redactor_of(chosen).redact_all(read)
            for (record, policy), outcome in zip(read, outcomes, strict=True):
                yield self._told(record, outcome, policy, chosen, ctx)

    def _told(
        self, record: Record, outcome: Outcome | Exception, policy: Policy, settings: RedactSettings, ctx: StageContext
    ) -> Item:
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


def _version_of(name: str) -> str:
    """What a name model is: a fingerprint of the files of a folder or of the shipped one, or a package's version."""
    folder = embedded_folder() if name == EMBEDDED else Path(name)
    return content_of(folder, whole=True) if folder.is_dir() else f"{name} {library_version(name)}"


def batches_of(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Records of one source whose texts a name model reads together: few enough to hold."""
    for _, own in groupby(records, attrgetter("source")):
        yield from in_batches(own, lambda record: len(record.text), _MOST_CHARACTERS, _MOST_RECORDS)


def _reason(error: Exception) -> str:
    from corpusforge.curate.redaction.findings import RedactionFailed

    return str(error) if isinstance(error, RedactionFailed) else type(error).__name__


def policy_of(
    record: Record, facts: SourceFacts | None, settings: RedactSettings, common: frozenset[int] | None = None
) -> Policy:
    """How a record is read, by its kind and language and by what its source declares."""
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


def _key_of(settings: RedactSettings) -> str:
    """The fingerprint of the key for surrogates, so that another key under the same name is not the same redactor."""
    if settings.key is None:
        return ""
    from corpusforge.curate.redaction.surrogates import fingerprint_of, read_key

    return fingerprint_of(read_key(settings.key))


def redactor_of(settings: RedactSettings) -> Redactor:
    """The redactor of some settings, built once in a process."""
    made: Redactor = _redactor(settings.model_dump_json(), _key_of(settings))
    return made


@lru_cache(maxsize=8)
def _redactor(settings_json: str, key: str = "") -> Any:
    from corpusforge.curate.redaction.redactor import Redactor
    from corpusforge.curate.redaction.surrogates import Surrogates, read_key

    settings = RedactSettings.model_validate_json(settings_json)
    wanted = ENTITIES if settings.entities == "all" else settings.entities
    return Redactor(
        entities=wanted,
        keep=settings.keep,
        ner=settings.ner,
        min_score=settings.min_score,
        patterns=settings.patterns,
        allow=settings.allow,
        phone_regions=settings.phone_regions,
        min_scores={str(kind): score for kind, score in settings.min_scores.items()},
        surrogates=Surrogates(read_key(settings.key)) if settings.style == "surrogate" and settings.key else None,
    )
