"""The language stage: names each record's language offline, a chat's turn by turn, and drops what is not kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator

from corpusforge.curate.language_text import glance, primary, turns
from corpusforge.errors import UsageError
from corpusforge.record import Dropped, Record
from corpusforge.stage import Item, Stage, StageContext, StageSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from corpusforge.curate.language_model import Detector

# Most texts are certain at a glance; only the others pay for the whole sample. Of 794 pages in 21 languages, 11 are
# named otherwise than by their folder at 240 characters and at 360, 13 at 210 and 39 at 150.
_GLANCE = 240
_CERTAIN = 0.99
# A source's declared language is evidence too: of 4,990 English chats in lower case, full of names (multidogo), 83 go
# as undecided without it and 27 with it; conversations in Spanish, German and Portuguese still go.
_DECLARED_ODDS = 10.0
# A turn of fewer letters has no language of its own (ok, danke, sudo): one in six is named wrongly.
_TURN_LETTERS = 20
_BATCH = 512
# A kept record is worth a look if its score is within this of the threshold.
_NEAR = 0.15


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

    A chat's probability is that of its users' turns, weighted by their letters, each given what the others speak; turns
    that are surely in another language are counted (`foreign-turns` of `judged-turns`). A text with fewer than
    `min_letters` letters outside code, addresses and placeholders cannot be judged: it is kept with the language its
    record or source declares. Where the source declares the language, the odds for it are ten times what the text alone
    gives. Labelled records are dropped only if another language is certain (its probability is over `min_score`, and
    kept languages together are under 1 - `min_score`).
    """

    name: ClassVar[str] = "language"
    version: ClassVar[int] = 2
    libraries: ClassVar[tuple[str, ...]] = ("py3langid", "fasttext-numpy2-wheel")
    file_settings: ClassVar[tuple[str, ...]] = ("model",)
    Settings: ClassVar[type[StageSettings]] = LanguageSettings

    @classmethod
    def check(cls, settings: LanguageSettings) -> None:
        """The model, where one is named, can be read."""
        if settings.model is not None:
            from corpusforge.curate.language_fasttext import fasttext_model

            fasttext_model(settings.model)

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Each record with its language, or `Dropped` as `language` with the probability it had."""
        for source, group in groupby(records, key=attrgetter("source")):
            judge = _judge(source, ctx)
            while batch := list(islice(group, _BATCH)):
                yield from judge.items(batch)


def _judge(source: str, ctx: StageContext) -> _Judge:
    from corpusforge.curate.language_fasttext import fasttext_model
    from corpusforge.curate.language_model import word_model

    settings: LanguageSettings = ctx.settings
    facts = ctx.sources.get(source)
    declared = tuple(map(primary, facts.languages)) if facts else ()
    keep = settings.keep or declared or ("en",)
    if settings.model:
        detector: Detector = fasttext_model(settings.model)
    else:
        detector = word_model(tuple(sorted({*keep, *declared})))
    columns = [k for k, code in enumerate(detector.languages) if code in keep]
    if not columns:
        hint = "Use codes of ISO 639-1 such as en, or name a fastText model whose labels hold these."
        raise UsageError(f"{source}: the language model knows none of {', '.join(keep)}.", where="keep", hint=hint)
    odds = [_DECLARED_ODDS if code in declared else 1.0 for code in detector.languages]
    return _Judge(ctx, detector, keep, declared, columns, odds)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Judges records of one source. `columns` of the detector's languages are kept; `odds` are those declared."""

    ctx: StageContext
    detector: Detector
    keep: tuple[str, ...]
    declared: tuple[str, ...]
    columns: list[int]
    odds: list[float]

    def items(self, batch: Sequence[Record]) -> list[Item]:
        """One item for each record, in order."""
        import numpy as np

        spoken = [turns(record) for record in batch]
        chances, letters = self._chances([turn for each in spoken for turn in each])
        starts = np.zeros(len(batch), np.int64)
        np.cumsum([len(each) for each in spoken[:-1]], out=starts[1:])
        # A record without a turn long enough for a language of its own is judged by all of its turns.
        sizes = np.array([len(each) for each in spoken])
        owner = np.repeat(np.arange(len(batch)), sizes)
        long = letters >= _TURN_LETTERS
        weights = np.where(long | ~np.logical_or.reduceat(long, starts)[owner], letters, 0)
        shares = (weights / np.maximum(1, np.add.reduceat(weights, starts))[owner])[:, None]
        means = np.add.reduceat(chances * shares, starts, axis=0)
        if len(owner) > len(batch):
            # What a conversation speaks elsewhere is evidence for its doubtful turns (one step of expectation
            # maximisation): of multidogo's chats 70 go without it and 27 with it, for turns that could be anything.
            several = (sizes > 1)[owner]
            chances[several] *= means[owner[several]]
            chances[several] /= np.maximum(1e-300, chances[several].sum(axis=1, keepdims=True))
            means = np.add.reduceat(chances * shares, starts, axis=0)
        self._count_turns(batch, chances, weights, owner)
        kept = means[:, self.columns]
        scores = np.round(np.minimum(1, kept.sum(axis=1)), 4)
        languages = [self.detector.languages[k] for k in self.columns]
        best = means.argmax(axis=1)
        told = np.add.reduceat(letters, starts) >= self.ctx.settings.min_letters
        columns = kept.argmax(axis=1), told, scores, best, means[np.arange(len(batch)), best]
        counts: dict[str, int] = {}
        made: list[Item] = []
        plainly = max(self.ctx.settings.min_score + _NEAR, _CERTAIN)
        keys = [f"language-{language}" for language in languages]
        for record, choice, judged, score, other, chance in zip(
            batch, *(column.tolist() for column in columns), strict=True
        ):
            if judged and score > plainly:
                key = keys[choice]
                counts[key] = counts.get(key, 0) + 1
                made.append(_in_language(record, languages[choice]))
            elif judged:
                made.append(
                    self._told(record, languages[choice], score, self.detector.languages[other], chance, counts)
                )
            else:
                made.append(self._untold(record, counts))
        for key, count in counts.items():
            self.ctx.count(batch[0].source, key, count)
        return made

    def _count_turns(
        self,
        batch: Sequence[Record],
        chances: NDArray[np.float64],
        weights: NDArray[np.int64],
        owner: NDArray[np.int64],
    ) -> None:
        import numpy as np

        chats = np.array([record.messages is not None for record in batch])
        if not chats.any():
            return
        surely = self.ctx.settings.min_score
        judged = (weights > 0) & chats[owner]
        foreign = judged & (chances[:, self.columns].sum(axis=1) <= 1 - surely) & (chances.max(axis=1) >= surely)
        self.ctx.count(batch[0].source, "judged-turns", int(judged.sum()))
        self.ctx.count(batch[0].source, "foreign-turns", int(foreign.sum()))

    def _chances(self, texts: list[str]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """For n texts: n x languages probabilities given what the source declares, and the letters that told them."""
        import numpy as np

        settings: LanguageSettings = self.ctx.settings
        chances = np.empty((len(texts), len(self.detector.languages)))
        letters = np.empty(len(texts), np.int64)
        for start in range(0, len(texts), _BATCH):
            some = texts[start : start + _BATCH]
            found, told = self.detector.probabilities([glance(text, _GLANCE) for text in some])
            unsure = (found.max(axis=1) < _CERTAIN) | (told < settings.min_letters)
            doubtful = [k for k in np.flatnonzero(unsure).tolist() if len(some[k]) > _GLANCE]
            if doubtful:
                found[doubtful], told[doubtful] = self.detector.probabilities(
                    [glance(some[k], settings.sample_chars) for k in doubtful]
                )
            chances[start : start + _BATCH], letters[start : start + _BATCH] = found, told
        chances *= np.array(self.odds)
        return chances / chances.sum(axis=1, keepdims=True), letters

    def _untold(self, record: Record, counts: dict[str, int]) -> Item:
        settings: LanguageSettings = self.ctx.settings
        fallback = next((code for code in self.declared if code in self.keep), self.keep[0])
        language = primary(record.language) or fallback
        if language not in self.keep:
            return Dropped(record, "language", 0.0, settings.min_score, {"language": language})
        counts["too-short-to-tell"] = counts.get("too-short-to-tell", 0) + 1
        return _in_language(record, language)

    def _told(
        self, record: Record, language: str, score: float, best: str, chance: float, counts: dict[str, int]
    ) -> Item:
        """`language` is the likeliest kept one, `score` that of all kept ones; `best` and `chance` of all languages."""
        settings: LanguageSettings = self.ctx.settings
        sure = score >= settings.min_score
        if not sure and record.kind == "labelled":
            sure = best in self.keep or chance < settings.min_score or score > 1 - settings.min_score
        if not sure:
            return Dropped(record, "language", score, settings.min_score, {"language": best})
        if score - settings.min_score <= _NEAR:
            self.ctx.near(record, "language", score, settings.min_score)
        counts[f"language-{language}"] = counts.get(f"language-{language}", 0) + 1
        return _in_language(record, language)


_NAMES = [field.name for field in fields(Record)]
_VALUES = attrgetter(*_NAMES)
_LANGUAGE = _NAMES.index("language")


def _in_language(record: Record, language: str) -> Record:
    if record.language == language:
        return record
    # `dataclasses.replace` takes a tenth of the stage's time.
    values: list[Any] = list(_VALUES(record))
    values[_LANGUAGE] = language
    return Record(*values)
