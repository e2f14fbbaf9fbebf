"""Cuts a batch of texts at white space over its bytes, with a 64-bit mark for each chunk between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.compiled import Number, compiled

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

# The first bytes of foreign white space.
_LEADS = np.zeros(256, np.bool_)
_LEADS[[0xC2, 0xE1, 0xE2, 0xE3]] = True
_LEAD_OF_THREE = 0xE0
# White space beyond ASCII by `str.isspace`, as the numbers that its UTF-8 bytes make, the first byte highest.
_FOREIGN = np.array(
    sorted(
        int.from_bytes(chr(code).encode(), "big")
        for code in (0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
    ),
    np.int64,
)
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF, _ODD_HALF = np.uint64(32), np.uint64(29)
_ONE, _TOP, _LAST, _SHIFT = np.uint64(1), np.uint64(56), np.uint64(63), np.uint64(58)
# Brings bytes of 0 or 1 together as the bits of the highest one.
_GATHER = np.uint64(0x0102040810204080)
# All runs of six of its bits differ, so that each tells by how much the number was shifted.
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_PLACES = np.zeros(64, np.int64)
_PLACES[[(0x03F79D71B4CB0A89 << place & 0xFFFFFFFFFFFFFFFF) >> 58 for place in range(64)]] = np.arange(64)
_ONES, _TOPS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_PAD = bytes(8)


class Chunks:
    """The chunks of some texts: runs of characters that are no white space.

    `raw` holds the texts as UTF-8, each with a newline before it and one after the last; `bytes` the same with
    ASCII spaces for all foreign ones, byte for byte in place; `at` is where each text begins (one more than texts).
    `starts` and `ends` are the chunks' byte offsets, `breaks` those of all newlines, the ones around texts too,
    `bounds` the numbers of the texts' first chunks (one more than texts), `marks` 64-bit hashes that tell chunks
    apart (two are taken for one with a chance of 2^-64).
    """

    def __init__(self, texts: Sequence[str]) -> None:
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        sizes = np.fromiter(map(len, encoded), np.int64, len(encoded))
        self.at: Ints = np.ones(len(encoded) + 1, np.int64)
        np.cumsum(sizes + 1, out=self.at[1:])
        self.at[1:] += 1
        self.raw = b"\n".join((b"", *encoded, _PAD))
        self.raw_bytes: Bytes = np.frombuffer(self.raw, np.uint8)
        self.bytes: Bytes = self.raw_bytes
        if not self.raw.isascii():
            self.bytes = self.raw_bytes.copy()
            _make_spaces_plain(self.bytes, eights(self.raw_bytes), _LEADS, _FOREIGN)
            self.bytes.flags.writeable = False
        self.starts, self.ends, self.breaks = _cut(self.bytes, int(self.at[-1]))
        self.bounds: Ints = np.searchsorted(self.starts, self.at)
        self.marks: Hashes = marked(self.bytes, self.starts, self.ends)

    def joined(self, numbers: Ints) -> str:
        """Some chunks, at least one, as one string, with a newline before each and one after the last."""
        found: Bytes = _joined(self.bytes, self.starts, self.ends, numbers)
        return found.tobytes().decode("utf-8", "surrogatepass")


def padded(*pieces: bytes) -> Bytes:
    """The pieces one after the other, with room for `eights` of their last bytes."""
    return np.frombuffer(b"".join((*pieces, _PAD)), np.uint8)


def marked(data: Bytes, starts: Ints, ends: Ints) -> Hashes:
    """64-bit hashes of what stands in some places of bytes, which do not reach into the last 8."""
    marks: Hashes = _marked(eights(data), starts, ends, _MASKS)
    return marks


def eights(data: Bytes) -> Hashes:
    """The eight bytes from each offset on as one number."""
    return np.ndarray((len(data) - 7,), np.uint64, data, strides=(1,))


@compiled
def _make_spaces_plain(data: Bytes, eight: Hashes, leads: NDArray[np.bool_], foreign: Ints) -> None:
    for start in range(0, len(eight), 8):
        if eight[start] & _TOPS:
            for place in range(start, min(start + 8, len(eight))):
                if leads[data[place]]:
                    _make_plain(data, place, foreign)


@compiled
def _make_plain(data: Bytes, place: Number, foreign: Ints) -> None:
    size = 2 if data[place] < _LEAD_OF_THREE else 3
    code = np.int64(0)
    for offset in range(size):
        code = code * 256 + data[place + offset]
    for other in foreign:
        if other == code:
            data[place : place + size] = 32


@compiled
def _cut(data: Bytes, size: int) -> tuple[Ints, Ints, Ints]:
    """Where the chunks in the first bytes start and end, and where newlines stand; the last byte is white space."""
    blocks = size // 64 + 1
    spaces = np.ones(64 * blocks, np.uint8)
    for place in range(size):
        byte = data[place]
        space = (byte <= 32) & ((byte >= 28) | ((byte >= 9) & (byte <= 13)))
        spaces[place] = space | ((byte == 10) << 1)
    eight = spaces.view(np.uint64)
    # Where a chunk starts and where it ends, in turn.
    edges, breaks = np.empty(size + 2, np.int64), np.empty(size + 1, np.int64)
    count, lines, before = 0, 0, _ONE
    for block in range(blocks):
        bits = newlines = np.uint64(0)
        for part in range(8):
            found = eight[8 * block + part]
            bits |= ((found & _ONES) * _GATHER >> _TOP) << np.uint64(8 * part)
            newlines |= ((found >> _ONE & _ONES) * _GATHER >> _TOP) << np.uint64(8 * part)
        while newlines != 0:
            lowest = newlines & (~newlines + _ONE)
            breaks[lines] = 64 * block + _PLACES[lowest * _DE_BRUIJN >> _SHIFT]
            lines += 1
            newlines ^= lowest
        changes = bits ^ (bits << _ONE | before)
        before = bits >> _LAST
        while changes != 0:
            lowest = changes & (~changes + _ONE)
            edges[count] = 64 * block + _PLACES[lowest * _DE_BRUIJN >> _SHIFT]
            count += 1
            changes ^= lowest
    starts, ends = np.empty(count // 2, np.int64), np.empty(count // 2, np.int64)
    for number in range(count // 2):
        starts[number], ends[number] = edges[2 * number], edges[2 * number + 1]
    return starts, ends, breaks[:lines].copy()


@compiled
def _marked(eight: Hashes, starts: Ints, ends: Ints, masks: Hashes) -> Hashes:
    marks = np.empty(len(starts), np.uint64)
    for number in range(len(starts)):
        place, left = starts[number], ends[number] - starts[number]
        mark = np.uint64(left) * _MIX
        while left > 0:
            mark ^= eight[place] & masks[min(left, 8)]
            mark *= _MIX
            mark ^= mark >> _HALF
            mark *= _MIX
            mark ^= mark >> _ODD_HALF
            place += 8
            left -= 8
        marks[number] = mark
    return marks


@compiled
def _joined(data: Bytes, starts: Ints, ends: Ints, numbers: Ints) -> Bytes:
    size = np.int64(1)
    for number in numbers:
        size += ends[number] - starts[number] + 1
    found = np.empty(size, np.uint8)
    place = 0
    for number in numbers:
        found[place] = 10
        place += 1
        for at in range(starts[number], ends[number]):
            found[place] = data[at]
            place += 1
    found[place] = 10
    return found
