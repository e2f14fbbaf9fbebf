"""Opens raw files wherever fsspec reaches, decompresses them, and says where a stream broke."""

from __future__ import annotations

import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import IO, Any, cast

import fsspec

BLOCK = 1 << 18
CHUNK = 1 << 20
# In place of the sha256 of a link that leads nowhere, and the reason by which it is quarantined.
LINK_TO_NOTHING = "link-to-nothing"


@dataclass(frozen=True, slots=True)
class InputFile:
    """One raw file: `url` to open it, `name` relative to its source's root (what origins show), sha256, bytes."""

    url: str
    name: str
    sha256: str = ""
    size: int = 0

    def open_raw(self) -> IO[bytes]:
        """The file's bytes as they lie on disk."""
        return cast("IO[bytes]", fsspec.open(self.url, "rb").open())

    def open(self) -> io.BufferedReader:
        """The file's bytes, decompressed by suffix (.gz, .zst, .bz2, .xz).

        A truncated or corrupt stream raises `BrokenStream` when the break is reached, after all bytes before it.
        Formats without block checksums notice corruption late: the last bytes before a break may be wrong.
        """
        raw = self.open_raw()
        return io.BufferedReader(_Chunks(_decompressed(raw, self.name), raw), CHUNK)

    def sibling(self, name: str) -> InputFile:
        """Another file of the same folder."""
        folder, slash, _ = self.name.rpartition("/")
        return replace(self, url=f"{self.url.rpartition('/')[0]}/{name}", name=folder + slash + name, sha256="", size=0)


class BrokenStream(OSError):
    """Compressed bytes that end early or do not decode; `decoded` bytes came out before the break."""

    def __init__(self, decoded: int) -> None:
        super().__init__(f"the compressed stream breaks after {decoded} decoded bytes")
        self.decoded = decoded


def _decompressed(raw: IO[bytes], name: str) -> Iterator[bytes]:
    if name.endswith(".gz"):
        return _gzip(raw)
    if name.endswith(".zst"):
        import zstandard

        # Without a limit on the output, the input is fed in small pieces: 2 KiB of zstd give 64 MiB at worst.
        return _members(raw, lambda: zstandard.ZstdDecompressor().decompressobj(), (zstandard.ZstdError,), 1 << 11)
    if name.endswith(".bz2"):
        import bz2

        return _members(raw, bz2.BZ2Decompressor, (OSError, ValueError), 1 << 13)
    if name.endswith(".xz"):
        return _members(raw, lzma.LZMADecompressor, (lzma.LZMAError,), 1 << 11)
    return iter(lambda: raw.read(CHUNK), b"")


def _gzip(raw: IO[bytes]) -> Iterator[bytes]:
    # zlib rather than gzip.open: gzip.open discards the bytes before a break that share its last read.
    decoded = 0
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 16)
    started = False
    while data := raw.read(BLOCK):
        while data:
            before = decoder.copy()
            try:
                out = decoder.decompress(data, CHUNK)
            except zlib.error as error:
                # A failed call gives nothing, so the good bytes of the block come out one input byte at a time.
                rest = _until_error(before, data)
                decoded += len(rest)
                if rest:
                    yield rest
                raise BrokenStream(decoded) from error
            started = True
            decoded += len(out)
            if out:
                yield out
            data = decoder.unconsumed_tail
            if decoder.eof:
                data = decoder.unused_data.lstrip(b"\0")
                decoder = zlib.decompressobj(zlib.MAX_WBITS | 16)
                started = False
    if started:
        rest = decoder.flush()
        if rest:
            yield rest
        if not decoder.eof:
            raise BrokenStream(decoded + len(rest))


def _until_error(decoder: Any, data: bytes) -> bytes:
    good = bytearray()
    for i in range(len(data)):
        try:
            good += decoder.decompress(data[i : i + 1])
        except zlib.error:
            break
        if len(good) > CHUNK:
            # The failed call would have given no more than this.
            break
    return bytes(good)


def _members(raw: IO[bytes], new: Callable[[], Any], errors: tuple[type[Exception], ...], step: int) -> Iterator[bytes]:
    """Concatenated frames of a format whose decoder has `eof` and `unused_data`; a frame without its end is a break."""
    decoded = 0
    decoder = new()
    started = False
    while block := raw.read(BLOCK):
        for at in range(0, len(block), step):
            data = block[at : at + step]
            while data:
                try:
                    out = decoder.decompress(data)
                except errors as error:
                    raise BrokenStream(decoded) from error
                started = True
                decoded += len(out)
                if out:
                    yield out
                data = b""
                if decoder.eof:
                    data = decoder.unused_data
                    decoder = new()
                    started = False
    if started:
        raise BrokenStream(decoded)


class _Chunks(io.RawIOBase):
    """A raw stream over an iterator of byte chunks, none of them empty: an empty one would read as the end."""

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
