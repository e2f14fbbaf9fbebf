"""Words and word n-grams of texts as 64-bit hashes, computed for whole batches in numpy."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

BATCH_CHARS = 1 << 18
_PLACEHOLDER = re.compile(r"<([A-Z][A-Z_]*?)_\d+>")
_OPERATORS = "+-#$%&/=@"
_SEPARATOR, _WORD, _ALONE = 0, 1, 2
_STEP = 0x9E3779B97F4A7C15
_CHAIN = 0xD6E8FEB86659FD93
_BEFORE = 0xA0761D6478BD642F
_AFTER = 0xE7037ED1A0B428DB
# Scripts written without spaces: every character is a word, or a page would be one "word" long.
_ALONE_RANGES = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


def mask_placeholders(text: str) -> str:
    """`<EMAIL_2>` as `<EMAIL>`: the number of a redaction says nothing about the content."""
    return _PLACEHOLDER.sub(r"<\1>", text) if "<" in text else text


def content_hash(text: str) -> bytes:
    """16 bytes that two texts share when they differ in white space and placeholder numbers at most."""
    import xxhash

    return xxhash.xxh3_128_digest(" ".join(mask_placeholders(text).split()).encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a batch of texts in order: `hashes[k]` belongs to text number `text_of[k]`; `texts` were given."""

    hashes: Hashes
    text_of: NDArray[np.int64]
    texts: int


@dataclass(frozen=True, slots=True)
class Ragged:
    """Hashes of several texts: those of text k are `values[offsets[k]:offsets[k + 1]]`."""

    values: Hashes
    offsets: NDArray[np.int64]


def word_hashes(texts: list[str], *, operators: bool = True) -> Words:
    """The words of `texts`, case-folded, as hashes.

    A word is a run of letters, digits, marks and `_`; characters of scripts without spaces are words of their own.
    With `operators`, one written against a word is part of it: `-r` is not `+r`, `C++` is not `C#`.
    The hash is a polynomial over code points modulo 2**64, from prefix sums, finished with murmur3's mixer.
    """
    import numpy as np

    folded = [mask_placeholders(text).casefold() for text in texts]
    lengths = np.fromiter(map(len, folded), np.int64, len(folded))
    codes = np.frombuffer("\n".join(["", *folded, ""]).encode("utf-32-le", "surrogatepass"), np.uint32)
    classes = _classes()[codes]
    inside = classes != _SEPARATOR
    alone = classes == _ALONE
    border = inside[1:] != inside[:-1]
    border |= inside[1:] & (alone[1:] | alone[:-1])
    start = np.flatnonzero(border & inside[1:]) + 1
    end = np.flatnonzero(border & inside[:-1]) + 1
    powers, inverses = _powers(len(codes))
    prefix = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(mix(codes.astype(np.uint64)) * powers[: len(codes)], out=prefix[1:])
    hashes = (prefix[end] - prefix[start]) * inverses[start]
    if operators:
        signs = _operators()
        hashes += signs[np.minimum(codes[start - 1], 127)] * np.uint64(_BEFORE)
        hashes += signs[np.minimum(codes[end], 127)] * np.uint64(_AFTER)
    text_of = np.searchsorted(np.cumsum(lengths + 1), start - 1, side="right")
    return Words(mix(hashes), text_of, len(texts))


def ngrams(words: Words, n: int) -> tuple[Hashes, NDArray[np.int64]]:
    """All word n-grams in order, and the number of the text that each belongs to."""
    import numpy as np

    count = len(words.hashes) - n + 1
    if count <= 0:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    chained = words.hashes[:count].copy()
    for step in range(1, n):
        chained *= np.uint64(_CHAIN)
        chained += words.hashes[step : step + count]
    whole = words.text_of[:count] == words.text_of[n - 1 :]
    return mix(chained[whole]), words.text_of[:count][whole]


def shingle_sets(texts: Iterable[str], n: int) -> tuple[Ragged, NDArray[np.uint32]]:
    """For each text its distinct word n-grams in ascending order; none for a text of fewer than `n` words.

    Beside each n-gram stands the word at which it first begins, counted from 0 within its text.
    """
    import numpy as np

    parts: list[Hashes] = [np.zeros(0, np.uint64)]
    places: list[NDArray[np.uint32]] = [np.zeros(0, np.uint32)]
    sizes: list[NDArray[np.int64]] = [np.zeros(1, np.int64)]
    for batch in batches(texts):
        hashes, text_of = ngrams(word_hashes(batch), n)
        starts = np.searchsorted(text_of, np.arange(len(batch)))
        order = np.lexsort((hashes, text_of))
        hashes, text_of = hashes[order], text_of[order]
        first = np.ones(len(hashes), bool)
        first[1:] = (hashes[1:] != hashes[:-1]) | (text_of[1:] != text_of[:-1])
        parts.append(hashes[first])
        places.append((order - starts[text_of])[first].astype(np.uint32))
        sizes.append(np.bincount(text_of[first], minlength=len(batch)))
    return Ragged(np.concatenate(parts), np.cumsum(np.concatenate(sizes))), np.concatenate(places)


def batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Lists of texts of about `BATCH_CHARS` characters together, so that numpy works inside the cache."""
    batch: list[str] = []
    chars = 0
    for text in texts:
        batch.append(text)
        chars += len(text)
        if chars >= BATCH_CHARS:
            yield batch
            batch, chars = [], 0
    if batch:
        yield batch


def mix(values: Hashes) -> Hashes:
    """murmur3's 64-bit finaliser: every input bit reaches every output bit."""
    import numpy as np

    out = values ^ (values >> np.uint64(33))
    out *= np.uint64(0xFF51AFD7ED558CCD)
    out ^= out >> np.uint64(33)
    out *= np.uint64(0xC4CEB9FE1A85EC53)
    out ^= out >> np.uint64(33)
    return out


@lru_cache(maxsize=1)
def _classes() -> NDArray[np.uint8]:
    """What each code point is: separator, part of a word, or a word of its own."""
    import numpy as np

    table = np.zeros(sys.maxunicode + 1, np.uint8)
    for code in range(0x30000):
        if unicodedata.category(chr(code))[0] in "LNM":
            table[code] = _WORD
    table[ord("_")] = _WORD
    for first, last in _ALONE_RANGES:
        table[first : last + 1] = np.where(table[first : last + 1] == _WORD, _ALONE, table[first : last + 1])
    table[0x30000:0x40000] = _ALONE
    return table


@lru_cache(maxsize=1)
def _operators() -> Hashes:
    """For each ASCII code: a number for an operator, 0 for everything else."""
    import numpy as np

    table = np.zeros(128, np.uint64)
    for char in _OPERATORS:
        table[ord(char)] = ord(char)
    return table


_POWERS: list[tuple[Hashes, Hashes]] = []


def _powers(count: int) -> tuple[Hashes, Hashes]:
    """The first powers of the polynomial's base and of its inverse modulo 2**64; kept for the next batch."""
    import numpy as np

    if not _POWERS or len(_POWERS[0][0]) < count:
        size = 1 << max(BATCH_CHARS.bit_length(), (count - 1).bit_length())
        base = np.full(size, _STEP, np.uint64)
        inverse = np.full(size, pow(_STEP, -1, 1 << 64), np.uint64)
        base[0] = inverse[0] = 1
        _POWERS[:] = [(np.multiply.accumulate(base), np.multiply.accumulate(inverse))]
    return _POWERS[0]
