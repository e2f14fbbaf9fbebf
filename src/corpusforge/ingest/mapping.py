"""Turns rows of any tabular or JSON format into records by one declared mapping of fields."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Self

import orjson
from pydantic import Field, model_validator

from corpusforge.ingest.fields import MISSING, as_text, lookup
from corpusforge.ingest.html_text import TooDeep, fragment_text
from corpusforge.ingest.reader import ReadContext, ReaderSettings, Words
from corpusforge.record import Message, Quarantined, Record, Unit, render, stable_hash

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")


class Mapping(ReaderSettings):
    """Which field of a row is what. A field is a path: `body`, `a.b.0.c`, `answers.*.text`, `.` for the row itself.

    A row is one of: a text (`text`), an article (`question` as title, `answer` as text), or a labelled pair (`prompt`
    with `answer` or `label`), which becomes a user and an assistant message.
    """

    text: Words = Field(
        default=(), description="Field of the text, or several joined by blank lines; `text` by default."
    )
    title: str = Field(default="", description="Field of the title.")
    id: str = Field(default="", description="Field that identifies a row; without it the content does.")
    id_per_file: bool = Field(default=False, description="Whether ids are unique within their file only.")
    group: str = Field(default="", description="Field that names what stays on one side of the split.")
    language: str = Field(default="", description="Field of the language.")
    meta: tuple[str, ...] = Field(default=(), description="Fields to keep with the record.")
    question: str = Field(default="", description="Field of a question, the title of an article.")
    prompt: str = Field(default="", description="Field of the user's turn.")
    answer: str = Field(default="", description="Field of the answer.")
    label: str = Field(default="", description="Field of a label, the assistant's turn.")
    labels: dict[str, str] = Field(default_factory=dict, description="What label codes mean; others are quarantined.")
    instruction: str = Field(default="", description="What the user asks, put in front of the prompt.")
    phrasings: tuple[str, ...] = Field(
        default=(),
        description="Other ways to say the instruction; rows for training take turns, the benchmark does not.",
    )
    html: bool = Field(default=False, description="Whether text, question, prompt and answer are HTML.")

    @model_validator(mode="after")
    def _one_purpose(self) -> Self:
        wanted = [bool(self.text), bool(self.question), bool(self.prompt)]
        if sum(wanted) > 1:
            raise ValueError("text, question and prompt exclude each other. Keep one.")
        if self.prompt and bool(self.answer) == bool(self.label):
            raise ValueError("prompt needs either answer or label. Name the field of the assistant's turn.")
        if self.question and not self.answer:
            raise ValueError("question needs answer. Name the field of the answer.")
        if (self.answer and not (self.prompt or self.question)) or (self.label and not self.prompt):
            raise ValueError("answer and label need prompt (or question). Name the field of the question.")
        if (self.labels and not self.label) or (self.instruction and not self.prompt):
            raise ValueError("labels need label, and instruction needs prompt.")
        if self.phrasings and not self.instruction:
            raise ValueError("phrasings need an instruction, of which they are other wordings.")
        return self

    def columns(self) -> tuple[str, ...]:
        """All fields that this mapping reads, sorted."""
        single = (self.title, self.id, self.group, self.language, self.question, self.prompt, self.answer, self.label)
        texts = self.text if self.text or self.question or self.prompt else ("text",)
        return tuple(sorted({*texts, *self.meta, *filter(None, single)}))


def _asked(instruction: str, prompt: str) -> str:
    return f"{instruction}\n\n{prompt}" if instruction else prompt


class _Unusable(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail


class RowMapper:
    """Maps the rows of one file; keeps the ids it has given, so that equal rows get distinct and stable ids."""

    def __init__(self, ctx: ReadContext) -> None:
        self._ctx = ctx
        self._settings: Mapping = ctx.settings
        self._seen: Counter[str] = Counter()

    def map(
        self, row: Any, start: int, end: int, unit: Unit = "byte", extra: dict[str, Any] | None = None
    ) -> Record | Quarantined:
        """The record of one row at [start, end). Quarantined: missing-field, empty-text, unknown-label, duplicate-id,
        invalid-bytes (a lone surrogate). `extra` joins the record's `meta`.
        """
        try:
            return self._record(row, start, end, unit, extra or {})
        except _Unusable as error:
            return self._ctx.quarantined(start, end, error.reason, error.detail, unit)

    def _record(self, row: Any, start: int, end: int, unit: Unit, extra: dict[str, Any]) -> Record:
        s = self._settings
        title = self._optional(row, s.title)
        text, messages = "", None
        meta = self._meta(row) | extra
        if s.prompt:
            prompt = self._required(row, s.prompt)
            reply = self._required(row, s.answer) if s.answer else self._label(row, meta)
            messages = (Message("user", _asked(s.instruction, prompt)), Message("assistant", reply))
        elif s.question:
            title, text = self._required(row, s.question), self._required(row, s.answer)
        else:
            text = "\n\n".join(self._required(row, path) for path in s.text or ("text",))
        content = stable_hash(title, text if messages is None else render(messages), size=16)
        if messages is not None and s.phrasings:
            # Another wording makes no other record: the id is that of the first one.
            wordings = (s.instruction, *s.phrasings)
            used = wordings[int(stable_hash("phrasing", content), 16) % len(wordings)]
            meta = meta | {"phrasing": {"used": used, "fixed": s.instruction}}
            messages = (Message("user", _asked(used, prompt)), messages[1])
        try:
            orjson.dumps([title, text, meta, *(m.content for m in messages or ())])
        except TypeError:
            raise _Unusable("invalid-bytes", "a lone surrogate or a value that JSON cannot hold") from None
        group = self._optional(row, s.group)
        return self._ctx.record(
            key=self._key(row, content), text=text, start=start, end=end, unit=unit, title=title, messages=messages,
            group=f"{self._ctx.source}:group:{stable_hash(group)}" if group else "",
            language=language_tag(self._optional(row, s.language)), meta=meta,
        )  # fmt: skip

    def _meta(self, row: Any) -> dict[str, Any]:
        found = {name: lookup(row, name) for name in self._settings.meta}
        try:
            return {name: _json(value) for name, value in found.items() if value is not MISSING}
        except TypeError:
            raise _Unusable("invalid-bytes", "a meta field that JSON cannot hold") from None

    def _key(self, row: Any, content: str) -> str:
        s = self._settings
        if s.id:
            native = as_text(lookup(row, s.id))
            if not native:
                raise _Unusable("missing-field", f"field {s.id}")
            key = f"{self._ctx.file.name}#{native}" if s.id_per_file else native
            self._seen[key] += 1
            if self._seen[key] > 1:
                raise _Unusable("duplicate-id", f"field {s.id}")
            return key
        self._seen[content] += 1
        return f"{self._ctx.file.name}#{content}.{self._seen[content] - 1}"

    def _label(self, row: Any, meta: dict[str, Any]) -> str:
        s = self._settings
        code = as_text(lookup(row, s.label))
        if code is None or not code.strip():
            raise _Unusable("missing-field", f"field {s.label}")
        meta["label"] = code
        if not s.labels:
            return code
        if code not in s.labels:
            raise _Unusable("unknown-label", f"field {s.label}")
        return s.labels[code]

    def _required(self, row: Any, path: str) -> str:
        value = as_text(lookup(row, path))
        if value is None:
            raise _Unusable("missing-field", f"field {path}")
        try:
            text = fragment_text(value) if self._settings.html else value
        except TooDeep:
            raise _Unusable("too-deep", f"field {path}") from None
        if not text.strip():
            raise _Unusable("empty-text", f"field {path}")
        return text

    def _optional(self, row: Any, path: str) -> str:
        return (as_text(lookup(row, path)) or "") if path else ""


def language_tag(value: str) -> str:
    """A language as BCP 47 writes it (`en`, `pt-BR`); nothing for what is none: a shifted column holds anything."""
    tag = value.strip()
    return tag if _LANGUAGE.fullmatch(tag) else ""


def _json(value: Any) -> Any:
    """A value as JSON can hold it: dates and the like become text."""
    return orjson.loads(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))
