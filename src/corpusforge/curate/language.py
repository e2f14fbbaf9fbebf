"""The language stage: names each record's language offline and drops what the recipe does not keep."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator

from corpusforge.errors import UsageError
from corpusforge.record import Dropped, Record
from corpusforge.stage import Item, Stage, StageContext, StageSettings

Scores = list[tuple[str, float]]
Detector = Callable[[str], Scores]

# Most texts are certain at a glance; only the others pay for the whole sample.
_GLANCE = 900
_CERTAIN = 0.99
# A source's declared language is evidence too. Without it 1.3% of short English pages of command help (tldr) and FAQ
# snippets (dstc9) go as undecided; with it none do, and the conversations in Spanish, German and Portuguese still go.
_DECLARED_ODDS = 10.0
# Languages that models tell apart and sources do not.
_ALIASES = {"yue": "zh", "wuu": "zh", "lzh": "zh", "nb": "no", "nn": "no"}

# What is no language: code, commands, addresses, paths, placeholders of redactions, markup.
_FENCED = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^(?: {4,}|\t).*$", re.MULTILINE)
_MASKED = re.compile(
    r"`[^`\n]+`|<[A-Z][A-Z_]*_\d+>|</?[a-zA-Z][^<>\n]{0,200}>|(?:https?|ftp)://\S+|www\.\S+|\S+@\S+\.\w+"
    r"|(?<!\S)[~./][\w.~-]*/\S*|(?<!\S)--?[a-z][\w-]*|\S*[\\{}=$_|]\S*|\d+"
)
_LETTERS = re.compile(r"[^\W\d_]+")
_SPACE = re.compile(r"\s+")


class LanguageSettings(StageSettings):
    """Settings of `language`."""

    keep: tuple[str, ...] = Field((), description="Languages to keep (ISO 639-1). Empty: those the source declares.")
    min_score: float = Field(0.65, ge=0, le=1, description="Least probability that a record is in a kept language.")
    min_letters: int = Field(60, ge=0, description="Letters a text needs to be judged; shorter ones are kept.")
    sample_chars: int = Field(6000, ge=300, description="Characters looked at: the first, middle and last third.")
    model: str | None = Field(None, description="Path of a fastText model such as lid.176.bin, instead of py3langid.")

    @field_validator("keep")
    @classmethod
    def _primary(cls, keep: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(primary(code) for code in keep)


class Language(Stage):
    """Sets each record's language; drops a record whose probability of being in a kept language is under `min_score`.

    A text with fewer than `min_letters` letters outside code, addresses and placeholders cannot be judged: it is kept
    with the language its record or source declares. Where the source declares the language, the odds for it are ten
    times what the text alone gives. Labelled records are dropped only if another language is certain
    (its probability is over `min_score`, and kept languages together are under 1 - `min_score`).
    """

    name: ClassVar[str] = "language"
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("py3langid", "fasttext-numpy2-wheel")
    file_settings: ClassVar[tuple[str, ...]] = ("model",)
    Settings: ClassVar[type[StageSettings]] = LanguageSettings

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Each record with its language, or `Dropped` as `language` with the probability it had."""
        settings: LanguageSettings = ctx.settings
        detect = _fasttext(settings.model) if settings.model else _py3langid()
        for record in records:
            yield _judged(record, settings, detect, ctx)


def _judged(record: Record, settings: LanguageSettings, detect: Detector, ctx: StageContext) -> Item:
    facts = ctx.sources.get(record.source)
    declared = tuple(primary(code) for code in facts.languages) if facts else ()
    keep = settings.keep or declared or ("en",)
    text = sample(prose(sample(spoken(record), 3 * settings.sample_chars)), settings.sample_chars)
    if sum(map(len, _LETTERS.findall(text))) < settings.min_letters:
        language = primary(record.language) or next((code for code in declared if code in keep), keep[0])
        if language not in keep:
            return Dropped(record, "language", 0.0, settings.min_score, {"language": language})
        ctx.count(record.source, "too-short-to-tell")
        return _in_language(record, language)
    scores = detect(sample(text, _GLANCE))
    if scores[0][1] < _CERTAIN and len(text) > _GLANCE:
        scores = detect(text)
    best, best_score = scores[0]
    kept = [(code, score) for code, score in scores if code in keep]
    score = min(1.0, sum(score for _, score in kept))
    if set(declared).intersection(code for code, _ in kept[:1]):
        score = score * _DECLARED_ODDS / (score * _DECLARED_ODDS + 1 - score)
    sure = score >= settings.min_score
    if not sure and record.kind == "labelled":
        sure = best in keep or best_score < settings.min_score or score > 1 - settings.min_score
    if not sure:
        return Dropped(record, "language", score, settings.min_score, {"language": best})
    language = kept[0][0] if kept else keep[0]
    ctx.count(record.source, f"language-{language}")
    return _in_language(record, language)


@lru_cache(maxsize=4096)
def primary(code: str) -> str:
    """A language tag's primary subtag in lower case: `pt_BR` gives `pt`; Chinese and Norwegian count as one each."""
    subtag = re.split(r"[-_]", code.strip(), maxsplit=1)[0].lower()
    return _ALIASES.get(subtag, subtag)


def spoken(record: Record) -> str:
    """What decides a record's language: in a chat what the users said, or everybody where they said nothing."""
    if record.messages is None:
        return record.text
    asked = "\n".join(message.content for message in record.messages if message.role == "user")
    return asked if asked.strip() else "\n".join(record.parts)


def prose(text: str) -> str:
    """The text without code, commands, paths, addresses, numbers, markup and placeholders, on one line."""
    if "```" in text or "~~~" in text:
        text = _FENCED.sub(" ", text)
    without_code = _INDENTED.sub(" ", text)
    # A text that is indented throughout is verse or a quotation, not code.
    text = without_code if len(without_code) * 3 > len(text) else text
    return _SPACE.sub(" ", _MASKED.sub(" ", text)).strip()


def sample(text: str, chars: int) -> str:
    """At most about `chars` characters: the first, the middle and the last third of them, cut at spaces."""
    if len(text) <= chars:
        return text
    third = chars // 3
    middle = (len(text) - third) // 2
    return " ".join((text[:third], text[middle : middle + third], text[-third:]))


def _in_language(record: Record, language: str) -> Record:
    if record.language == language:
        return record
    made = record.with_parts(record.parts)
    made.language = language
    return made


def _merged(scores: Iterable[tuple[str, float]]) -> Scores:
    merged: dict[str, float] = {}
    for code, score in scores:
        merged[code] = merged.get(code, 0.0) + score
    return sorted(merged.items(), key=lambda item: (-item[1], item[0]))


@lru_cache(maxsize=1)
def _py3langid() -> Detector:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

    def detect(text: str) -> Scores:
        return _merged((primary(code), float(score)) for code, score in identifier.rank(text))

    return detect


@lru_cache(maxsize=2)
def _fasttext(path: str) -> Detector:
    import fasttext

    if not Path(path).is_file():
        raise UsageError(f"language model {path} does not exist.", hint="Leave `model` out to use py3langid.")
    # load_model greets on stderr for historical reasons.
    fasttext.FastText.eprint = lambda _: None
    try:
        model: Any = fasttext.load_model(path)
    except ValueError as error:
        raise UsageError(f"{path} is no fastText model.", hint="Use a file such as lid.176.bin or .ftz.") from error

    def detect(text: str) -> Scores:
        labels, scores = model.predict(text.replace("\n", " "), k=20)
        codes = (primary(label.removeprefix("__label__")) for label in labels)
        return _merged((code, min(1.0, float(score))) for code, score in zip(codes, scores, strict=True))

    return detect
