"""Reads event logs of dialogue systems: what people say is picked out of everything that happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field

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
from corpusforge.ingest.fields import as_text, lookup
from corpusforge.ingest.files import InputFile
from corpusforge.ingest.reader import ReadContext, Reader, ReaderSettings, Words
from corpusforge.ingest.rows import Row, read_rows
from corpusforge.record import Dropped, Message, Quarantined, Record, render, stable_hash


def _user_and_bot() -> dict[str, Role]:
    return {"user": "user", "bot": "assistant"}


class EventsSettings(ChatSettings):
    """Settings of `events`."""

    format: Literal["json", "jsonl"] = Field(default="json", description="How the file is written.")
    records: Words = Field(
        default=("",), description="Paths of the logs in a JSON document; empty where a file is one log."
    )
    events: str = Field(default="events", description="Field of a log that holds its list of events.")
    agent: str = Field(default="agent", description="Field of an event that says who acts.")
    roles: dict[str, Role] = Field(
        default_factory=_user_and_bot,
        description="What the agents are; an agent that is not named here does not speak.",
    )
    action: str = Field(default="", description="Field of an event that says what happens.")
    actions: Words = Field(default=(), description="The actions by which something is said; all others are left aside.")
    id: str = Field(default="", description="Field of the log's id; without it, the file's name or the content.")
    require: dict[str, Words] = Field(
        default_factory=dict, description="Fields of a log and the values with which it is kept; others are dropped."
    )


class Events(Reader):
    """Event logs such as those of STAR or Rasa, one conversation each.

    Events by agents without a role, by other actions, or without text are no messages. Messages stay in the order of
    the log. A log that misses a `require` is `Dropped` with the reason `require:<field>`, even one without messages.
    The key is the log's id; without a declared one the file's name where a file is one log, else the content.
    """

    name: ClassVar[str] = "events"
    version: ClassVar[int] = 1
    Settings: ClassVar[type[ReaderSettings]] = EventsSettings

    def read(self, file: InputFile, ctx: ReadContext) -> Iterator[Record | Dropped | Quarantined]:
        """A record for each log; quarantined: unreadable logs, missing-field, no-messages, duplicate-id."""
        s: EventsSettings = ctx.settings
        seen: Counter[str] = Counter()
        for row in read_rows(ctx, s.format, encodings=s.encoding, records=s.records):
            if isinstance(row, Quarantined):
                yield row
                continue
            try:
                record = _record(row, ctx, seen)
                missed = next((path for path, kept in s.require.items() if _word(row.value, path) not in kept), "")
                if missed:
                    yield Dropped(record, f"require:{missed}")
                elif record.messages:
                    yield record
                else:
                    raise Unusable("no-messages", f"field {s.events}")
            except Unusable as error:
                yield ctx.quarantined(row.start, row.end, error.reason, error.detail)


def _word(row: Any, path: str) -> str | None:
    return as_text(lookup(row, path))


def _record(row: Row, ctx: ReadContext, seen: Counter[str]) -> Record:
    s: EventsSettings = ctx.settings
    events = lookup(row.value, s.events)
    if not isinstance(events, list):
        raise Unusable("missing-field", f"field {s.events}")
    messages = tuple(_messages(events, s))
    key = _key(row.value, messages, ctx)
    seen[key] += 1
    if not s.id:
        key = f"{key}.{seen[key] - 1}"
    elif seen[key] > 1:
        raise Unusable("duplicate-id", f"field {s.id}")
    group = optional(row.value, s.group)
    return ctx.record(
        key=key,
        start=row.start,
        end=row.end,
        messages=messages,
        group=f"{ctx.source}:group:{stable_hash(group)}" if group else "",
        meta=kept_meta(row.value, s.meta),
    )


def _key(log: Any, messages: tuple[Message, ...], ctx: ReadContext) -> str:
    s: EventsSettings = ctx.settings
    if s.id:
        native = required(log, s.id)
        return f"{ctx.file.name}#{native}" if s.id_per_file else native
    if s.format == "json" and s.records == ("",):
        return ctx.file.name
    return f"{ctx.file.name}#{stable_hash(render(messages), size=16)}"


def _messages(events: list[Any], settings: EventsSettings) -> Iterator[Message]:
    for event in events:
        agent = optional(event, settings.agent)
        if agent not in settings.roles:
            continue
        if settings.actions and optional(event, settings.action) not in settings.actions:
            continue
        role = role_of(agent, settings.roles)
        if role != "skip" and optional(event, settings.text).strip():
            yield read_message(event, settings, role)
