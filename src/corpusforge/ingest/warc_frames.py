"""Cuts a WARC stream into its records (ISO 28500) and an HTTP message into status, headers and body (RFC 9112)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from corpusforge.ingest.files import BrokenStream
from corpusforge.ingest.lines import Fault
from corpusforge.ingest.reader import MAX_RECORD_BYTES, Stream

MAGIC = b"WARC/"
_LINE = 1 << 16
_MAX_HEADERS = 1_000


@dataclass(frozen=True, slots=True)
class Frame:
    """One WARC record at bytes [start, end): its headers by lower-case name, and its block."""

    start: int
    end: int
    headers: Mapping[str, str]
    block: bytes


@dataclass(frozen=True, slots=True)
class HttpMessage:
    """A response: status code (empty if there is none), headers by lower-case name, decoded body."""

    status: str
    headers: Mapping[str, str]
    body: bytes


class UnknownCoding(ValueError):
    """A body in a content coding that is not read, or that does not decode."""


def frames(stream: Stream) -> Iterator[Frame | Fault]:
    """The records of an archive. A damaged header costs its record alone: reading goes on at the next `WARC/` line.

    Faults: invalid-warc, too-long, truncated-stream.
    """
    start = position = 0
    line = b""
    try:
        while line or (line := stream.readline(_LINE)):
            start, position = position, position + len(line)
            if not line.strip():
                line = b""
                continue
            headers, read, line = _headers(stream, line)
            position += read
            length = headers.get("content-length", "")
            if not length.isascii() or not length.isdigit():
                while not line.startswith(MAGIC) and (line := stream.readline(_LINE)):
                    position += 0 if line.startswith(MAGIC) else len(line)
                yield Fault(start, position, "invalid-warc", "a damaged record header")
                continue
            size = int(length)
            block = stream.read(min(size, MAX_RECORD_BYTES + 1))
            got = len(block)
            while MAX_RECORD_BYTES < got < size and (more := stream.read(min(_LINE, size - got))):
                got += len(more)
            position += got
            if got < size:
                yield Fault(start, position, "truncated-stream", "the archive ends within this record")
            elif size > MAX_RECORD_BYTES:
                yield Fault(start, position, "too-long", f"more than {MAX_RECORD_BYTES} bytes")
            else:
                yield Frame(start, position, headers, block)
    except BrokenStream as error:
        yield Fault(start, max(start, error.decoded), "truncated-stream", "the archive breaks here")


def _headers(stream: Stream, first: bytes) -> tuple[dict[str, str], int, bytes]:
    """A record's headers, the bytes read for them, and a line that belongs to the next record, if one was met."""
    headers: dict[str, str] = {}
    read = 0
    if not first.startswith(MAGIC):
        return headers, read, b""
    for _ in range(_MAX_HEADERS):
        line = stream.readline(_LINE)
        if line.startswith(MAGIC):
            return {}, read, line
        read += len(line)
        if not line.strip():
            return headers, read, b""
        name, _, value = line.decode("utf-8", "replace").partition(":")
        headers[name.strip().lower()] = value.strip()
    return {}, read, b""


def http_message(block: bytes) -> HttpMessage:
    """A response with its transfer and content codings undone. Raises UnknownCoding."""
    head, _, body = block.partition(b"\r\n\r\n" if b"\r\n\r\n" in block else b"\n\n")
    first, *rest = head.decode("latin-1").splitlines() or [""]
    status = first.split(" ")[1] if first.startswith("HTTP/") and " " in first else ""
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = _joined(body)
    for coding in reversed(headers.get("content-encoding", "").lower().replace(" ", "").split(",")):
        body = _decoded(body, coding)
    return HttpMessage(status, headers, body)


def _joined(body: bytes) -> bytes:
    """A chunked body in one piece; as it is, if the archive has joined the chunks already."""
    parts: list[bytes] = []
    at = 0
    while (end := body.find(b"\r\n", at)) >= 0:
        try:
            size = int(body[at:end].split(b";")[0], 16)
        except ValueError:
            break
        if size <= 0:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
    return b"".join(parts) or body


def _decoded(body: bytes, coding: str) -> bytes:
    if coding in ("", "identity") or (coding in ("gzip", "x-gzip") and not body.startswith(b"\x1f\x8b")):
        # Archives often keep the header after they have unpacked the body.
        return body
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise UnknownCoding(coding)
    for window in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):
        try:
            return zlib.decompressobj(window).decompress(body, MAX_RECORD_BYTES + 1)
        except zlib.error:
            continue
    raise UnknownCoding(coding)
