"""Streams and lines: breaks, long lines, bounded memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tracemalloc

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.ingest.files import BrokenStream, InputFile
from corpusforge.ingest.lines import Fault, Line, split_lines
from corpusforge.ingest.reader import MAX_RECORD_BYTES

CODECS = {
    "gz": lambda data: gzip.compress(data, mtime=0),
    "zst": lambda data: zstandard.ZstdCompressor().compress(data),
    "bz2": bz2.compress,
    "xz": lzma.compress,
}
# Random letters, so that the compressed form is large enough to be cut anywhere.
LETTERS = random.Random(5)
TEXT = b"".join(b"%06d " % i + LETTERS.randbytes(40).hex().encode() + b"\n" for i in range(20_000))


@pytest.mark.parametrize("suffix", sorted(CODECS))
def test_whole_streams_of_several_members_are_read_to_the_end(tmp_path, suffix):
    """Concatenated members (log rotation, parallel compressors) would be read only up to the first end."""
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(CODECS[suffix](TEXT) + CODECS[suffix](b"second\n"))
    with InputFile(str(path), path.name).open() as stream:
        assert stream.read() == TEXT + b"second\n"


@pytest.mark.parametrize("suffix", sorted(CODECS))
def test_a_truncated_stream_gives_the_lines_before_the_break_and_reports_it(tmp_path, suffix):
    """A broken download would pass as a complete, smaller file, or lose all its lines."""
    packed = CODECS[suffix](TEXT)
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(packed[: len(packed) * 3 // 4])
    with InputFile(str(path), path.name).open() as stream:
        items = list(split_lines(stream))
    lines = [item for item in items if isinstance(item, Line)]
    fault = items[-1]
    assert isinstance(fault, Fault)
    assert fault.reason == "truncated-stream"
    assert fault.start == lines[-1].end
    assert b"".join(line.data + b"\n" for line in lines) == TEXT[: lines[-1].end]
    assert len(lines) > 2_000


def test_corrupt_gzip_bytes_keep_what_was_decoded_before_them(tmp_path):
    """gzip and zlib throw away the good bytes that share a call with the bad one."""
    packed = bytearray(CODECS["gz"](TEXT))
    packed[len(packed) // 2 : len(packed) // 2 + 20] = b"\xff" * 20
    path = tmp_path / "x.gz"
    path.write_bytes(packed)
    blocks = []
    with InputFile(str(path), path.name).open() as stream:
        more = iter(lambda: stream.read1(4096), b"")
        with pytest.raises(BrokenStream) as broken:
            blocks.extend(more)
    got = b"".join(blocks)
    assert len(got) == broken.value.decoded > len(TEXT) * 0.4
    # Deflate notices corruption late; everything before the corrupt bytes themselves must be right.
    assert got[: len(TEXT) * 45 // 100] == TEXT[: len(TEXT) * 45 // 100]


@pytest.mark.parametrize("suffix", sorted(CODECS))
def test_a_plain_file_with_a_packed_name_is_a_break_and_not_empty(tmp_path, suffix):
    """An export that was never packed would count as an empty file, and all of it would be lost."""
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(TEXT)
    with InputFile(str(path), path.name).open() as stream, pytest.raises(BrokenStream):
        stream.read()


class _Endless(io.RawIOBase):
    """A file of a short line, a line of `size` bytes without an end, and a short line; never in memory."""

    def __init__(self, size: int) -> None:
        self._parts = [b"first\n", size, b"\nlast\n"]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if not self._parts:
            return 0
        part = self._parts[0]
        if isinstance(part, bytes):
            buffer[: len(part)] = part
            self._parts.pop(0)
            return len(part)
        n = min(len(buffer), part)
        buffer[:n] = b"x" * n
        self._parts[0] = part - n
        if not self._parts[0]:
            self._parts.pop(0)
        return n


def test_a_line_of_100_mb_is_skipped_in_bounded_memory_and_its_neighbours_survive():
    """One runaway line would kill the worker, or take the rest of the file with it."""
    size = 100_000_000
    tracemalloc.start()
    items = list(split_lines(io.BufferedReader(_Endless(size), 1 << 20)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [type(item) for item in items] == [Line, Fault, Line]
    assert (items[1].reason, items[1].start, items[1].end) == ("too-long", 6, 6 + size + 1)
    assert [items[0].data, items[2].data] == [b"first", b"last"]
    assert peak < 2.5 * MAX_RECORD_BYTES


@given(st.lists(st.binary(max_size=30).filter(lambda b: b"\n" not in b and b"\r" not in b)), st.booleans())
@settings(max_examples=100, deadline=None)
def test_lines_tile_the_stream(lines, ended):
    """An offset that is off by one points a reviewer, or a deletion, to the wrong record."""
    data = b"\n".join(lines) + (b"\n" if ended else b"")
    found = list(split_lines(io.BufferedReader(io.BytesIO(data), 16), max_bytes=20))
    assert [f.start for f in found] == [0, *[f.end for f in found]][: len(found)]
    assert (found[-1].end if found else 0) == len(data)
    for item in found:
        piece = data[item.start : item.end].rstrip(b"\n")
        assert (item.data == piece) if isinstance(item, Line) else (len(piece) > 20)
