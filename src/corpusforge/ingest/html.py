"""Reads HTML pages: one record a page, navigation stripped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from corpusforge.ingest.document import DocumentSettings, file_group, file_language, read_bytes
from corpusforge.ingest.encoding import Encodings, Undecodable, decode
from corpusforge.ingest.files import InputFile
from corpusforge.ingest.html_text import Page, TooDeep, article_text, main_text
from corpusforge.ingest.reader import ReadContext, Reader
from corpusforge.ingest.xpaths import checked_xpaths
from corpusforge.record import Quarantined, Record

_CHARSET = re.compile(rb"""<(?:meta|\?xml)[^>]+?(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.I)
_HEAD_BYTES = 4096


class HtmlSettings(DocumentSettings):
    """Settings of `html`."""

    extract: Literal["structure", "article"] = Field(
        default="structure",
        description="structure: all but navigation, with headings, tables and code (documentation, help centres). "
        "article: the main article by statistics (unknown web sites; trafilatura).",
    )
    drop: Annotated[tuple[str, ...], AfterValidator(checked_xpaths)] = Field(
        default=(), description="XPaths of further elements to leave out, such as //div[@id='ads']."
    )
    encoding: Encodings | None = Field(default=None, description="Instead of what the page declares (else UTF-8).")


class Html(Reader):
    """One page a file."""

    name = "html"
    version = 1
    libraries = ("lxml", "trafilatura")
    Settings = HtmlSettings

    def read(self, file: InputFile, ctx: ReadContext) -> Iterator[Record | Quarantined]:
        """The page's record, keyed by its path; offsets are the whole file."""
        raw = read_bytes(ctx)
        if isinstance(raw, Quarantined):
            yield raw
            return
        try:
            text = decode(raw, ctx.settings.encoding or declared_encoding(raw)).text
        except Undecodable as error:
            yield ctx.quarantined(0, len(raw), error.reason, error.detail)
            return
        try:
            page = extract(text, ctx.settings)
        except TooDeep as error:
            yield ctx.quarantined(0, len(raw), "too-deep", str(error))
            return
        if not page.text.strip():
            yield ctx.quarantined(0, len(raw), "no-text", "a page of navigation alone")
            return
        yield ctx.record(
            key=file.name, text=page.text, title=page.title, start=0, end=len(raw), group=file_group(ctx),
            language=file_language(ctx, page.language),
        )  # fmt: skip


def extract(html: str, settings: HtmlSettings) -> Page:
    """The page's text by the declared method. Raises TooDeep."""
    return article_text(html) if settings.extract == "article" else main_text(html, drop=settings.drop)


def declared_encoding(raw: bytes, header: str = "") -> tuple[str, ...]:
    """The encoding declared by an HTTP `header`, else by the page's head, else UTF-8. Unknown names do not count."""
    found = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", header, re.I)
    inside = _CHARSET.search(raw[:_HEAD_BYTES])
    for name in (found[1] if found else "", inside[1].decode() if inside else ""):
        try:
            "".encode(name)
        except LookupError:
            continue
        # The web's latin-1 is windows-1252 (source: WHATWG Encoding Standard).
        return (
            ("cp1252", "latin-1")
            if name.lower() in ("iso-8859-1", "latin-1", "latin1", "ascii", "us-ascii")
            else (name,)
        )
    return ("utf-8",)
