"""Cuts a batch of texts at white space over its bytes, with a 64-bit mark for each chunk between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

_SPACE = np.zeros(256, np.bool_)
_SPACE[[9, 10, 11, 12, 13, 28, 29, 30, 31, 32]] = True
# White space beyond ASCII by `str.isspace`, as the number that its UTF-8 bytes make, and the bytes it can begin with.
_FOREIGN = {
    size: [
        int.from_bytes(raw, "little")
        for raw in (chr(code).encode() for code in (0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F,
                                                    0x205F, 0x3000))
        if len(raw) == size
    ]
    for size in (2, 3)
}  # fmt: skip
# The first two bytes of U+0085, U+2028 and U+2029; that U+2000 and its like share them does no harm.
_MAYBE_BREAKS = [int.from_bytes(chr(code).encode()[:2], "little") for code in (0x85, 0x2028)]
_LEADS = np.zeros(256, np.bool_)
_LEADS[[code & 0xFF for codes in _FOREIGN.values() for code in codes]] = True

_MASKS = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_LONG = 64
_PAD = bytes(8)


class Chunks:
    """The chunks of some texts: runs of characters that are no white space.

    `raw` holds the texts as UTF-8, each with a newline before it and one after the last; `data` (and `bytes`) the same
    with ASCII spaces for all foreign ones, byte for byte in place; `at` is where each text begins (one more than
    texts). `foreign_breaks` are the offsets of line separators among the foreign spaces. `starts` and `ends` are the
    chunks' byte offsets, `bounds` the numbers of the texts' first chunks (one more than texts), `marks` 64-bit hashes
    that tell chunks apart (two are taken for one with a chance of 2^-64).
    """

    def __init__(self, texts: Sequence[str]) -> None:
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        sizes = np.fromiter(map(len, encoded), np.int64, len(encoded))
        self.at: Ints = np.ones(len(encoded) + 1, np.int64)
        np.cumsum(sizes + 1, out=self.at[1:])
        self.at[1:] += 1
        raw = b"\n".join((b"", *encoded, _PAD))
        self.ascii = raw.isascii()
        self.raw = self.data = raw
        self.foreign_breaks: Ints = np.zeros(0, np.int64)
        if not self.ascii:
            self._make_spaces_plain()
        self.bytes: NDArray[np.uint8] = np.frombuffer(self.data, np.uint8)
        space = _SPACE.take(self.bytes[: len(raw) - len(_PAD)])
        edges = np.flatnonzero(space[1:] != space[:-1]) + 1
        self.starts: Ints = edges[0::2]
        self.ends: Ints = edges[1::2]
        self.bounds: Ints = np.searchsorted(self.starts, self.at)
        self.marks = self._hashed()

    def _make_spaces_plain(self) -> None:
        found = np.frombuffer(self.raw, np.uint8)
        leads = np.flatnonzero(_LEADS.take(found[: len(self.raw) - len(_PAD)]))
        eights: Hashes = np.ndarray((len(self.raw) - 7,), np.uint64, self.raw, strides=(1,))
        codes = eights[leads]
        spaces = {size: leads[np.isin(codes & _MASKS[size], foreign)] for size, foreign in _FOREIGN.items()}
        if not any(map(len, spaces.values())):
            return
        changed = found.copy()
        for size, at in spaces.items():
            for offset in range(size):
                changed[at + offset] = 32
        self.data = changed.tobytes()
        at = np.concatenate(list(spaces.values()))
        self.foreign_breaks = at[np.isin(eights[at] & _MASKS[2], _MAYBE_BREAKS)]

    def _hashed(self) -> Hashes:
        eights: Hashes = np.ndarray((len(self.data) - 7,), np.uint64, self.data, strides=(1,))
        sizes = self.ends - self.starts
        marks = eights[self.starts]
        marks &= _MASKS[np.minimum(sizes, 8)]
        marks += sizes.view(np.uint64)
        _stir(marks)
        left = np.flatnonzero(sizes > 8)
        done = 8
        while len(left) and done < _LONG:
            more = eights[self.starts[left] + done] & _MASKS[np.minimum(sizes[left] - done, 8)]
            more ^= marks[left]
            _stir(more)
            marks[left] = more
            done += 8
            left = left[sizes[left] > done]
        if len(left):
            from xxhash import xxh3_64_intdigest

            pieces = (self.data[start:end] for start, end in zip(self.starts[left], self.ends[left], strict=True))
            marks[left] = np.fromiter(map(xxh3_64_intdigest, pieces), np.uint64, len(left))
        return marks

    def joined(self, numbers: Ints) -> str:
        """Some chunks, at least one, as one string, with a newline before each and one after the last."""
        starts = self.starts[numbers] - 1
        sizes = self.ends[numbers] - starts
        behind = np.cumsum(sizes)
        at = np.arange(int(behind[-1]))
        at += np.repeat(starts - (behind - sizes), sizes)
        found = np.append(self.bytes[at], np.uint8(10))
        found[behind - sizes] = 10
        return found.tobytes().decode("utf-8", "surrogatepass")


def _stir(marks: Hashes) -> None:
    marks *= _MIX
    marks ^= marks >> np.uint64(32)
    marks *= _MIX
    marks ^= marks >> np.uint64(29)
