"""Finds where the tokens of many chunks begin, by arrays over their characters; odd chunks are split one by one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.english_words import EnglishWords
from corpusforge.curate.mark_table import MarkTable

Bits = NDArray[np.bool_]
Flags = NDArray[np.uint16]
Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

KNOWN, ALPHABETIC, WORDY, NO_PUNCTUATION, END = 1, 2, 4, 8, 16
"""What characters are: looked up, letters, outside datatrove's punctuation, outside Unicode's, ends of sentences."""
_OPENS, _CLOSES, _LETTER, _DIGIT, _INFIX = 32, 64, 128, 256, 512
_STOPPED, _UPPER, _ANCHOR, _ODD = 1024, 2048, 4096, 8192
_EVERY_CHARACTER = 0x110000
_ASCII = 127
_MOST_MARKS = 4
_WORD = re.compile("[A-Za-z]{2,}")
_INFIXES = "-~:<>=/,\u2013\u2014"
_DASHES = (0x2013, 0x2014)
_POWERS = (42, 94)
_HYPHEN, _DOT, _COMMA, _APOSTROPHE, _CURLY = map(ord, "-.,'’")
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_SPREAD = np.uint64(0x94D049BB133111EB)


class Spelling:
    """Some chunks' characters, each chunk with a newline before it, one after the last; marks of any run of them."""

    def __init__(self, joined: str) -> None:
        self.joined = joined
        self.codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
        breaks = np.flatnonzero(self.codes == 10)
        self.starts: Ints = breaks[:-1] + 1
        self.ends: Ints = breaks[1:]
        mixed = (self.codes.astype(np.uint64) + np.uint64(1)) * _SPREAD
        mixed ^= mixed >> np.uint64(29)
        self._powers = powers(_BASE, len(mixed))
        self._sums = np.zeros(len(mixed) + 1, np.uint64)
        np.cumsum(mixed * powers(_INVERSE, len(mixed)), out=self._sums[1:])

    def marks(self, starts: Ints, ends: Ints) -> Hashes:
        """64-bit polynomials of runs of characters: equal where the strings are."""
        marks: Hashes = (self._sums[ends] - self._sums[starts]) * self._powers[ends - 1]
        return marks


def powers(base: int, count: int) -> Hashes:
    """The first powers of an odd number, modulo 2^64."""
    factors = np.full(count, base, np.uint64)
    factors[:1] = 1
    return np.multiply.accumulate(factors)


def token_factors(longest: int) -> Hashes:
    """By the length of a token, what a mark before it is multiplied by, so that both together mark the whole string."""
    return powers(_BASE, longest + 1)


class ChunkTokens:
    """Where tokens begin, as `EnglishWords.split` has it, decided for all plain chunks at once.

    Plain is a chunk whose marks are single tokens at its edges or single infixes within, by the characters beside them
    alone, and whose words are in none of spaCy's special cases: then none of them can apply at any step.
    """

    def __init__(self, words: EnglishWords, punctuation: frozenset[str], ends: frozenset[str]) -> None:
        self._words, self._punctuation, self._ends = words, punctuation, ends
        self._flags = np.zeros(_EVERY_CHARACTER, np.uint16)
        runs = Spelling("\n".join(("", *sorted(words.in_specials), "")))
        self._special_runs = MarkTable()
        self._special_runs.add(np.unique(runs.marks(runs.starts, runs.ends)))
        # Pairs of neighbouring tokens that a special case joins: both single characters, or longer without a word.
        pairs = [pair for pair in words.joined if words.in_specials.isdisjoint(_WORD.findall(" ".join(pair)))]
        short = [pair for pair in pairs if len(pair[0]) == len(pair[1]) == 1]
        # A dot within a token is odd in any case.
        longer = [pair for pair in pairs if pair not in short and "." not in pair[0]]
        self._joined, self._met = _seams(short), _seams(longer)

    def flags(self, spelling: Spelling) -> Flags:
        """What each character is, as bits."""
        flags = self._flags[spelling.codes]
        new = spelling.codes[flags == 0]
        if len(new):
            for code in np.unique(new).tolist():
                self._flags[code] = self._flags_of(chr(code))
            flags = self._flags[spelling.codes]
        return flags

    def _flags_of(self, character: str) -> int:
        if character == "\n":
            return KNOWN
        flags = KNOWN | ALPHABETIC * character.isalpha() | END * (character in self._ends)
        flags |= WORDY * (character not in self._punctuation)
        flags |= NO_PUNCTUATION * (unicodedata.category(character)[0] != "P")
        opening, closing, letter = self._words.affixes(character)
        odd = opening is None or closing is None
        if character.isascii():
            flags |= _LETTER * character.isalpha() | _DIGIT * character.isdigit() | _UPPER * character.isupper()
            # The few letters that begin a longer prefix do so before a $ alone.
            odd = odd and not character.isalpha() and character != "."
        elif letter:
            flags |= _ANCHOR * (character not in self._words.foreign_specials)
        if character in _INFIXES:
            flags |= _INFIX
        elif self._words.begins_infix(character) and not (character.isascii() and character not in "+*^"):
            odd = True
        if self._words.stopped_behind(character):
            flags |= _STOPPED
        return flags | _OPENS * (opening == 1) | _CLOSES * (closing == 1 or character == ".") | _ODD * odd

    def begins(self, spelling: Spelling, flags: Flags) -> Bits:
        """Which characters begin a token."""
        codes, starts, ends = spelling.codes, spelling.starts, spelling.ends
        begins = np.zeros(len(codes), np.bool_)
        begins[starts] = True
        marked = flags.copy()
        self._mark_runs(spelling, flags, marked)
        outside = np.flatnonzero((flags & _OPENS) == 0)
        first = outside[np.searchsorted(outside, starts)]
        outside = np.flatnonzero((flags & _CLOSES) == 0)
        last = outside[np.searchsorted(outside, ends, side="left") - 1]
        plain = (first <= last) & (first - starts <= _MOST_MARKS) & (ends - 1 - last <= _MOST_MARKS)
        for place in range(1, _MOST_MARKS + 1):
            begins[starts[plain & (first - starts >= place)] + place] = True
            begins[ends[plain & (ends - 1 - last >= place)] - place] = True
        self._cut_dots(codes, flags, marked, np.searchsorted(starts, np.flatnonzero(codes == _DOT), "right") - 1, last)
        self._cut_infixes(codes, flags, marked, begins)
        self._cut_genitives(codes, flags, marked, begins, last[plain])
        seams = np.flatnonzero(begins[1:] & (codes[:-1] != 10))
        both = (codes[seams].astype(np.int64) << 32) | codes[seams + 1].astype(np.int64)
        short = begins[seams] & (begins[seams + 2] | (codes[seams + 2] == 10))
        marked[seams[np.isin(both, self._met) | (short & np.isin(both, self._joined))]] |= _ODD
        met = np.bitwise_or.reduceat(marked, starts) if len(starts) else marked[:0]
        # A unit is a suffix behind a digit.
        units = ((met & _DIGIT) != 0) & ((flags[last] & ALPHABETIC) != 0)
        odd = ~plain | units | ((met & _ODD) != 0) | ((met & _ANCHOR) == 0)
        self._split(spelling, np.flatnonzero(odd), begins)
        return begins

    def _mark_runs(self, spelling: Spelling, flags: Flags, marked: Flags) -> None:
        letters = (flags & _LETTER) != 0
        edges = np.flatnonzero(letters[1:] != letters[:-1]) + 1
        starts, ends = edges[0::2], edges[1::2]
        long = ends - starts > 1
        starts, ends = starts[long], ends[long]
        known = self._special_runs.find(spelling.marks(starts, ends)) >= 0
        marked[starts[known]] |= _ODD
        marked[starts[~known]] |= _ANCHOR

    @staticmethod
    def _cut_dots(codes: NDArray[np.uint32], flags: Flags, marked: Flags, owner: Ints, last: Ints) -> None:
        dots = np.flatnonzero(codes == _DOT)
        upper = (flags[dots - 1] & flags[np.maximum(dots - 2, 0)] & _UPPER) != 0
        usual = (dots > last[owner]) & (((flags[dots - 1] & _STOPPED) != 0) | upper)
        marked[dots[~usual]] |= _ODD

    @staticmethod
    def _cut_infixes(codes: NDArray[np.uint32], flags: Flags, marked: Flags, begins: Bits) -> None:
        for sign in _POWERS:
            at = np.flatnonzero(codes == sign)
            marked[at[(flags[at - 1] & _DIGIT) != 0]] |= _ODD
        at = np.flatnonzero(flags & _INFIX)
        before, after = flags[at - 1], flags[at + 1]
        marked[at[(codes[at - 1] > _ASCII) | (codes[at + 1] > _ASCII)]] |= _ODD
        found = codes[at]
        dash = np.isin(found, _DASHES)
        marked[at[dash & (np.isin(codes[at - 1], _DASHES) | np.isin(codes[at + 1], _DASHES))]] |= _ODD
        hyphen = found == _HYPHEN
        following = codes[at + 1]
        letter, digit = (before & _LETTER) != 0, (before & _DIGIT) != 0
        marked[at[digit & (following == _HYPHEN)]] |= _ODD
        single = (letter | (digit & (found != _COMMA))) & ((after & _LETTER) != 0)
        single |= hyphen & digit & ((after & _DIGIT) != 0)
        cut = at[single]
        begins[cut] = begins[cut + 1] = True
        runs = at[hyphen & letter & (following == _HYPHEN)]
        for length in (2, 3):
            fits = runs[runs + length < len(codes)]
            fits = fits[((flags[fits + length] & _LETTER) != 0) & (codes[fits + length - 1] == _HYPHEN)]
            begins[fits] = begins[fits + length] = True

    @staticmethod
    def _cut_genitives(codes: NDArray[np.uint32], flags: Flags, marked: Flags, begins: Bits, last: Ints) -> None:
        ending = codes[last]
        quoted = codes[last - 1]
        owned = last[((ending == 115) | (ending == 83)) & ((quoted == _APOSTROPHE) | (quoted == _CURLY))]
        usual = (flags[owned - 2] & ALPHABETIC) != 0
        usual &= (codes[owned - 3] != _APOSTROPHE) & (codes[owned - 3] != _CURLY)
        marked[owned[~usual]] |= _ODD
        begins[owned[usual] - 1] = True

    def _split(self, spelling: Spelling, odd: Ints, begins: Bits) -> None:
        split: Callable[[str], tuple[str, ...]] = self._words.split
        joined = spelling.joined
        for start, end in zip(spelling.starts[odd].tolist(), spelling.ends[odd].tolist(), strict=True):
            begins[start + 1 : end] = False
            place = start
            for token in split(joined[start:end])[:-1]:
                place += len(token)
                begins[place] = True


def _seams(pairs: Sequence[tuple[str, str]]) -> Ints:
    return np.array(sorted({ord(first[-1]) << 32 | ord(second[0]) for first, second in pairs}), np.int64)
