"""Opens raw files wherever fsspec reaches, decompresses them, and says where a stream broke."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, cast

import fsspec


@dataclass(frozen=True, slots=True)
class InputFile:
    """One raw file: `url` to open it, `name` relative to its source's root (what origins show), sha256, size in bytes."""

    url: str
    name: str
    sha256: str = ""
    bytes: int = 0

    def open_raw(self) -> IO[bytes]:
        """The file's bytes as they lie on disk."""
        return cast("IO[bytes]", fsspec.open(self.url, "rb").open())

    def open(self) -> IO[bytes]:
        """The file's bytes, decompressed by suffix (.gz, .zst, .bz2, .xz).

        A truncated or corrupt stream raises `BrokenStream` when the break is reached, after all bytes before it.
        """
        raw = self.open_raw()
        chunks = _decompressed(raw, self.name)
        return raw if chunks is None else cast("IO[bytes]", io.BufferedReader(_Chunks(chunks, raw), 1 << 20))


class BrokenStream(OSError):
    """Compressed bytes that end early or do not decode; `decoded` bytes came out before the break."""

    def __init__(self, decoded: int) -> None:
        super().__init__(f"the compressed stream breaks after {decoded} decoded bytes")
        self.decoded = decoded


def _decompressed(raw: IO[bytes], name: str) -> Iterator[bytes] | None:
    if name.endswith(".gz"):
        return _gzip(raw)
    if name.endswith(".zst"):
        return _library(raw, "zst")
    if name.endswith(".bz2"):
        return _library(raw, "bz2")
    if name.endswith(".xz"):
        return _library(raw, "xz")
    return None


def _gzip(raw: IO[bytes]) -> Iterator[bytes]:
    # zlib rather than gzip.open: gzip.open discards the bytes before a break that share its last read.
    decoded = 0
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 16)
    started = False
    while block := raw.read(1 << 18):
        data = block
        while data:
            try:
                out = decoder.decompress(data)
            except zlib.error as error:
                raise BrokenStream(decoded) from error
            started = True
            decoded += len(out)
            if out:
                yield out
            data = b""
            if decoder.eof:
                data = decoder.unused_data.lstrip(b"\0")
                decoder = zlib.decompressobj(zlib.MAX_WBITS | 16)
                started = False
    if started:
        raise BrokenStream(decoded)


def _library(raw: IO[bytes], kind: str) -> Iterator[bytes]:
    import bz2
    import lzma

    import zstandard

    decoded = 0
    reader: IO[bytes]
    if kind == "zst":
        reader = cast("IO[bytes]", zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True))
    elif kind == "bz2":
        reader = cast("IO[bytes]", bz2.BZ2File(raw))
    else:
        reader = cast("IO[bytes]", lzma.LZMAFile(raw))
    while True:
        try:
            block = reader.read(1 << 16)
        except (EOFError, OSError, lzma.LZMAError, zstandard.ZstdError) as error:
            raise BrokenStream(decoded) from error
        if not block:
            return
        decoded += len(block)
        yield block


class _Chunks(io.RawIOBase):
    """A raw stream over an iterator of byte chunks."""

    def __init__(self, chunks: Iterator[bytes], owner: IO[bytes]) -> None:
        self._chunks = chunks
        self._owner = owner
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        n = min(len(buffer), len(self._rest))
        buffer[:n] = self._rest[:n]
        self._rest = self._rest[n:]
        return n

    def close(self) -> None:
        self._owner.close()
        super().close()
