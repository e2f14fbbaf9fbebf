"""The part of a chat format's settings that says which field of a message is what, and reads messages by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import orjson
from pydantic import Field

from corpusforge.ingest.encoding import Encodings
from corpusforge.ingest.fields import MISSING, as_text, lookup
from corpusforge.ingest.reader import ReaderSettings
from corpusforge.record import Message

Role = Literal["user", "assistant", "system", "skip"]


class ChatSettings(ReaderSettings):
    """Settings of all chat formats. A field is a path: `text`, `author.name`, `0` for the first of a list."""

    text: str = Field(default="text", description="Field of a message's text.")
    time: str = Field(default="", description="Field of a message's time.")
    meta: tuple[str, ...] = Field(default=(), description="Fields of the conversation to keep with the record.")
    group: str = Field(default="", description="Field that names what stays on one side of the split.")
    id_per_file: bool = Field(default=False, description="Whether conversation ids are unique within their file only.")
    encoding: Encodings = Field(default=("utf-8",))


class Unusable(Exception):
    """A message or conversation that cannot be read: the quarantine `reason`, and a `detail` that quotes nothing."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def required(row: Any, path: str) -> str:
    """A field that a row must have, as text; raises Unusable `missing-field`."""
    value = as_text(lookup(row, path))
    if value is None:
        raise Unusable("missing-field", f"field {path}")
    return value


def optional(row: Any, path: str) -> str:
    """A field as text, or nothing."""
    return (as_text(lookup(row, path)) or "") if path else ""


def read_message(row: Any, settings: ChatSettings, role: str, name: str = "") -> Message:
    """One message; raises Unusable: missing-field, empty-text, invalid-bytes (a lone surrogate)."""
    text = required(row, settings.text)
    if not text.strip():
        raise Unusable("empty-text", f"field {settings.text}")
    message = Message(role, text, name, optional(row, settings.time))
    try:
        orjson.dumps([message.content, message.name, message.time])
    except TypeError:
        raise Unusable("invalid-bytes", "a lone surrogate") from None
    return message


def kept_meta(row: Any, paths: tuple[str, ...]) -> dict[str, Any]:
    """The declared `meta` fields of a conversation that are there; raises Unusable where JSON cannot hold one."""
    found = {path: value for path in paths if (value := lookup(row, path)) is not MISSING}
    try:
        orjson.dumps(found)
    except TypeError:
        raise Unusable("invalid-bytes", "a meta field that JSON cannot hold") from None
    return found


def role_of(native: str, roles: Mapping[str, Role]) -> Role:
    """What a format's own word for a speaker means. Without a declared mapping, user, assistant and system are known.

    Raises Unusable `unknown-role`.
    """
    if native in roles:
        return roles[native]
    if not roles and native in ("user", "assistant", "system"):
        return native  # type: ignore[return-value]
    raise Unusable("unknown-role", "not among the declared roles")
