"""The normalise stage: repaired characters, tidy lines, unwrapped paragraphs, a source's own boilerplate taken out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from corpusforge.curate import boilerplate
from corpusforge.curate.anchors import Lifted, lift, settle
from corpusforge.curate.boilerplate import BoilerplateSettings, Known
from corpusforge.curate.cleaning import Form, clean_characters, tidy_lines
from corpusforge.curate.paragraph_repeats import without_repeats
from corpusforge.curate.trim import TRIMS
from corpusforge.curate.unwrap import unwrap
from corpusforge.record import Dropped, Record
from corpusforge.stage import Decision, Item, Stage, StageContext, StageSettings, Survey

if TYPE_CHECKING:
    import pyarrow as pa

_TITLE_SPACE = re.compile(r"\s+")
_UNWRAPPED = ("article", "doc", "public")


class NormaliseSettings(StageSettings):
    """Settings of `normalise`."""

    unicode: Form = Field("NFC", description="Unicode form. NFKC also folds ligatures and full-width letters.")
    unwrap: Literal["auto", "never"] = Field("auto", description="Join the lines of clearly hard-wrapped prose.")
    max_blank_lines: int = Field(2, ge=1, le=10, description="Longest run of blank lines that stays.")
    trim: tuple[Literal["gutenberg"], ...] = Field(
        ("gutenberg",), description="Publishers' frames to cut from public text where their markers stand."
    )
    boilerplate: BoilerplateSettings | None = Field(
        BoilerplateSettings(), description="When repeated lines and turns are removed; null keeps them all."
    )
    repeats: int | None = Field(
        20, ge=5, description="Words from which a line that a document repeats is kept once; null keeps every one."
    )


class Normalise(Stage):
    """Cleans the form of records without a say on their content; labelled records keep their lines as they are."""

    name: ClassVar[str] = "normalise"
    version: ClassVar[int] = 2
    libraries: ClassVar[tuple[str, ...]] = ("ftfy",)
    Settings: ClassVar[type[StageSettings]] = NormaliseSettings

    def survey(self, records: Iterable[Record], ctx: StageContext) -> pa.Table:
        """How many records hold each line (documents) or turn (chats), on the cleaned text."""
        settings: NormaliseSettings = ctx.settings
        if settings.boilerplate is None:
            return boilerplate.empty_table()
        tally = boilerplate.Tally(settings.boilerplate)
        for record in records:
            if record.kind == "labelled":
                continue
            parts = _cleaned(record, lift(record), settings, None)
            if record.messages is None:
                tally.add_document(parts[0])
            else:
                tally.add_conversation(record.messages, parts)
        return tally.table()

    def decide(self, surveys: Sequence[Survey], ctx: StageContext) -> Decision:
        """Each source's boilerplate; see `boilerplate.decide`."""
        settings: NormaliseSettings = ctx.settings
        return Decision() if settings.boilerplate is None else boilerplate.decide(surveys, settings.boilerplate)

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Each record cleaned, or `Dropped` as `empty` or `only-boilerplate` when nothing is left."""
        settings: NormaliseSettings = ctx.settings
        found = boilerplate.known(ctx.mine)
        for record in records:
            yield _normalised(record, settings, found, ctx)


def _normalised(record: Record, settings: NormaliseSettings, found: Known, ctx: StageContext) -> Item:
    lifted = lift(record)
    cleaned = _cleaned(record, lifted, settings, ctx)
    if not any(part.strip() for part in cleaned):
        return Dropped(record, "empty")
    kept: list[str | None] = list(cleaned)
    if settings.boilerplate is not None and record.kind != "labelled":
        if record.messages is None:
            text, lines = boilerplate.without_boilerplate(cleaned[0], found, settings.boilerplate)
            if lines:
                ctx.count(record.source, "boilerplate-lines", lines)
                kept = [tidy_lines(text, settings.max_blank_lines)]
        else:
            canned = boilerplate.canned_turns(record.messages, cleaned, found, settings.boilerplate)
            if canned:
                ctx.count(record.source, "boilerplate-turns", len(canned))
                kept = [None if index in canned else part for index, part in enumerate(cleaned)]
        if not any(part and part.strip() for part in kept):
            return Dropped(record, "only-boilerplate")
    if settings.repeats is not None and record.messages is None and record.kind != "labelled":
        text, lines = without_repeats(kept[0] or "", settings.repeats)
        if lines:
            ctx.count(record.source, "repeated-lines", lines)
            kept = [tidy_lines(text, settings.max_blank_lines)]
    if record.messages is not None:
        # A turn that cleaning empties said nothing; a turn that was empty from the start may mean something.
        emptied = [bool(old) and not new for old, new in zip(record.parts, cleaned, strict=True)]
        if any(emptied):
            ctx.count(record.source, "empty-turns", sum(emptied))
            kept = [None if gone else part for gone, part in zip(emptied, kept, strict=True)]
    made = settle(record, lifted, kept)
    title = _TITLE_SPACE.sub(" ", clean_characters(record.title, settings.unicode)).strip()
    if title != record.title:
        made = made if made is not record else record.with_parts(record.parts)
        made.title = title
    return made


def _cleaned(record: Record, lifted: Lifted, settings: NormaliseSettings, ctx: StageContext | None) -> list[str]:
    cleaned = [clean_characters(part, settings.unicode) for part in lifted.parts]
    if record.kind == "labelled":
        return cleaned
    if record.kind == "public" and record.messages is None:
        for name in settings.trim:
            trimmed = TRIMS[name](cleaned[0])
            if ctx is not None and trimmed != cleaned[0]:
                ctx.count(record.source, f"trimmed-{name}")
            cleaned = [trimmed]
    cleaned = [tidy_lines(part, settings.max_blank_lines) for part in cleaned]
    if settings.unwrap == "auto" and record.messages is None and record.kind in _UNWRAPPED:
        unwrapped = unwrap(cleaned[0])
        if ctx is not None and unwrapped != cleaned[0]:
            ctx.count(record.source, "unwrapped")
        cleaned = [unwrapped]
    return cleaned
