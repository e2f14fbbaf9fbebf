"""Cuts a batch of texts at white space over its bytes, with a 64-bit mark for each chunk between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.compiled import compiled

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

_SPACE = np.zeros(256, np.bool_)
_SPACE[[9, 10, 11, 12, 13, 28, 29, 30, 31, 32]] = True
_LAST_SPACE = 32
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
_PAD = bytes(8)


class Chunks:
    """The chunks of some texts: runs of characters that are no white space.

    `raw` holds the texts as UTF-8, each with a newline before it and one after the last; `bytes` the same with ASCII
    spaces for all foreign ones, byte for byte in place; `at` is where each text begins (one more than texts). `starts`
    and `ends` are the chunks' byte offsets, `bounds` the numbers of the texts' first chunks (one more than texts),
    `marks` 64-bit hashes that tell chunks apart (two are taken for one with a chance of 2^-64).
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
            _make_spaces_plain(self.bytes, np.flatnonzero(_LEADS.take(self.bytes)), _FOREIGN)
            self.bytes.flags.writeable = False
        self.starts, self.ends, self.bounds = _cut(self.bytes, self.at, _SPACE)
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
def _make_spaces_plain(data: Bytes, places: Ints, foreign: Ints) -> None:
    for place in places:
        size = 2 if data[place] < _LEAD_OF_THREE else 3
        code = np.int64(0)
        for offset in range(size):
            code = code * 256 + data[place + offset]
        for other in foreign:
            if other == code:
                for offset in range(size):
                    data[place + offset] = 32


@compiled
def _cut(data: Bytes, at: Ints, space: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
    size = at[-1]
    starts = np.empty(size // 2 + 1, np.int64)
    ends = np.empty(size // 2 + 1, np.int64)
    bounds = np.empty(len(at), np.int64)
    count = 0
    for text in range(len(at) - 1):
        bounds[text] = count
        place, stop = at[text], at[text + 1] - 1
        while True:
            while place < stop and space[data[place]]:
                place += 1
            if place >= stop:
                break
            starts[count] = place
            while data[place] > _LAST_SPACE or not space[data[place]]:
                place += 1
            ends[count] = place
            count += 1
    bounds[-1] = count
    return starts[:count].copy(), ends[:count].copy(), bounds


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
