"""Reads WARC archives: web pages through the HTML extraction, plain text as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from corpusforge.ingest.document import file_language
from corpusforge.ingest.encoding import Undecodable, decode
from corpusforge.ingest.files import BrokenStream, InputFile
from corpusforge.ingest.html import HtmlSettings, declared_encoding, extract
from corpusforge.ingest.html_text import Page, TooDeep
from corpusforge.ingest.lines import Fault, drain
from corpusforge.ingest.reader import MAX_RECORD_BYTES, ReadContext, Reader
from corpusforge.ingest.warc_frames import MAGIC, Frame, HttpMessage, UnknownCoding, frames, http_message
from corpusforge.record import Quarantined, Record, record_id, stable_hash

# The others (warcinfo, request, metadata, revisit, continuation) are the archive's own bookkeeping.
_DOCUMENTS = frozenset(("response", "resource", "conversion"))
_HTML = ("text/html", "application/xhtml+xml")


class WarcSettings(HtmlSettings):
    """Settings of `warc`: those of `html`, for each page."""

    extract: Literal["structure", "article"] = Field(default="article", description="As in html.")


class Warc(Reader):
    """Web captures, compressed by record, as a whole, or not at all."""

    name = "warc"
    version = 1
    libraries = ("lxml", "trafilatura")
    Settings = WarcSettings

    def read(self, file: InputFile, ctx: ReadContext) -> Iterator[Record | Quarantined]:
        """A record for each response, keyed by its URI and time; offsets are bytes of the decompressed archive."""
        seen: Counter[str] = Counter()
        with file.open() as stream:
            try:
                head = stream.peek(len(MAGIC))[: len(MAGIC)]
            except BrokenStream as error:
                yield ctx.quarantined(0, error.decoded, "truncated-stream", "the archive breaks here")
                return
            if head != MAGIC:
                yield ctx.quarantined(0, drain(stream), "invalid-warc" if head else "empty-file")
                return
            for frame in frames(stream):
                if isinstance(frame, Fault):
                    yield ctx.quarantined(frame.start, frame.end, frame.reason, frame.detail)
                elif frame.headers.get("warc-type") in _DOCUMENTS and not _uri(frame).startswith("metadata:"):
                    yield _capture(frame, ctx, seen)


def _uri(frame: Frame) -> str:
    # Early writers put the URI between angle brackets.
    return frame.headers.get("warc-target-uri", "").strip("<>")


def _capture(frame: Frame, ctx: ReadContext, seen: Counter[str]) -> Record | Quarantined:
    """The record of one capture. Quarantined: missing-field, http-error, not-text, too-long, too-deep, no-text."""

    def bad(reason: str, detail: str = "") -> Quarantined:
        return ctx.quarantined(frame.start, frame.end, reason, detail)

    uri = _uri(frame)
    if not uri:
        return bad("missing-field", "WARC-Target-URI")
    message = HttpMessage("200", frame.headers, frame.block)
    if frame.headers.get("content-type", "").startswith("application/http"):
        try:
            message = http_message(frame.block)
        except UnknownCoding:
            return bad("unreadable", "a content coding that is not read")
    if not message.status.startswith("2"):
        return bad("http-error", f"status {message.status[:3]}")
    header = message.headers.get("content-type", "")
    kind = header.partition(";")[0].strip().lower()
    if kind not in _HTML and kind != "text/plain":
        return bad("not-text", kind[:60])
    if len(message.body) > MAX_RECORD_BYTES:
        return bad("too-long", f"more than {MAX_RECORD_BYTES} bytes")
    try:
        text = decode(message.body, ctx.settings.encoding or declared_encoding(message.body, header)).text
        page = extract(text, ctx.settings) if kind in _HTML else Page(text, "", "")
    except Undecodable as error:
        return bad(error.reason, error.detail)
    except TooDeep as error:
        return bad("too-deep", str(error))
    if not page.text.strip():
        return bad("no-text", "a page of navigation alone")
    # URI and time name a capture, as in the indexes of web archives: crawls of two days hold the same pages.
    key = f"{uri} {frame.headers.get('warc-date', '')}".rstrip()
    seen[key] += 1
    if seen[key] > 1:
        key = f"{key} {stable_hash(page.text, size=16)}.{seen[key]}"
    return ctx.record(
        key=key, text=page.text, title=page.title, start=frame.start, end=frame.end,
        group=record_id(ctx.source, uri), language=file_language(ctx, page.language),
        meta={"url": uri, "captured": frame.headers.get("warc-date", "")},
    )  # fmt: skip
