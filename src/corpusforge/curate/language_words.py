"""The language keys of ASCII words as they stand among others, and what n-grams of keys weigh."""

from __future__ import annotations

import string

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.chunks import Bytes, Ints
from corpusforge.curate.compiled import compiled
from corpusforge.curate.language_text import LONGEST

HEAD = 20
"""Letters of a word that are looked at: nothing is told by the end of a longer one that its head does not tell."""

_LETTER, _EDGE, _CODE = 1, 2, 4
_KINDS = np.zeros(256, np.uint8)
_KINDS[list(string.ascii_letters.encode())] |= _LETTER
_KINDS[list(string.punctuation.encode())] |= _EDGE
_KINDS[list(b"\\{}=$_|/@<>`~0123456789")] |= _CODE
_DOT, _HYPHEN, _W, _SPACE, _ASCII, _UPPER_Z = 46, 45, 119, 32, 128, 90
SILENT, FOREIGN = 0, -1


def plain_keys(data: Bytes, starts: Ints, ends: Ints) -> tuple[Ints, Bytes, Ints]:
    """What `language_text.word_key` makes of words that lie in some bytes.

    For n words: how many letters tell the language, `SILENT` where none do and `FOREIGN` for those beyond ASCII; n x
    HEAD + 2 bytes of a space, the key's head and spaces; how many of these count.
    """
    return _keys(data, starts, ends, _KINDS)


@compiled
def _keys(data: Bytes, starts: Ints, ends: Ints, kinds: Bytes) -> tuple[Ints, Bytes, Ints]:
    told, sizes = np.zeros(len(starts), np.int64), np.zeros(len(starts), np.int64)
    keys = np.full((len(starts), HEAD + 2), _SPACE, np.uint8)
    for word in range(len(starts)):
        start, end = starts[word], ends[word]
        letters, silent = 0, data[start] == _HYPHEN
        first, last = end, start
        for place in range(start, end):
            byte = data[place]
            if byte >= _ASCII:
                letters, silent = FOREIGN, False
                break
            kind = kinds[byte]
            letters += kind & _LETTER
            silent |= (kind & _CODE) != 0
            if byte == _DOT and start < place < end - 1:
                silent |= (kinds[data[place - 1]] & kinds[data[place + 1]] & _LETTER) != 0
            if not kind & _EDGE:
                first, last = min(first, place), place
        if letters == FOREIGN:
            told[word] = FOREIGN
            continue
        if end - start > 3 and data[start] == _W and data[start + 1] == _W and data[start + 2] == _W:
            silent |= data[start + 3] == _DOT
        if silent or letters == 0 or last + 1 - first > LONGEST:
            continue
        told[word] = letters
        size = min(last + 1 - first, HEAD)
        sizes[word] = size + 2
        for offset in range(size):
            byte = data[first + offset]
            keys[word, offset + 1] = byte + 32 if kinds[byte] & _LETTER and byte <= _UPPER_Z else byte
    return told, keys, sizes


@compiled
def weigh(
    data: Bytes,
    spans: tuple[Ints, Ints],
    automaton: tuple[NDArray[np.uint32], NDArray[np.int32]],
    features: NDArray[np.int16],
    found: NDArray[np.int32],
) -> None:
    """Sets row k of `found` to the sum of the features of all n-grams that an automaton finds in a key.

    `spans` are where keys begin in the bytes and how many bytes they have. The automaton is its moves (by a state's
    row and a byte), and the states' rows and features, -1 where there is none. The last of the features is zero.
    """
    begins, sizes = spans
    moves, states = automaton
    columns, nothing = found.shape[1], len(features) - 1
    longest = np.int64(0)
    for key in range(len(sizes)):
        longest = max(longest, sizes[key])
    met = np.empty(longest + 3, np.int64)
    for key in range(len(begins)):
        row, many = np.int64(states[0, 0]), 0
        for place in range(begins[key], begins[key] + sizes[key]):
            state = np.int64(moves[row + data[place]])
            row = np.int64(states[state, 0])
            met[many] = states[state, 1]
            many += states[state, 1] >= 0
        met[many : many + 3] = nothing
        vector = found[key]
        vector[:] = 0
        # Four at once: sums are read and written a quarter as often.
        for at in range(0, many, 4):
            one, two = features[met[at]], features[met[at + 1]]
            three, four = features[met[at + 2]], features[met[at + 3]]
            for column in range(columns):
                vector[column] += (np.int32(one[column]) + two[column]) + (np.int32(three[column]) + four[column])


@compiled
def summed(
    numbers: NDArray[np.int32], words: NDArray[np.int32], vectors: NDArray[np.int32], texts: int
) -> tuple[Ints, Ints]:
    """For each text the sums of its words' vectors and letters.

    `words` are rows of a word's vector and its letters. A text ends with a word that has the last one's number.
    """
    mark = numbers[-1]
    columns = vectors.shape[1]
    sums, told = np.zeros((texts, columns), np.int64), np.zeros(texts, np.int64)
    text = 0
    for number in numbers:
        if number == mark:
            text += 1
        else:
            told[text] += words[number, 1]
            vector, total = vectors[words[number, 0]], sums[text]
            for column in range(columns):
                total[column] += vector[column]
    return sums, told
