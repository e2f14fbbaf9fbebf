"""The stage `tokens`: counts each record's tokens as training will see them, with the recipe's tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field

from corpusforge.mix.chat_template import AUTO, PLAIN, ChatTemplate, Unrenderable, load_template
from corpusforge.mix.render import Form, form_text, own_form, tokens_key
from corpusforge.mix.tokenizer import Count, load_counter
from corpusforge.record import Dropped, Record
from corpusforge.stage import Item, NamedFile, Stage, StageContext, StageSettings

_BATCH_CHARS = 2_000_000
_BATCH_RECORDS = 2048
_KEYS = (tokens_key("completion"), tokens_key("instruct"))


class TokensSettings(StageSettings):
    """Which tokenizer counts, and what it costs to end a document."""

    tokenizer: str = Field(
        "bytes", description="A tokenizer.json, a folder with one (or vocab.json, merges.txt), or bytes."
    )
    eos: int = Field(1, ge=0, le=8, description="Tokens that end a document; counted for each record.")
    chat_template: str = Field(
        AUTO,
        description="How conversations are written: auto (the tokenizer's own template, if any), plain, or a file.",
    )


class Tokens(Stage):
    """Sets `tokens` to the count of the record's own form (see `render.own_form`).

    The count of the other form goes to `meta` (`instruct_tokens`, `completion_tokens`) where the record has one; the
    passage that a generated row was checked against leaves it. A record without its own form (labelled data without an
    assistant's turn) is dropped as `no-answer`, one that the chat template cannot show as it is as `chat-template`. A
    template ends conversations itself, so no end token is counted for them.
    """

    name: ClassVar[str] = "tokens"
    version: ClassVar[int] = 3
    libraries: ClassVar[tuple[str, ...]] = ("tokenizers", "jinja2")
    Settings: ClassVar[type[StageSettings]] = TokensSettings

    @classmethod
    def files(cls, settings: Any) -> Iterator[NamedFile]:
        """The tokenizer, and a template file where one is named."""
        if settings.tokenizer != "bytes":
            yield NamedFile(("tokenizer",), settings.tokenizer)
        if settings.chat_template not in (AUTO, PLAIN):
            yield NamedFile(("chat_template",), settings.chat_template)

    @classmethod
    def check(cls, settings: Any) -> None:
        """Loads the chat template. Raises UsageError for one that cannot be used."""
        load_template(settings.tokenizer, settings.chat_template)

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Every record with its counts, in the order in which they came."""
        count = load_counter(ctx.settings.tokenizer)
        template = load_template(ctx.settings.tokenizer, ctx.settings.chat_template)
        batch: list[Record] = []
        chars = 0
        for record in records:
            batch.append(record)
            chars += len(record.text)
            if chars >= _BATCH_CHARS or len(batch) >= _BATCH_RECORDS:
                yield from _counted(batch, count, template, ctx)
                batch, chars = [], 0
        yield from _counted(batch, count, template, ctx)


def _counted(batch: list[Record], count: Count, template: ChatTemplate | None, ctx: StageContext) -> Iterator[Item]:
    forms: list[dict[Form, str | None]] = [_forms(record, template) for record in batch]
    # Most records look the same in both forms; each distinct text is counted once.
    texts = list(dict.fromkeys(text for both in forms for text in both.values() if text is not None))
    sizes: dict[str | None, int] = dict(zip(texts, count(texts), strict=True))
    ends: dict[Form, int] = {"completion": ctx.settings.eos, "instruct": ctx.settings.eos if template is None else 0}
    for record, both in zip(batch, forms, strict=True):
        own = own_form(record)
        if own not in both:
            yield Dropped(record, "no-answer")
            continue
        if both[own] is None:
            yield Dropped(record, "chat-template")
            continue
        meta = {key: value for key, value in record.meta.items() if key not in _KEYS}
        if isinstance(place := meta.get("context"), dict):
            # The passage was for the checks; from here on its place in the parent is enough.
            meta["context"] = {key: value for key, value in place.items() if key != "text"}
        for form, text in both.items():
            if form != own and text is not None:
                meta[tokens_key(form)] = sizes[text] + ends[form]
        tokens = sizes[both[own]] + ends[own]
        ctx.count(record.source, "tokens", tokens)
        yield replace(record, tokens=tokens, meta=meta)


def _forms(record: Record, template: ChatTemplate | None) -> dict[Form, str | None]:
    """The forms that a record has; None for one that the template cannot show."""
    found: dict[Form, str | None] = {"completion": form_text(record, "completion")}
    try:
        if (text := form_text(record, "instruct", template)) is not None:
            found["instruct"] = text
    except Unrenderable:
        found["instruct"] = None
    return found
