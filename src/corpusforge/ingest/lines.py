"""Splits a byte stream into lines with offsets and bounded memory, and reports what cannot be a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from corpusforge.ingest.encoding import DETECT, Undecodable, byte_order_mark, decode, detect
from corpusforge.ingest.files import BrokenStream, InputFile
from corpusforge.ingest.reader import MAX_RECORD_BYTES, Stream

_PEEK = 1 << 13
_DRAIN = 1 << 20


@dataclass(frozen=True, slots=True)
class Line:
    """One line at bytes [start, end) of the decompressed file, its ending included; `data` has no ending."""

    start: int
    end: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """Bytes [start, end) that are no readable line, with the quarantine reason; `detail` never quotes them."""

    start: int
    end: int
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TextLine:
    """One decoded line; offsets as in `Line`."""

    start: int
    end: int
    text: str


def split_lines(stream: Stream, *, max_bytes: int = MAX_RECORD_BYTES) -> Iterator[Line | Fault]:
    """The lines of a stream. Memory is bounded by `max_bytes`: a longer line is a `too-long` fault, its neighbours
    survive. A broken stream ends with a `truncated-stream` fault that covers its unfinished line.
    """
    position = 0
    while True:
        start = position
        try:
            data = stream.readline(max_bytes + 1)
            position += len(data)
            if not data:
                return
            if len(data) > max_bytes and not data.endswith(b"\n"):
                del data
                position = _skip_line(stream, position)
                yield Fault(start, position, "too-long", f"a line of more than {max_bytes} bytes")
                continue
        except BrokenStream as error:
            yield Fault(
                start, max(error.decoded, start), "truncated-stream", "compressed data end early or are corrupt"
            )
            return
        yield Line(start, position, data.rstrip(b"\r\n"))


def _skip_line(stream: Stream, position: int) -> int:
    while rest := stream.readline(_DRAIN):
        position += len(rest)
        if rest.endswith(b"\n"):
            break
    return position


def read_lines(file: InputFile, *, max_bytes: int = MAX_RECORD_BYTES) -> Iterator[Line | Fault]:
    """The lines of a file, without a UTF-8 mark. An empty file, a binary one and UTF-16/32 are one fault each."""
    with file.open() as stream:
        try:
            head = stream.peek(_PEEK)[:_PEEK]
        except BrokenStream as error:
            yield Fault(0, error.decoded, "truncated-stream", "compressed data end early or are corrupt")
            return
        mark, skip = byte_order_mark(head)
        if not head:
            yield Fault(0, 0, "empty-file")
        elif mark not in ("", "utf-8"):
            yield Fault(
                0, drain(stream), "wrong-encoding", f"a {mark} byte-order mark in a format of single-byte lines"
            )
        elif b"\0" in head:
            yield Fault(0, drain(stream), "binary", "NUL bytes")
        else:
            for line in split_lines(stream, max_bytes=max_bytes):
                if skip and isinstance(line, Line) and line.start == 0:
                    yield Line(0, line.end, line.data[skip:])
                else:
                    yield line


def read_text_lines(
    file: InputFile, encodings: Sequence[str], *, max_bytes: int = MAX_RECORD_BYTES
) -> Iterator[TextLine | Fault]:
    """The decoded lines of a file; a line with bytes of no declared encoding is an `invalid-bytes` fault."""
    names = tuple(encodings)
    if names == (DETECT,):
        try:
            names = (sniff(file),)
        except (Undecodable, BrokenStream):
            names = ("utf-8",)
    for line in read_lines(file, max_bytes=max_bytes):
        if isinstance(line, Fault):
            yield line
            continue
        try:
            text = decode(line.data, names, reason="invalid-bytes", marked=False).text
        except Undecodable as error:
            yield Fault(line.start, line.end, error.reason, error.detail)
            continue
        yield TextLine(line.start, line.end, text)


def sniff(file: InputFile) -> str:
    """The likely encoding of a file, from its first mebibyte."""
    with file.open() as stream:
        return detect(stream.peek())


def drain(stream: Stream) -> int:
    """Read to the end of a stream, throwing the bytes away; how many there were (up to a break)."""
    total = 0
    try:
        while block := stream.read(_DRAIN):
            total += len(block)
    except BrokenStream as error:
        return error.decoded
    return total
