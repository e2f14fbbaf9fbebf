"""Reads WARC archives: web pages through the HTML extraction, plain text as it is."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from corpusforge.ingest.document import file_language
from corpusforge.ingest.encoding import Undecodable, decode
from corpusforge.ingest.files import BrokenStream, InputFile
from corpusforge.ingest.html import HtmlSettings, declared_encoding, extract
from corpusforge.ingest.html_text import Page
from corpusforge.ingest.lines import drain
from corpusforge.ingest.reader import MAX_RECORD_BYTES, ReadContext, Reader
from corpusforge.record import Quarantined, Record, record_id, stable_hash

# The archive's own bookkeeping; no documents.
_BOOKKEEPING = frozenset(("warcinfo", "request", "metadata", "revisit", "continuation"))
_MAGIC = b"WARC/"
_HTML = ("text/html", "application/xhtml+xml")


class WarcSettings(HtmlSettings):
    """Settings of `warc`: those of `html`, for each page."""

    extract: Literal["structure", "article"] = Field(default="article", description="As in html.")


class Warc(Reader):
    """Web captures (source: ISO 28500), compressed by record, as a whole, or not at all."""

    name = "warc"
    version = 1
    libraries = ("lxml", "trafilatura", "warcio")
    Settings = WarcSettings

    def read(self, file: InputFile, ctx: ReadContext) -> Iterator[Record | Quarantined]:
        """A record for each response, keyed by its URI; offsets are bytes of the decompressed archive."""
        from warcio.archiveiterator import ArchiveIterator
        from warcio.exceptions import ArchiveLoadFailed

        class Quiet(ArchiveIterator):  # type: ignore[misc]
            # warcio would print a line of the page to stderr.
            INC_RECORD = ""

        seen: Counter[str] = Counter()
        end = 0
        with file.open() as stream:
            try:
                head = stream.peek(len(_MAGIC))[: len(_MAGIC)]
                if head != _MAGIC:
                    yield ctx.quarantined(0, drain(stream), "invalid-warc" if head else "empty-file")
                    return
                archive = Quiet(_Tellable(stream))
                for record in archive:
                    uri = record.rec_headers.get_header("WARC-Target-URI") or ""
                    if record.rec_type in _BOOKKEEPING or uri.startswith("metadata:"):
                        end = archive.get_record_offset() + archive.get_record_length()
                        continue
                    raw = record.content_stream().read(MAX_RECORD_BYTES + 1)
                    start = archive.get_record_offset()
                    end = start + archive.get_record_length()
                    if record.raw_stream.limit > 0:
                        yield ctx.quarantined(start, end, "truncated-stream", "the archive ends within this record")
                    else:
                        yield _capture(record, raw, start, end, ctx, seen)
            except BrokenStream as error:
                yield ctx.quarantined(end, max(end, error.decoded), "truncated-stream", "the archive breaks here")
            except (ArchiveLoadFailed, EOFError, ValueError):
                yield ctx.quarantined(end, end, "invalid-warc", "from here to the end of the file")


class _Tellable:
    """A stream as warcio wants it. A read gives what is there, so that a break shows after all bytes before it."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read1(size)
        self._position += len(block)
        return block

    def tell(self) -> int:
        return self._position


def _capture(
    record: Any, raw: bytes, start: int, end: int, ctx: ReadContext, seen: Counter[str]
) -> Record | Quarantined:
    """The record of one capture. Quarantined: http-error, not-text, too-long, no-text, missing-field."""
    uri = record.rec_headers.get_header("WARC-Target-URI") or ""
    if not uri:
        return ctx.quarantined(start, end, "missing-field", "WARC-Target-URI")
    http = record.http_headers
    status = (http.get_statuscode() if http else "200") or ""
    if not status.startswith("2"):
        return ctx.quarantined(start, end, "http-error", f"status {status[:3]}")
    header = (http or record.rec_headers).get_header("Content-Type") or ""
    kind = header.partition(";")[0].strip().lower()
    if kind not in _HTML and kind != "text/plain":
        return ctx.quarantined(start, end, "not-text", kind[:60])
    if len(raw) > MAX_RECORD_BYTES:
        return ctx.quarantined(start, end, "too-long", f"more than {MAX_RECORD_BYTES} bytes")
    try:
        text = decode(raw, ctx.settings.encoding or declared_encoding(raw, header)).text
    except Undecodable as error:
        return ctx.quarantined(start, end, error.reason, error.detail)
    page = extract(text, ctx.settings) if kind in _HTML else Page(text, "", "")
    if not page.text.strip():
        return ctx.quarantined(start, end, "no-text", "a page of navigation alone")
    seen[uri] += 1
    # A page captured twice: its content tells the captures apart, wherever they stand in the archive.
    key = uri if seen[uri] == 1 else f"{uri} {stable_hash(page.text, size=16)}.{seen[uri]}"
    date = record.rec_headers.get_header("WARC-Date") or ""
    return ctx.record(
        key=key, text=page.text, title=page.title, start=start, end=end, group=record_id(ctx.source, uri),
        language=file_language(ctx, page.language), meta={"url": uri, "captured": date},
    )  # fmt: skip
