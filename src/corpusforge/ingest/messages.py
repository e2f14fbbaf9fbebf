"""Reads lists of messages: conversations as nested lists, or one message a row with the conversation's id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from corpusforge.ingest.chat_fields import (
    ChatSettings,
    Role,
    Unusable,
    kept_meta,
    optional,
    read_message,
    required,
    role_of,
)
from corpusforge.ingest.fields import lookup
from corpusforge.ingest.files import InputFile
from corpusforge.ingest.reader import ReadContext, Reader, ReaderSettings, Words
from corpusforge.ingest.rows import Row, RowFormat, read_rows
from corpusforge.record import Message, Quarantined, Record, render, stable_hash


class MessagesSettings(ChatSettings):
    """Settings of `messages`."""

    format: RowFormat = Field(default="jsonl", description="How the file is written.")
    records: Words = Field(default=("*",), description="Paths of the rows in a JSON document; `*` is any key or index.")
    delimiter: Annotated[str, StringConstraints(max_length=1)] = Field(
        default="", description="The character between columns of CSV (a comma by default) and TSV (a tab)."
    )
    conversation: str = Field(
        default="", description="Field of the conversation's id; needed where a row is a message."
    )
    messages: str = Field(
        default="", description="Field of a row that holds its list of messages; without it each row is one message."
    )
    role: str = Field(default="", description="Field that says who speaks.")
    name: str = Field(default="", description="Field of the speaker's name.")
    order: str = Field(default="", description="Field to order messages by (numbers or times); `time` by default.")
    roles: dict[str, Role] = Field(
        default_factory=dict,
        description="What the values of `role` mean: user, assistant, system, or skip for what is no message. "
        "Others are quarantined.",
    )
    default_role: Literal["user", "assistant", "system"] = Field(
        default="user", description="The role of every message where no `role` field is declared."
    )

    @model_validator(mode="after")
    def _identified(self) -> Self:
        if not self.messages and not self.conversation:
            raise ValueError("a row that is one message needs conversation. Name the field of the conversation's id.")
        if self.messages and self.format in ("csv", "tsv"):
            raise ValueError("messages cannot be nested in CSV or TSV. Use conversation.")
        return self


@dataclass(slots=True)
class _Chat:
    """A conversation while its rows are read."""

    first: Any
    messages: list[tuple[str, Message]] = field(default_factory=list)
    lines: list[list[int]] = field(default_factory=list)
    lost: int = 0


class Messages(Reader):
    """Chats as JSON, JSON Lines, CSV or TSV.

    Nested: a row is a conversation; one unusable message puts it into quarantine as a whole, because a chat with a
    hole misleads whoever learns from it. Flat: a row is a message; rows of several conversations may interleave within
    a file (their texts are held in memory until its end), an unusable row is quarantined alone and counted in
    `meta.lost_messages`, and `meta.lines` are the byte ranges of the others. Messages are in the order of `order`, else
    `time`, else the file. The key is the conversation's id, else its content. `meta.handles` are the speakers' names.
    """

    name: ClassVar[str] = "messages"
    version: ClassVar[int] = 1
    Settings: ClassVar[type[ReaderSettings]] = MessagesSettings

    def read(self, file: InputFile, ctx: ReadContext) -> Iterator[Record | Quarantined]:
        """A record for each conversation; quarantined: unreadable rows, missing-field, empty-text, unknown-role,
        no-messages, duplicate-id.
        """
        s: MessagesSettings = ctx.settings
        rows = read_rows(ctx, s.format, encodings=s.encoding, records=s.records, delimiter=s.delimiter)
        yield from _nested(rows, ctx) if s.messages else _flat(rows, ctx)


def _nested(rows: Iterator[Row | Quarantined], ctx: ReadContext) -> Iterator[Record | Quarantined]:
    seen: Counter[str] = Counter()
    for row in rows:
        if isinstance(row, Quarantined):
            yield row
            continue
        try:
            chat = _Chat(row.value)
            found = _list_at(row.value, ctx.settings.messages)
            for part in found:
                _add(chat, part, ctx.settings)
            yield _record(chat, ctx, row.start, row.end, seen)
        except Unusable as error:
            yield ctx.quarantined(row.start, row.end, error.reason, error.detail)


def _flat(rows: Iterator[Row | Quarantined], ctx: ReadContext) -> Iterator[Record | Quarantined]:
    chats: dict[str, _Chat] = {}
    for row in rows:
        if isinstance(row, Quarantined):
            yield row
            continue
        chat: _Chat | None = None
        try:
            conversation = required(row.value, ctx.settings.conversation)
            if not conversation:
                raise Unusable("missing-field", f"field {ctx.settings.conversation}")
            chat = chats.setdefault(conversation, _Chat(row.value))
            _add(chat, row.value, ctx.settings)
        except Unusable as error:
            if chat is not None:
                chat.lost += 1
            yield ctx.quarantined(row.start, row.end, error.reason, error.detail)
            continue
        if chat.lines and chat.lines[-1][1] == row.start:
            chat.lines[-1][1] = row.end
        else:
            chat.lines.append([row.start, row.end])
    seen: Counter[str] = Counter()
    for chat in chats.values():
        if not chat.lines:
            # All its rows are in quarantine already.
            continue
        start, end = chat.lines[0][0], chat.lines[-1][1]
        try:
            yield _record(chat, ctx, start, end, seen)
        except Unusable as error:
            yield ctx.quarantined(start, end, error.reason, error.detail)


def _list_at(row: Any, path: str) -> list[Any]:
    found = lookup(row, path)
    if not isinstance(found, list):
        raise Unusable("missing-field", f"field {path}")
    return found


def _add(chat: _Chat, row: Any, settings: MessagesSettings) -> None:
    role: str = settings.default_role
    if settings.role:
        role = role_of(required(row, settings.role), settings.roles)
    if role == "skip":
        return
    message = read_message(row, settings, role, optional(row, settings.name))
    chat.messages.append((optional(row, settings.order or settings.time), message))


def _record(chat: _Chat, ctx: ReadContext, start: int, end: int, seen: Counter[str]) -> Record:
    s: MessagesSettings = ctx.settings
    messages = tuple(message for _, message in _ordered(chat.messages))
    if not messages:
        raise Unusable("no-messages", f"field {s.messages}" if s.messages else "")
    meta = kept_meta(chat.first, s.meta)
    if handles := sorted({message.name for message in messages if message.name}):
        meta["handles"] = handles
    if not s.messages:
        meta["lines"] = chat.lines
        if chat.lost:
            meta["lost_messages"] = chat.lost
    key = _key(chat.first, messages, ctx, seen)
    group = optional(chat.first, s.group)
    return ctx.record(
        key=key,
        start=start,
        end=end,
        messages=messages,
        group=f"{ctx.source}:group:{stable_hash(group)}" if group else "",
        meta=meta,
    )


def _key(row: Any, messages: tuple[Message, ...], ctx: ReadContext, seen: Counter[str]) -> str:
    s: MessagesSettings = ctx.settings
    if not s.conversation:
        content = stable_hash(render(messages), size=16)
        seen[content] += 1
        return f"{ctx.file.name}#{content}.{seen[content] - 1}"
    native = required(row, s.conversation)
    seen[native] += 1
    if seen[native] > 1:
        raise Unusable("duplicate-id", f"field {s.conversation}")
    return f"{ctx.file.name}#{native}" if s.id_per_file else native


def _ordered(messages: Sequence[tuple[str, Message]]) -> Sequence[tuple[str, Message]]:
    """In the order of their marks: as numbers where all are numbers, else as text (ISO times); equal marks stay put."""
    marks = [mark for mark, _ in messages]
    if not all(marks):
        return messages
    try:
        numbers = [float(mark) for mark in marks]
    except ValueError:
        return sorted(messages, key=lambda pair: pair[0])
    places = sorted(range(len(messages)), key=lambda place: numbers[place])
    return [messages[place] for place in places]
