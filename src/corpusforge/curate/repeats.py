"""Repeated runs of tokens in a batch of texts, longer ones looked for only where shorter ones repeat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.chunks import Hashes, Ints
from corpusforge.curate.compiled import compiled

Floats = NDArray[np.float64]

TOP = (2, 3, 4)
REPEATED = (5, 6, 7, 8, 9, 10)
_LONGEST = REPEATED[-1]
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_LENGTH = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


class Repeats:
    """Repeats in a batch: equal strings are found by 64-bit polynomials of their characters.

    `top[n]` is the share of the characters in each text's most frequent run of n tokens, the first of equally frequent
    ones; `repeated[n]` that in runs of n tokens that occurred before, each character counted once: a run counts as one
    that occurred only where it was looked at, not inside a repeat that was counted before it.

    A run that makes the same string as another by other tokens counts as its repeat, as it does for datatrove, where
    each of its neighbouring pairs of tokens has a counterpart too.
    """

    def __init__(self, tokens: Hashes, bounds: Ints, factors: Hashes, characters: Floats) -> None:
        """`tokens` are rows of `Vocabulary.tokens`, `bounds` where each text's begin, `characters` those of texts."""
        shares = _shares(tokens, bounds, factors, characters)
        self.top = {n: shares[n] for n in TOP}
        self.repeated = {n: shares[n] for n in REPEATED}


@compiled
def _neighbours(at: NDArray[np.int32], runs: Hashes, many: int) -> int:
    """Keeps the runs that another one follows at the next token: a longer run that repeats begins and ends with two
    shorter ones that do.
    """
    kept = 0
    for k in range(many - 1):
        if at[k + 1] == at[k] + 1:
            at[kept], runs[kept] = at[k], runs[k]
            kept += 1
    return kept


@compiled
def _shares(tokens: Hashes, bounds: Ints, factors: Hashes, characters: Floats) -> Floats:
    """By n the shares of each text: of its top run up to 4 tokens, of all repeated ones from 5 on."""
    shares = np.zeros((_LONGEST + 1, len(bounds) - 1))
    most = np.int64(0)
    for text in range(len(bounds) - 1):
        most = max(most, bounds[text + 1] - bounds[text])
    size = np.int64(64)
    while size < 2 * most:
        size *= 2
    keys, counts, firsts = np.empty(size, np.uint64), np.zeros(size, np.int32), np.empty(size, np.int32)
    at, runs, slots = np.empty(most, np.int32), np.empty(most, np.uint64), np.empty(most, np.int32)
    ends = np.zeros(most + 1, np.int64)
    for text in range(len(bounds) - 1):
        start, many = bounds[text], bounds[text + 1] - bounds[text]
        for k in range(many):
            ends[k + 1] = ends[k] + np.int64(tokens[start + k, 1] & _LENGTH)
        left = max(many - 1, 0)
        for k in range(left):
            at[k], runs[k] = k, tokens[start + k, 0]
        for n in range(2, _LONGEST + 1):
            if n > 2:
                left = _neighbours(at, runs, left)
            reach, shift = np.int64(16), np.uint64(60)
            while reach < 2 * left:
                reach, shift = reach * 2, shift - np.uint64(1)
            counts[:reach] = 0
            for k in range(left):
                last = start + at[k] + n - 1
                mark = runs[k] * factors[tokens[last, 1] & _LENGTH] + tokens[last, 0]
                slot = np.int64((mark * _MIX) >> shift)
                while counts[slot] > 0 and keys[slot] != mark:
                    slot = (slot + 1) & (reach - 1)
                if counts[slot] == 0:
                    keys[slot], firsts[slot] = mark, at[k]
                counts[slot] += 1
                runs[k], slots[k] = mark, slot
            best, place = 1, 0
            kept, free, covered = 0, 0, np.int64(0)
            for k in range(left):
                slot, here = slots[k], at[k]
                if abs(counts[slot]) < 2:
                    continue
                at[kept], runs[kept] = here, runs[k]
                kept += 1
                if n <= 4:
                    if counts[slot] > best:
                        best, place = counts[slot], firsts[slot]
                elif here >= free:
                    # A negative count says that the run was looked at.
                    if counts[slot] < 0:
                        covered += ends[here + n] - ends[here]
                        free = here + n
                    else:
                        counts[slot] = -counts[slot]
            left = kept
            if n > 4:
                shares[n, text] = covered / characters[text]
            elif many >= n:
                shares[n, text] = best * (ends[place + n] - ends[place] + n - 1) / characters[text]
    return shares
