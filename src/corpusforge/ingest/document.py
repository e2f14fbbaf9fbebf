"""Reads files that are one document each: bounded, strictly decoded, named by their path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from corpusforge.ingest.encoding import DETECT, Encodings, Undecodable, decode
from corpusforge.ingest.files import BrokenStream
from corpusforge.ingest.lines import drain
from corpusforge.ingest.reader import MAX_RECORD_BYTES, ReadContext, ReaderSettings
from corpusforge.record import Quarantined, record_id


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is not a regular expression: {error}.") from None
    return value


def _one_group(value: str) -> str:
    if value and re.compile(_pattern(value)).groups != 1:
        raise ValueError(f"{value!r} needs exactly one (group).")
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]
NamePattern = Annotated[str, AfterValidator(_one_group)]


class DocumentSettings(ReaderSettings):
    """Settings of all formats with one document a file."""

    group_by: NamePattern = Field(
        default="",
        description="Pattern on the file's name; its one group names what stays on one side of the split "
        "(translations, versions). Without it each file is its own group.",
    )
    language_by: NamePattern = Field(
        default="", description="Pattern on the file's name; its one group is the language, such as `_(..)\\.md$`."
    )


class TextDocumentSettings(DocumentSettings):
    """Settings of documents that are plain text in some encoding."""

    encoding: Encodings = ("utf-8",)


@dataclass(frozen=True, slots=True)
class Document:
    """A whole decoded file: its text, encoding, size in bytes, and the bytes of its byte-order mark."""

    text: str
    encoding: str
    size: int
    mark: int

    def meta(self, declared: Sequence[str]) -> dict[str, Any]:
        """The `meta` entry that says which encoding was used, where there was a choice."""
        return {"encoding": self.encoding} if len(declared) > 1 or declared[0] == DETECT else {}


def read_bytes(ctx: ReadContext, *, max_bytes: int = MAX_RECORD_BYTES) -> bytes | Quarantined:
    """A whole file's decompressed bytes; quarantined if empty, broken or longer than `max_bytes`."""
    with ctx.file.open() as stream:
        try:
            raw = stream.read(max_bytes + 1)
        except BrokenStream as error:
            return ctx.quarantined(0, error.decoded, "truncated-stream", "compressed data end early or are corrupt")
        if not raw:
            return ctx.quarantined(0, 0, "empty-file")
        if len(raw) > max_bytes:
            return ctx.quarantined(0, len(raw) + drain(stream), "too-long", f"more than {max_bytes} bytes")
    return raw


def read_document(
    ctx: ReadContext, encodings: Sequence[str], *, max_bytes: int = MAX_RECORD_BYTES
) -> Document | Quarantined:
    """A whole file as text; quarantined if unreadable, not in a declared encoding, or blank."""
    raw = read_bytes(ctx, max_bytes=max_bytes)
    if isinstance(raw, Quarantined):
        return raw
    try:
        decoded = decode(raw, encodings)
    except Undecodable as error:
        return ctx.quarantined(0, len(raw), error.reason, error.detail)
    if not decoded.text.strip():
        return ctx.quarantined(0, len(raw), "empty-file", "only white space")
    return Document(decoded.text, decoded.encoding, len(raw), decoded.mark)


def file_group(ctx: ReadContext) -> str:
    """The group of everything in this file: what `group_by` finds in its name, else the file's own id."""
    pattern = ctx.settings.group_by
    found = re.search(pattern, ctx.file.name) if pattern else None
    return record_id(ctx.source, f"group {found[1]}" if found else ctx.file.name)


def file_language(ctx: ReadContext, declared: str = "") -> str:
    """The language that the file's name or the document itself declares, as its primary subtag; else empty."""
    pattern = ctx.settings.language_by
    found = re.search(pattern, ctx.file.name) if pattern else None
    return re.split(r"[-_]", found[1] if found else declared)[0].lower()
