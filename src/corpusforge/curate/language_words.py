"""The language keys of many ASCII words at once, by arrays over their bytes."""

from __future__ import annotations

import string
from collections.abc import Sequence
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.language_text import LONGEST

HEAD = 20
"""Letters of a word that are looked at: nothing is told by the end of a longer one that its head does not tell."""

_LETTERS = np.zeros(256, np.bool_)
_LETTERS[list(string.ascii_letters.encode())] = True
_EDGES = np.zeros(256, np.bool_)
_EDGES[list(string.punctuation.encode())] = True
_CODE = np.zeros(256, np.bool_)
_CODE[list(b"\\{}=$_|/@<>`~0123456789")] = True
_LOWER = np.arange(256, dtype=np.uint8)
_LOWER[list(string.ascii_uppercase.encode())] += 32
_DOT, _HYPHEN, _NEWLINE = 46, 45, 10
_ADDRESS = b"www."


class PlainWords:
    """What `language_text.word_key` makes of ASCII words without white space.

    `silent` are those without a key. Of the n others, those with the longest keys first: `told` the words, `letters`
    how many their keys have, `bounded` n x width bytes of a space, the key's head and spaces, of which `sizes` count.
    """

    def __init__(self, words: Sequence[str]) -> None:
        raw = np.frombuffer("\n".join(("", *words, "")).encode(), np.uint8)
        breaks = np.flatnonzero(raw == _NEWLINE)
        starts, ends = breaks[:-1] + 1, breaks[1:]
        letter = _LETTERS[raw]
        code = _CODE[raw]
        dots = np.flatnonzero(raw == _DOT)
        code[dots[letter[dots - 1] & letter[dots + 1]]] = True
        inside = np.flatnonzero(~_EDGES[raw])
        first = inside[np.searchsorted(inside, starts)]
        last = inside[np.searchsorted(inside, ends) - 1]
        sizes = last - first + 1
        before = np.zeros(len(raw) + 1, np.int64)
        np.cumsum(letter, out=before[1:])
        letters = before[ends] - before[starts]
        codes = np.zeros(len(raw) + 1, np.int64)
        np.cumsum(code, out=codes[1:])
        heard = (codes[ends] == codes[starts]) & (raw[starts] != _HYPHEN) & (letters > 0) & (sizes <= LONGEST)
        for number in np.flatnonzero(heard & (raw[np.minimum(starts + 3, ends)] == _DOT)).tolist():
            heard[number] = not words[number].startswith(_ADDRESS.decode())
        self.silent: list[str] = list(compress(words, (~heard).tolist()))
        chosen = np.flatnonzero(heard)
        sizes = np.minimum(sizes[chosen], HEAD)
        order = np.argsort(-sizes, kind="stable")
        chosen, sizes = chosen[order], sizes[order]
        self.told: list[str] = [words[number] for number in chosen.tolist()]
        self.letters: NDArray[np.int64] = letters[chosen]
        self.sizes: NDArray[np.int64] = sizes + 2
        width = int(sizes[0]) if len(sizes) else 0
        places = np.arange(width)
        at = np.minimum(first[chosen][:, None] + places, len(raw) - 1)
        self.bounded: NDArray[np.uint8] = np.full((len(chosen), width + 2), 32, np.uint8)
        self.bounded[:, 1:-1] = np.where(places < sizes[:, None], _LOWER[raw[at]], 32)
