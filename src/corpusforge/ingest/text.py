"""Reads plain text: a file as one record, or split at lines, paragraphs or a pattern."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, model_validator

from corpusforge.ingest.document import (
    Document,
    Pattern,
    TextDocumentSettings,
    file_group,
    file_language,
    read_document,
)
from corpusforge.ingest.files import InputFile
from corpusforge.ingest.lines import Fault, read_text_lines
from corpusforge.ingest.reader import ReadContext, Reader, file_stem
from corpusforge.record import Quarantined, Record, stable_hash

_PARAGRAPH = r"\n[ \t\r]*\n\s*"


class TextSettings(TextDocumentSettings):
    """Settings of `text`."""

    split: Literal["file", "line", "paragraph", "pattern"] = Field(
        default="file", description="What a record is. Lines are separate documents; other pieces stay in one group."
    )
    pattern: Pattern = Field(
        default="", description="With split: pattern, a regular expression (multi-line) for where pieces begin."
    )

    @model_validator(mode="after")
    def _pattern_if_wanted(self) -> Self:
        if (self.split == "pattern") != bool(self.pattern):
            raise ValueError("split: pattern and pattern go together. Write both or neither.")
        return self


class Text(Reader):
    """Plain text."""

    name = "text"
    version = 1
    libraries = ("charset-normalizer",)
    Settings = TextSettings

    def read(self, file: InputFile, ctx: ReadContext) -> Iterator[Record | Quarantined]:
        """The file's records; offsets are bytes. A file is keyed by its path, a piece by its content in the file."""
        if ctx.settings.split == "line":
            yield from _lines(ctx)
            return
        document = read_document(ctx, ctx.settings.encoding)
        if isinstance(document, Quarantined):
            yield document
            return
        meta, group, language = document.meta(ctx.settings.encoding), file_group(ctx), file_language(ctx)
        if ctx.settings.split == "file":
            yield ctx.record(
                key=file.name, text=document.text, start=0, end=document.size, title=file_stem(file.name), group=group,
                language=language, meta=meta,
            )  # fmt: skip
            return
        seen: Counter[str] = Counter()
        for start, end, piece in _pieces(document, ctx.settings):
            yield ctx.record(
                key=_key(file.name, piece, seen), text=piece, start=start, end=end, group=group, language=language,
                meta=dict(meta),
            )  # fmt: skip


def _lines(ctx: ReadContext) -> Iterator[Record | Quarantined]:
    seen: Counter[str] = Counter()
    language = file_language(ctx)
    group = file_group(ctx) if ctx.settings.group_by else ""
    for line in read_text_lines(ctx.file, ctx.settings.encoding):
        if isinstance(line, Fault):
            yield ctx.quarantined(line.start, line.end, line.reason, line.detail)
        elif not line.text.strip():
            yield ctx.quarantined(line.start, line.end, "empty-line")
        else:
            key = _key(ctx.file.name, line.text, seen)
            yield ctx.record(key=key, text=line.text, start=line.start, end=line.end, group=group, language=language)


def _key(name: str, piece: str, seen: Counter[str]) -> str:
    content = stable_hash(piece, size=16)
    seen[content] += 1
    return f"{name}#{content}.{seen[content] - 1}"


def _pieces(document: Document, settings: TextSettings) -> Iterator[tuple[int, int, str]]:
    """Pieces that are not blank, with their bytes [start, end)."""
    text = document.text
    if settings.split == "paragraph":
        cuts = [found.end() for found in re.finditer(_PARAGRAPH, text)]
    else:
        cuts = [found.start() for found in re.finditer(settings.pattern, text, re.MULTILINE)]
    at, offset = 0, document.mark
    for cut in [*sorted({c for c in cuts if 0 < c < len(text)}), len(text)]:
        piece = text[at:cut]
        end = offset + len(piece.encode(document.encoding))
        if piece.strip():
            yield offset, end, piece.strip()
        at, offset = cut, end
