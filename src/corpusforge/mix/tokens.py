"""The stage `tokens`: counts each record's tokens as training will see them, with the recipe's tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from corpusforge.mix.render import Form, form_text, own_form, tokens_key
from corpusforge.mix.tokenizer import Count, load_counter
from corpusforge.record import Dropped, Record
from corpusforge.stage import Item, Stage, StageContext, StageSettings

_BATCH_CHARS = 2_000_000
_BATCH_RECORDS = 2048
_KEYS = (tokens_key("completion"), tokens_key("instruct"))


class TokensSettings(StageSettings):
    """Which tokenizer counts, and what it costs to end a document."""

    tokenizer: str = Field(
        "bytes", description="A tokenizer.json, a folder with one (or vocab.json, merges.txt), or bytes."
    )
    eos: int = Field(1, ge=0, le=8, description="Tokens that end a document; counted for each record.")


class Tokens(Stage):
    """Sets `tokens` to the count of the record's own form (see `render.own_form`).

    The count of the other form goes to `meta` (`instruct_tokens`, `completion_tokens`) where the record has one; the
    passage that a generated row was checked against leaves it. A record without its own form (labelled data without an
    assistant's turn) is dropped as `no-answer`.
    """

    name: ClassVar[str] = "tokens"
    version: ClassVar[int] = 2
    libraries: ClassVar[tuple[str, ...]] = ("tokenizers",)
    file_settings: ClassVar[tuple[str, ...]] = ("tokenizer",)
    Settings: ClassVar[type[StageSettings]] = TokensSettings

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Every record with its counts, in the order in which they came."""
        count = load_counter(ctx.settings.tokenizer)
        batch: list[Record] = []
        chars = 0
        for record in records:
            batch.append(record)
            chars += len(record.text)
            if chars >= _BATCH_CHARS or len(batch) >= _BATCH_RECORDS:
                yield from _counted(batch, count, ctx)
                batch, chars = [], 0
        yield from _counted(batch, count, ctx)


def _counted(batch: list[Record], count: Count, ctx: StageContext) -> Iterator[Item]:
    forms: list[dict[Form, str]] = [_forms(record) for record in batch]
    # Most records look the same in both forms; each distinct text is counted once.
    texts = list(dict.fromkeys(text for both in forms for text in both.values()))
    sizes = dict(zip(texts, count(texts), strict=True))
    for record, both in zip(batch, forms, strict=True):
        own = own_form(record)
        if own not in both:
            yield Dropped(record, "no-answer")
            continue
        meta = {key: value for key, value in record.meta.items() if key not in _KEYS}
        if isinstance(place := meta.get("context"), dict):
            # The passage was for the checks; from here on its place in the parent is enough.
            meta["context"] = {key: value for key, value in place.items() if key != "text"}
        for form, text in both.items():
            if form != own:
                meta[tokens_key(form)] = sizes[text] + ctx.settings.eos
        tokens = sizes[both[own]] + ctx.settings.eos
        ctx.count(record.source, "tokens", tokens)
        yield replace(record, tokens=tokens, meta=meta)


def _forms(record: Record) -> dict[Form, str]:
    names: tuple[Form, Form] = ("completion", "instruct")
    return {form: text for form in names if (text := form_text(record, form)) is not None}
