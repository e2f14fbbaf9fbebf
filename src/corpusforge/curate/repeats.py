"""Repeated runs of tokens in a batch of texts, longer ones looked for only where shorter ones repeat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.chunks import Hashes, Ints
from corpusforge.curate.compiled import compiled

Floats = NDArray[np.float64]
Words = tuple[Ints, NDArray[np.int32], Ints, Hashes]
"""Where each text's chunks begin, their numbers, and the rows of `Vocabulary.chunks` and `Vocabulary.tokens`."""

TOP = (2, 3, 4)
REPEATED = (5, 6, 7, 8, 9, 10)
_LONGEST = REPEATED[-1]
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_LENGTH, _ROW = np.uint64(0xFFFFFFFF), 0xFFFFFFFF
_COUNT, _LOOKED_AT, _FIRST = 0x7FFFFFFF, 1 << 31, 32


class Repeats:
    """Repeats in a batch: equal strings are found by 64-bit polynomials of their characters.

    `top[n]` is the share of the characters in each text's most frequent run of n tokens, the first of equally frequent
    ones; `repeated[n]` that in runs of n tokens that occurred before, each character counted once: a run counts as one
    that occurred only where it was looked at, not inside a repeat that was counted before it.

    A run that makes the same string as another by other tokens counts as its repeat, as it does for datatrove, where
    each of its neighbouring pairs of tokens has a counterpart too.
    """

    def __init__(self, words: Words, factors: Hashes, tokens: Ints, characters: Floats) -> None:
        """`factors` are those of the vocabulary, `tokens` and `characters` how many each text has."""
        shares = _shares(words, factors, int(tokens.max(initial=0)), characters)
        self.top = {n: shares[n] for n in TOP}
        self.repeated = {n: shares[n] for n in REPEATED}


@compiled
def _neighbours(at: NDArray[np.int32], runs: Hashes, many: int) -> int:
    """Keeps the runs that another one follows at the next token: a longer run that repeats begins and ends with two
    shorter ones that do.
    """
    kept = 0
    for k in range(many - 1):
        at[kept], runs[kept] = at[k], runs[k]
        kept += at[k + 1] == at[k] + 1
    return kept


@compiled
def _read(words: Words, text: int, marks: Hashes, ends: Ints) -> int:
    """Writes the marks of a text's tokens and how many characters end with each; gives how many tokens there are."""
    bounds, numbers, facts, tokens = words
    many, characters = 0, np.int64(0)
    for chunk in range(bounds[text], bounds[text + 1]):
        at = facts[numbers[chunk], 2]
        row = at & _ROW
        stop = row + (at >> 32)
        # Every chunk has a token.
        while True:
            marks[many] = tokens[row, 0]
            characters += np.int64(tokens[row, 1] & _LENGTH)
            many += 1
            ends[many] = characters
            row += 1
            if row >= stop:
                break
    return many


@compiled
def _sifted(seen: NDArray[np.uint8], runs: Hashes, at: NDArray[np.int32], many: int, shift: int) -> int:
    """Keeps all runs that repeat, and some that do not: those that others share a place of a small table with."""
    seen[:] = 0
    for k in range(many):
        place = runs[k] * _MIX >> np.uint64(shift)
        seen[place] = (seen[place] << 1 | 1) & 3
    kept = 0
    for k in range(many):
        at[kept], runs[kept] = at[k], runs[k]
        kept += seen[runs[k] * _MIX >> np.uint64(shift)] > 1
    return kept


@compiled
def _repeating(
    table: NDArray[np.int64], runs: Hashes, at: NDArray[np.int32], slots: NDArray[np.int32], many: int, shift: int
) -> int:
    """Enters some runs into a table, in rows of a run and how often it is there + where it is first * 2^32; keeps those
    that are there more than once, with their rows.
    """
    last = len(table) - 1
    for k in range(many):
        run = np.int64(runs[k])
        slot = np.int64((runs[k] * _MIX) >> np.uint64(shift))
        while (table[slot, 0] != run) & (table[slot, 1] != 0):
            slot = (slot + 1) & last
        # Without branches, which no processor could foretell here.
        count = table[slot, 1]
        table[slot, 0] = run
        table[slot, 1] = count + 1 + ((np.int64(at[k]) << _FIRST) if count == 0 else 0)
        slots[k] = slot
    kept = 0
    for k in range(many):
        slot = slots[k]
        at[kept], runs[kept], slots[kept] = at[k], runs[k], slot
        kept += (table[slot, 1] & _COUNT) > 1
    return kept


@compiled
def _size(many: int) -> tuple[int, int]:
    """Rows of a table for so many runs, a power of 2, and what a hash is shifted by to give one of them."""
    reach, shift = 16, 60
    while reach < 2 * many:
        reach, shift = reach * 2, shift - 1
    return reach, shift


@compiled
def _shares(words: Words, factors: Hashes, most: int, characters: Floats) -> Floats:
    """By n the shares of each text (none has over `most` tokens): of its top run up to 4, of all repeats from 5 on."""
    texts = len(characters)
    shares = np.zeros((_LONGEST + 1, texts))
    size, _ = _size(most)
    table = np.empty((size, 2), np.int64)
    marks, runs = np.empty(most, np.uint64), np.empty(most, np.uint64)
    at, slots = np.empty(most, np.int32), np.empty(most, np.int32)
    ends = np.zeros(most + 1, np.int64)
    seen = np.empty(4 * size, np.uint8)
    for text in range(texts):
        many = _read(words, text, marks, ends)
        left = max(many - 1, 0)
        for k in range(left):
            at[k], runs[k] = k, marks[k]
        for n in range(2, _LONGEST + 1):
            if n > 2:
                left = _neighbours(at, runs, left)
            for k in range(left):
                last = at[k] + n - 1
                runs[k] = runs[k] * factors[ends[last + 1] - ends[last]] + marks[last]
            reach, shift = _size(left)
            if n == 2:
                left = _sifted(seen[: 4 * reach], runs, at, left, shift - 2)
                reach, shift = _size(left)
            table[:reach, 1] = 0
            left = _repeating(table[:reach], runs, at, slots, left, shift)
            if n <= 4:
                best, place = np.int64(1), np.int64(0)
                for k in range(left):
                    found = table[slots[k], 1]
                    if found & _COUNT > best:
                        best, place = found & _COUNT, found >> _FIRST
                if many >= n:
                    shares[n, text] = best * (ends[place + n] - ends[place] + n - 1) / characters[text]
                continue
            free, covered = 0, np.int64(0)
            for k in range(left):
                here = at[k]
                if here >= free:
                    if table[slots[k], 1] & _LOOKED_AT:
                        covered += ends[here + n] - ends[here]
                        free = here + n
                    else:
                        table[slots[k], 1] |= _LOOKED_AT
            shares[n, text] = covered / characters[text]
    return shares
