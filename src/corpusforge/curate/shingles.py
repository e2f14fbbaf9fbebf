"""Words of texts, and runs of words, as 64-bit hashes, computed for whole batches over their bytes in numpy."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from corpusforge.curate.batches import in_batches

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Index = NDArray[np.int64]

BATCH_CHARS = 1 << 18
_PLACEHOLDER = re.compile(r"<([A-Z][A-Z_]*?)_\d+>")
_OPERATORS = b"+-#$%&/=@"
# Between two letters these join words as a blank would: "log-in", "and/or", "said--and".
_JOINTS = b"-/&"
_SEPARATOR, _WORD, _ALONE = 0, 1, 2
_DIGIT = 2
_CHAIN = 0xD6E8FEB86659FD93
_BEFORE = 0xA0761D6478BD642F
_AFTER = 0xE7037ED1A0B428DB
_LONGEST = 256
# A changed "not" changes what a text says. Apostrophes part words, so that "don't" ends in the word "t".
_NEGATIONS = (
    "no",
    "not",
    "never",
    "cannot",
    "none",
    "nor",
    "neither",
    "without",
    "t",
    "nunca",
    "jamás",
    "sin",
    "ni",
    "tampoco",
    "ne",
    "pas",
    "non",
    "sans",
    "jamais",
    "rien",
    "aucun",
    "nicht",
    "kein",
    "keine",
    "keinen",
    "nie",
    "ohne",
    "não",
    "sem",
    "nem",
    "mai",
    "senza",
    "нет",
    "не",
    "без",
    "不",
    "没",
    "沒",
    "未",
    "无",
    "無",
    "别",
)
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


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a batch of texts in order: `hashes[k]` belongs to text number `text_of[k]`; `texts` were given.

    `numbers[k]` says that the word holds a digit, `signs[k]` that it denies or is written against an operator.
    """

    hashes: Hashes
    text_of: Index
    texts: int
    numbers: NDArray[np.bool_]
    signs: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Ragged:
    """Values of several texts: those of text k are `values[offsets[k]:offsets[k + 1]]`."""

    values: NDArray[Any]
    offsets: Index

    @property
    def sizes(self) -> Index:
        """How many values each text has."""
        import numpy as np

        return np.diff(self.offsets)

    @property
    def owners(self) -> Index:
        """The number of the text that each value belongs to."""
        import numpy as np

        return np.repeat(np.arange(len(self.offsets) - 1), self.sizes)

    def take(self, texts: Index) -> Ragged:
        """Some of the texts, in the order asked for."""
        import numpy as np

        sizes = self.sizes[texts]
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(sizes, out=offsets[1:])
        position = np.arange(int(offsets[-1])) + np.repeat(self.offsets[texts] - offsets[:-1], sizes)
        return Ragged(self.values[position], offsets)

    def only(self, keep: NDArray[np.bool_]) -> Ragged:
        """The values that are marked, text by text."""
        import numpy as np

        before = np.zeros(len(keep) + 1, np.int64)
        np.cumsum(keep, out=before[1:])
        return Ragged(self.values[keep], before[self.offsets])

    def counts(self, marks: NDArray[np.bool_]) -> Index:
        """For each text how many of its values are marked."""
        import numpy as np

        before = np.zeros(len(marks) + 1, np.int64)
        np.cumsum(marks, out=before[1:])
        return np.diff(before[self.offsets])


def word_hashes(texts: Sequence[str], *, operators: bool = True) -> Words:
    """The words of `texts`, case-folded, as hashes.

    A word is a run of letters, digits, marks and `_`; characters of scripts without spaces are words of their own.
    With `operators`, one written against a word's outside is part of it: `-r` is not `+r`, `C++` is not `C#`.
    Words of up to eight bytes never collide; longer ones as rarely as 64 bits do.
    """
    import numpy as np

    raw = [mask_placeholders(text).encode("utf-8", "surrogatepass") for text in texts]
    data, begins, inside, alone = _laid_out(raw)
    within = inside & 1
    edges = np.flatnonzero((within[1:] ^ within[:-1]).view(np.bool_)) + 1
    start, end = edges[0::2].copy(), edges[1::2].copy()
    if len(alone):
        start, end = np.concatenate([start, alone[:, 0]]), np.concatenate([end, alone[:, 1]])
        order = np.argsort(start, kind="stable")
        start, end = start[order], end[order]
    hashes = _hashed(data, start, end)
    negations, maybe = _negations()
    denies = maybe[hashes & np.uint64(0xFFFF)]
    some = np.flatnonzero(denies)
    denies[some] = np.isin(hashes[some], negations)
    numbers = np.zeros(len(hashes), np.bool_)
    digits = np.flatnonzero(inside & _DIGIT)
    place = np.searchsorted(start, digits, side="right") - 1
    numbers[place[digits < end[place]]] = True
    if operators:
        signs, joints = _operators()
        view = np.frombuffer(data, np.uint8)
        for beside, step, factor in ((start - 1, -1, _BEFORE), (end, 1, _AFTER)):
            sign = signs[view[beside]]
            some = np.flatnonzero(sign)
            at = beside[some]
            dash = (view[at + step] == view[at]) & (inside[at + 2 * step] != 0)
            some = some[~(joints[view[at]] & ((inside[at + step] != 0) | dash))]
            hashes[some] += sign[some] * np.uint64(factor)
            denies[some] = True
    counts = np.diff(np.searchsorted(start, begins), append=len(start))
    return Words(mix(hashes), np.repeat(np.arange(len(texts)), counts), len(texts), numbers, denies)


def _laid_out(raw: list[bytes]) -> tuple[bytes, Index, NDArray[np.uint8], Index]:
    """One case-folded buffer with all texts, where each begins, which bytes are in words, and words of one character.

    A byte in a word has an odd number, and a digit `_DIGIT` as well.

    The texts stand between line ends, and zeros follow, so that looks beside a word never leave the buffer.
    """
    import numpy as np

    lower, within = _tables()
    classes, folds = _classes()
    while True:
        begins = np.cumsum(np.fromiter((1, *(len(text) + 1 for text in raw)), np.int64, len(raw) + 1))[:-1]
        data = b"\n".join([b"", *raw, b"\0" * 16]).translate(lower)
        inside = np.frombuffer(bytearray(data.translate(within)), np.uint8)
        lead, size, code = _beyond_ascii(np.frombuffer(data, np.uint8))
        folding = folds[code]
        if not folding.any():
            break
        # Folding is idempotent (checked for all code points), so this happens at most once.
        for number in np.unique(np.searchsorted(begins, lead[folding], side="right") - 1).tolist():
            raw[number] = raw[number].decode("utf-8", "surrogatepass").casefold().encode("utf-8", "surrogatepass")
    kind = classes[code]
    for step in range(4):
        inside[lead[(kind == _WORD) & (size > step)] + step] = 1
    lonely = kind == _ALONE
    return data, begins, inside, np.stack([lead[lonely], (lead + size)[lonely]], axis=1)


def _beyond_ascii(view: NDArray[np.uint8]) -> tuple[Index, Index, Index]:
    """Where UTF-8's characters beyond ASCII begin, how many bytes they have, and their code points."""
    import numpy as np

    lead = np.flatnonzero(view >= 0xC0)
    first = view[lead].astype(np.int64)
    size = np.where(first >= 0xF0, 4, np.where(first >= 0xE0, 3, 2))
    code = first & (0xFF >> (size + 1))
    for step in range(1, 4):
        more = size > step
        code = np.where(more, (code << 6) | (view[np.where(more, lead + step, lead)] & 0x3F), code)
    return lead, size, code


def _hashed(data: bytes, start: Index, end: Index) -> Hashes:
    """For each word its bytes as a number, eight at a time; very long words (encoded data) by xxhash."""
    import numpy as np

    eight = np.ndarray(len(data) - 7, "<u8", data, strides=(1,))
    masks = np.array([(1 << (8 * k)) - 1 for k in range(9)], np.uint64)
    length = end - start
    hashes: Hashes = eight[start] & masks[np.minimum(length, 8)]
    rest = np.flatnonzero((length > 8) & (length <= _LONGEST))
    done = 8
    while len(rest):
        chunk = eight[start[rest] + done] & masks[np.minimum(length[rest] - done, 8)]
        hashes[rest] = mix(hashes[rest]) * np.uint64(_CHAIN) + chunk
        done += 8
        rest = rest[length[rest] > done]
    for word in np.flatnonzero(length > _LONGEST).tolist():
        import xxhash

        hashes[word] = xxhash.xxh3_64_intdigest(data[start[word] : end[word]])
    return hashes


def shingles_of(words: Ragged, n: int) -> Ragged:
    """A hash for each run of `n` words of each text, in order; none for a text of fewer words."""
    import numpy as np

    sizes = np.maximum(words.sizes - (n - 1), 0)
    count = max(0, len(words.values) - n + 1)
    values = words.values.astype(np.uint64)
    out = values[:count].copy()
    for step in range(1, n):
        out *= np.uint64(_CHAIN)
        out += values[step : step + count]
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    starts = np.arange(int(offsets[-1])) + np.repeat(words.offsets[:-1] - offsets[:-1], sizes)
    return Ragged(mix(out[starts]), offsets)


def batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Lists of texts of about `BATCH_CHARS` characters together, so that numpy works inside the cache."""
    return in_batches(texts, len, BATCH_CHARS)


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
def _tables() -> tuple[bytes, bytes]:
    """Of ASCII bytes: the lower case, and whether it is part of a word (odd) and a digit."""
    ascii_ = bytes(range(128))
    word = bytes(chr(code).isalnum() or chr(code) == "_" for code in ascii_)
    digit = bytes(_DIGIT * chr(code).isdigit() for code in ascii_)
    return ascii_.lower() + bytes(range(128, 256)), bytes(map(int.__or__, word, digit)) + bytes(128)


@lru_cache(maxsize=1)
def _classes() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """What each code point is (separator, part of a word, or a word of its own), and whether case folding changes it.

    ASCII is False in the second: it is folded bytewise.
    """
    import numpy as np

    table = np.zeros(0x200000, np.uint8)
    folds = np.zeros(0x200000, np.bool_)
    for code in range(0x80, 0x30000):
        char = chr(code)
        if unicodedata.category(char)[0] in "LNM":
            table[code] = _WORD
        folds[code] = char.casefold() != char
    for first, last in _ALONE_RANGES:
        table[first : last + 1] = np.where(table[first : last + 1] == _WORD, _ALONE, table[first : last + 1])
    table[0x30000:0x40000] = _ALONE
    return table, folds


@lru_cache(maxsize=1)
def _operators() -> tuple[Hashes, NDArray[np.bool_]]:
    """For each byte: a number for an operator (0 for everything else), and whether it may join two words."""
    import numpy as np

    signs = np.zeros(256, np.uint64)
    joints = np.zeros(256, np.bool_)
    for byte in _OPERATORS:
        signs[byte] = byte
        joints[byte] = byte in _JOINTS
    return signs, joints


@lru_cache(maxsize=1)
def _negations() -> tuple[Hashes, NDArray[np.bool_]]:
    """The words that deny, as `_hashed` sees them, and a table that most other words miss by their lowest 16 bits."""
    import numpy as np

    hashes = []
    for word in _NEGATIONS:
        raw = word.encode()
        hashes.append(_hashed(raw + bytes(16), np.array([0]), np.array([len(raw)])))
    known = np.unique(np.concatenate(hashes))
    maybe = np.zeros(1 << 16, np.bool_)
    maybe[known & np.uint64(0xFFFF)] = True
    return known, maybe
