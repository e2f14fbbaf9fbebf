"""The quality stage: drops records that fail a rule of their preset, with the rule, its value and the threshold."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from corpusforge.curate.batches import in_batches
from corpusforge.curate.quality_thresholds import NEAR, PUBLISHED, RULE_NAMES
from corpusforge.record import Dropped, Record
from corpusforge.stage import Item, Stage, StageContext, StageSettings

if TYPE_CHECKING:
    from corpusforge.curate.quality_rules import Verdict

Preset = Literal["auto", "chat", "docs", "web", "book", "none"]

# Where a preset leaves the published thresholds, it is because they drop what its kind is made of: short turns and
# pasted output (chat), command listings, option tables and short how-tos (docs), names and verse (book). On 238 web
# pages that people labelled (DCLM), the published ones drop 25% of those to keep and 65% of the others; `web` drops 12%
# and 47%, and each of its rules alone a larger share of the others (make bench-quality).
_RELAXED_REPETITION: Mapping[str, float] = {
    "max_duplicate_lines": 0.5,
    "max_duplicate_line_chars": 0.4,
    "max_repeated_5_grams": 0.5,
    "max_repeated_10_grams": 0.3,
}
PRESETS: Mapping[str, Mapping[str, float]] = {
    "none": {},
    "chat": {
        "min_words": 10,
        "max_mean_word": 12,
        "max_hashes": 0.2,
        "min_alphabetic": 0.5,
        **_RELAXED_REPETITION,
    },
    "docs": {
        "min_words": 10,
        "min_mean_word": 2.5,
        "max_mean_word": 12,
        "max_hashes": 0.2,
        "max_ellipses": 0.1,
        "max_ellipsis_lines": 0.3,
        "min_alphabetic": 0.3,
        **_RELAXED_REPETITION,
        "max_lorem_ipsum": 0,
    },
    "web": {
        **{rule: value for rule, value in PUBLISHED["gopher-quality"].items() if rule != "max_words"},
        "min_alphabetic": 0.75,
        **PUBLISHED["gopher-repetition"],
        "max_lorem_ipsum": 0,
        "min_sentences": 3,
        **PUBLISHED["fineweb"],
    },
    "book": {
        "min_words": 1000,
        "min_mean_word": 2.5,
        "max_mean_word": 10,
        "max_hashes": 0.1,
        "min_alphabetic": 0.6,
        "min_stop_words": 2,
        **_RELAXED_REPETITION,
    },
}
_BY_KIND: Mapping[str, str] = {"chat": "chat", "article": "docs", "doc": "docs", "public": "web"}
_ENGLISH_ONLY = ("min_stop_words",)
# Languages written without spaces have no words to count by.
_WORDLESS = ("zh", "ja", "th", "lo", "km", "my")
_NEEDS_WORDS = ("min_words", "min_mean_word", "max_mean_word", "max_newlines")


class QualitySettings(StageSettings):
    """Settings of `quality`."""

    preset: Preset = Field("auto", description="Thresholds to start from; auto chooses by a record's kind and length.")
    rules: dict[str, float | None] = Field(
        default_factory=dict, description="Thresholds that replace or add to the preset's; null switches a rule off."
    )
    book_chars: int = Field(100_000, ge=1, description="Public text at least this long is judged as a book by auto.")
    model: str | None = Field(None, description="Path of a model of `corpusforge fit quality`, or a fastText one.")
    min_model_score: float = Field(0.4, ge=0, le=1, description="Least probability of being kept that the model gives.")
    model_for: tuple[Preset, ...] = Field(("web",), description="Presets whose records the model judges too.")

    @field_validator("rules")
    @classmethod
    def _known(cls, rules: dict[str, float | None]) -> dict[str, float | None]:
        for name in rules:
            if name not in RULE_NAMES:
                near = difflib.get_close_matches(name, RULE_NAMES, n=3)
                hint = f"Did you mean {' or '.join(near)}?" if near else f"The rules are {', '.join(RULE_NAMES)}."
                raise ValueError(f"there is no quality rule {name!r}. {hint}")
        return rules


# Characters judged together: enough to pay for arrays, few enough to stay in a core's cache.
_BATCH = 400_000


class Quality(Stage):
    """Drops records by the rules of Gopher, C4 and FineWeb, with thresholds for each kind of text.

    auto means: chats `chat`, articles and docs `docs`, public text `web` or (from `book_chars` on) `book`, labelled and
    synthetic records `none`. A chat is judged by what was said, without the speakers' names. Rules on words are left
    out for languages without spaces, the one on English stop words for every language but English. Where a trained
    model is named, records of `model_for` that pass the rules are dropped as `model` under `min_model_score`.
    """

    name: ClassVar[str] = "quality"
    version: ClassVar[int] = 2
    libraries: ClassVar[tuple[str, ...]] = ("spacy", "datatrove", "fasttext-numpy2-wheel")
    file_settings: ClassVar[tuple[str, ...]] = ("model",)
    Settings: ClassVar[type[StageSettings]] = QualitySettings

    @classmethod
    def check(cls, settings: QualitySettings) -> None:
        """The model, where one is named, can be read."""
        if settings.model is not None:
            from corpusforge.curate.quality_model import loaded

            loaded(settings.model)

    @classmethod
    def facts(cls, settings: QualitySettings) -> Mapping[str, Any]:
        """`model`, where one is named: its file's name and, of one fitted here, its cross-validated figures."""
        if settings.model is None:
            return {}
        from corpusforge.curate.quality_model import loaded

        figures = getattr(loaded(settings.model), "fit", None)
        return {"model": {"name": Path(settings.model).name, "fit": figures}}

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Each record unchanged, or `Dropped` with the first rule, or the model, that it fails, and its threshold."""
        from corpusforge.curate.quality_rules import judge

        settings: QualitySettings = ctx.settings
        overrides = tuple(settings.rules.items())
        for batch in in_batches(records, lambda record: len(record.text), _BATCH):
            presets = [preset_of(record, settings) for record in batch]
            thresholds = [
                _thresholds(preset, overrides, record.language) for preset, record in zip(presets, batch, strict=True)
            ]
            ruled = [number for number, chosen in enumerate(thresholds) if chosen]
            verdicts = dict(
                zip(ruled, judge([said(batch[n]) for n in ruled], [thresholds[n] for n in ruled]), strict=True)
            )
            failed = {number for number, verdict in verdicts.items() if verdict.failed is not None}
            asked = [n for n, preset in enumerate(presets) if preset in settings.model_for and n not in failed]
            scores = dict(zip(asked, _model_scores([batch[n] for n in asked], settings), strict=False))
            for number, record in enumerate(batch):
                yield _item(record, verdicts.get(number), scores.get(number), ctx)


def _model_scores(records: Sequence[Record], settings: QualitySettings) -> list[float]:
    """Each record's probability of being kept; nothing where no model is named."""
    if settings.model is None:
        return []
    from corpusforge.curate.quality_model import loaded

    scores: list[float] = loaded(settings.model).scores([said(record) for record in records]).tolist()
    return scores


def _item(record: Record, verdict: Verdict | None, score: float | None, ctx: StageContext) -> Item:
    if verdict is not None and verdict.failed is not None:
        return Dropped(record, *verdict.failed)
    least = ctx.settings.min_model_score
    if score is not None and score < least:
        return Dropped(record, "model", score, least)
    closest = verdict.closest if verdict is not None else None
    if closest is not None and abs(closest[1] - closest[2]) <= NEAR * abs(closest[2]):
        ctx.near(record, *closest)
    if score is not None and score - least <= NEAR:
        ctx.near(record, "model", score, least)
    return record


def preset_of(record: Record, settings: QualitySettings) -> str:
    """The preset that judges a record."""
    if settings.preset != "auto":
        return settings.preset
    if record.kind == "public" and len(record.text) >= settings.book_chars:
        return "book"
    return _BY_KIND.get(record.kind, "none")


def said(record: Record) -> str:
    """The text that is judged: turns one below the other without their speakers, or the text below its title.

    An answer of seven words is a good one below its question: by its text alone, 70% of a real FAQ (dstc9) went.
    """
    if record.messages is not None:
        return "\n".join(record.parts)
    titled = record.title and not record.text.lstrip("# ").startswith(record.title)
    return f"{record.title}\n\n{record.text}" if titled else record.text


@lru_cache(maxsize=256)
def _thresholds(preset: str, overrides: tuple[tuple[str, float | None], ...], language: str) -> Mapping[str, float]:
    merged: dict[str, float | None] = {**PRESETS[preset], **dict(overrides)}
    left_out: set[str] = set()
    if language not in ("", "en"):
        left_out.update(_ENGLISH_ONLY)
    if language in _WORDLESS:
        left_out.update(_NEEDS_WORDS)
    return {name: value for name, value in merged.items() if value is not None and name not in left_out}
