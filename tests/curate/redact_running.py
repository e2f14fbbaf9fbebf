"""Runs the redaction stage on records made in a test."""

from __future__ import annotations

from typing import Any

from corpusforge.curate.redact import Redact
from corpusforge.record import Dropped, Message, Origin, Quarantined, Record
from corpusforge.stage import SourceFacts, StageContext

SOURCES = {
    "desk": SourceFacts("desk", "chat", "domain", personal_data=("person", "email")),
    "books": SourceFacts("books", "public", "public"),
}


def record(text: str = "", *, source: str = "desk", kind: Any = "article", **fields: Any) -> Record:
    return Record(id="desk:1", source=source, kind=kind, text=text, origin=Origin("a.txt", 0, 1), **fields)


def chat(*turns: tuple[str, str, str], **fields: Any) -> Record:
    """Turns of (role, name, content)."""
    return record(kind="chat", **fields).with_messages(Message(role, content, name) for role, name, content in turns)


def run(one: Record, **settings: Any) -> tuple[Record | Dropped | Quarantined, dict[str, int]]:
    ctx = StageContext(settings=Redact.Settings(**settings), seed=1, sources=SOURCES)
    (item,) = Redact().apply([one], ctx)
    return item, ctx.counts.get(one.source, {})


def redacted(one: Record, **settings: Any) -> Record:
    item, _ = run(one, **settings)
    assert isinstance(item, Record)
    return item
