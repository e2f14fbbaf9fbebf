"""Reads the text layer of PDF files: a document or a page as one record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from corpusforge.ingest.document import DocumentSettings, file_group, file_language, read_bytes
from corpusforge.ingest.files import InputFile
from corpusforge.ingest.reader import ReadContext, Reader, file_stem
from corpusforge.record import Quarantined, Record

MAX_PDF_BYTES = 512 * 1024 * 1024
# PDFium marks a hyphen at the end of a line with U+0002 or U+FFFE: the word goes on in the next line.
_HYPHEN = re.compile("[\x02\ufffe]\n?")


class PdfSettings(DocumentSettings):
    """Settings of `pdf`."""

    per: Literal["document", "page"] = Field(default="document", description="What a record is.")


class Pdf(Reader):
    """PDF files with a text layer (PDFium)."""

    name = "pdf"
    version = 1
    libraries = ("pypdfium2",)
    Settings = PdfSettings

    def read(self, file: InputFile, ctx: ReadContext) -> Iterator[Record | Quarantined]:
        """Offsets are pages; a whole document has the character at which each page starts in `meta.pages`."""
        import pypdfium2

        raw = read_bytes(ctx, max_bytes=MAX_PDF_BYTES)
        if isinstance(raw, Quarantined):
            yield raw
            return
        try:
            document = pypdfium2.PdfDocument(raw)
        except pypdfium2.PdfiumError as error:
            encrypted = "password" in str(error).lower()
            yield ctx.quarantined(0, len(raw), "encrypted" if encrypted else "unreadable", "not opened by PDFium")
            return
        try:
            yield from _records(document, ctx)
        finally:
            document.close()


def _records(document: Any, ctx: ReadContext) -> Iterator[Record | Quarantined]:
    title = (document.get_metadata_dict().get("Title") or "").replace("\0", "").strip() or file_stem(ctx.file.name)
    group, language = file_group(ctx), file_language(ctx)
    pages: list[str] = []
    readable = 0
    for number in range(len(document)):
        text = _page(document, number)
        readable += bool(text)
        pages.append(text or "")
        if text is None:
            yield ctx.quarantined(number, number + 1, "unreadable", "not read by PDFium", "page")
        elif ctx.settings.per == "page":
            if not text:
                yield ctx.quarantined(number, number + 1, "no-text-layer", "", "page")
                continue
            yield ctx.record(
                key=f"{ctx.file.name}#page={number + 1}", text=text, title=title, start=number, end=number + 1,
                unit="page", group=group, language=language,
            )  # fmt: skip
    if ctx.settings.per == "page":
        return
    if not readable:
        yield ctx.quarantined(0, len(pages), "no-text-layer", "scanned, or empty", "page")
        return
    starts, at = [], 0
    for page in pages:
        starts.append(at)
        at += len(page) + 2
    yield ctx.record(
        key=ctx.file.name, text="\n\n".join(pages), title=title, start=0, end=len(pages), unit="page", group=group,
        language=language, meta={"pages": starts},
    )  # fmt: skip


def _page(document: Any, number: int) -> str | None:
    """A page's text, "" without a text layer, None if PDFium cannot read it."""
    import pypdfium2

    try:
        page = document[number]
        text = page.get_textpage()
        try:
            found: str = text.get_text_range()
        finally:
            text.close()
            page.close()
    except pypdfium2.PdfiumError:
        return None
    # Lone surrogates come from broken fonts; no file can hold them.
    clean = found.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _HYPHEN.sub("", clean.replace("\r\n", "\n").replace("\0", "")).strip()
