"""Finds where the tokens of many chunks begin, by a compiled loop over their characters; odd chunks are left aside."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.addresses import UNTOLD, is_address
from corpusforge.curate.chunks import Hashes, Ints
from corpusforge.curate.compiled import Number, compiled
from corpusforge.curate.english_words import LONGEST, EnglishWords
from corpusforge.curate.mark_table import MarkTable, probe

Bits = NDArray[np.bool_]
Flags = NDArray[np.uint32]
Codes = NDArray[np.uint32]
Marks = tuple[Hashes, Hashes]

KNOWN, ALPHABETIC, WORDY, NO_PUNCTUATION, END = 1, 2, 4, 8, 16
"""What characters are: looked up, letters, outside datatrove's punctuation, outside Unicode's, ends of sentences."""
# What they are to spaCy: prefix, suffix, suffix behind a digit, suffix in a unit, a letter of its classes (any, lower
# case or quote, upper case or quote), infix anywhere, with a full stop behind it that is a suffix, unknown; begins
# infixes, has a part in any rule but those on digits and units.
(
    _OPENS,
    _CLOSES,
    _CLOSES_NUMBER,
    _UNIT,
    _LETTER,
    _LOWER,
    _UPPER,
    _SINGLE,
    _STOPPED,
    _UNKNOWN_STOP,
    _UNKNOWN,
    _INFIX,
    _ACTS,
) = (1 << bit for bit in range(5, 18))
_EVERY_CHARACTER = 0x110000
_DOT, _ELLIPSIS, _PLUS, _DOLLAR, _COMMA, _HYPHEN, _TILDE, _DEGREE = map(ord, ".…+$,-~°")
_EN_DASH, _EM_DASH, _APOSTROPHE, _CURLY, _SLASH = map(ord, "–—'’/")
_U, _S, _C, _A, _SMALL_S = map(ord, "USCAs")
_ZERO, _NINE, _SMALL_A, _SMALL_Z, _Z = map(ord, "09azZ")
_STAR, _CARET, _COLON, _LESS, _MORE, _EQUAL = map(ord, "*^:<>=")
_NEWLINE, _ASCII = 10, 127
_TAIL = 12
_PLAIN, _UNDECIDED = -1, -2
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_SPREAD = np.uint64(0x94D049BB133111EB)
_SHIFT = np.uint64(29)


class Spelling:
    """Some chunks' characters, each chunk with a newline before it, one after the last; marks of any run of them."""

    def __init__(self, joined: str) -> None:
        self.joined = joined
        self.codes: Codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
        breaks = np.flatnonzero(self.codes == _NEWLINE)
        self.starts: Ints = breaks[:-1] + 1
        self.ends: Ints = breaks[1:]
        self.sums, self.powers = _summed(self.codes)

    def marks(self, starts: Ints, ends: Ints) -> Hashes:
        """64-bit polynomials of runs of characters: equal where the strings are."""
        marks: Hashes = (self.sums[ends] - self.sums[starts]) * self.powers[ends - 1]
        return marks


@compiled
def _summed(codes: Codes) -> tuple[Hashes, Hashes]:
    """Sums of the characters' terms before each place, and powers that bring a difference of two to its degree."""
    sums, powers = np.zeros(len(codes) + 1, np.uint64), np.empty(len(codes), np.uint64)
    power = inverse = np.uint64(1)
    for place in range(len(codes)):
        mixed = (np.uint64(codes[place]) + np.uint64(1)) * _SPREAD
        mixed ^= mixed >> _SHIFT
        sums[place + 1] = sums[place] + mixed * inverse
        powers[place] = power
        power *= np.uint64(_BASE)
        inverse *= np.uint64(_INVERSE)
    return sums, powers


def token_factors(longest: int) -> Hashes:
    """By the length of a token, what a mark before it is multiplied by, so that both together mark the whole string."""
    factors = np.full(longest + 1, _BASE, np.uint64)
    factors[0] = 1
    return np.multiply.accumulate(factors)


class ChunkTokens:
    """Where tokens begin, as `EnglishWords.split` has it, for many chunks at once.

    The loop follows spaCy's rules with tables of what a character is to them. It leaves to `EnglishWords` what takes a
    pattern: what may be an address beyond ASCII, tokens that may be joined to a special case, and the rare characters
    that its tables do not decide.
    """

    def __init__(self, words: EnglishWords, punctuation: frozenset[str], ends: frozenset[str]) -> None:
        self._words, self._punctuation, self._ends = words, punctuation, ends
        self._flags = np.zeros(_EVERY_CHARACTER, np.uint32)
        # A chunk holds no white space.
        specials = {text: tokens for text, tokens in words.specials.items() if text.split() == [text]}
        texts, pieces = list(specials), list(specials.values())
        self._specials = _table(texts)
        self._longest = max(map(len, texts))
        self._pieces = np.zeros((len(texts), self._longest), np.int64)
        for number, tokens in enumerate(pieces):
            self._pieces[number, : len(tokens)] = list(map(len, tokens))
        cases = [pieces for found in words.joined.values() for pieces, _ in found if not any(map(str.isspace, pieces))]
        self._pairs = _table(sorted({"".join(pieces[:2]) for pieces in cases}))
        joined = sorted({"".join(pieces) for pieces in cases})
        self._joined = _table(joined)
        self._longest_joined = max(map(len, joined))
        self._units = _table(sorted(words.units))

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
        flags |= _OPENS * (opening == 1) | _CLOSES * (closing == 1) | _UNIT * (letter or closing is None)
        if closing is None and character not in "…+.$":
            # Signs behind a number, such as % and €, are suffixes by themselves; raised digits only as part of a unit.
            flags |= _UNKNOWN if character.isalnum() else _CLOSES_NUMBER
        if opening is None and character not in ".…+USCA":
            flags |= _UNKNOWN
        inside = self._words.inside(character)
        flags |= _LETTER * inside.letter | _LOWER * inside.lower | _UPPER * inside.upper | _SINGLE * inside.single
        flags |= _INFIX * (inside.single or character in ".+-*^,–—~:<>=/")
        parts = _OPENS | _CLOSES | _CLOSES_NUMBER | _UNKNOWN | _INFIX
        flags |= _ACTS * (flags & parts != 0 or character in "…$'’°")
        return flags | (_UNKNOWN_STOP if inside.stopped is None else _STOPPED * inside.stopped)

    def begins(self, spelling: Spelling, flags: Flags) -> Bits:
        """Which characters begin a token."""
        begins = np.zeros(len(spelling.codes), np.bool_)
        tables = self._specials.places, self._units.places
        joined = self._pairs.places, self._joined.places, self._longest_joined
        odd = _split(
            (spelling.codes, flags, spelling.starts, spelling.ends),
            (spelling.sums, spelling.powers),
            tables,
            joined,
            self._pieces,
            begins,
        )
        split, text = self._words.split, spelling.joined
        for start, end in zip(spelling.starts[odd].tolist(), spelling.ends[odd].tolist(), strict=True):
            place = start
            begins[start + 1 : end] = False
            for token in split(text[start:end])[:-1]:
                place += len(token)
                begins[place] = True
        return begins


def _table(texts: Sequence[str]) -> MarkTable:
    """The numbers of distinct texts by their marks."""
    spelling = Spelling("\n".join(("", *texts, "")))
    table = MarkTable()
    table.number(spelling.marks(spelling.starts, spelling.ends))
    return table


@compiled
def _found(marks: Marks, places: Hashes, start: Number, end: Number) -> Number:
    """The number of a run of characters in a table, -1 where it is in none."""
    sums, powers = marks
    return probe(places, (sums[end] - sums[start]) * powers[end - 1])


@compiled
def _is_digit(code: Number) -> bool:
    return bool(_ZERO <= code <= _NINE)


@compiled
def _prefix(codes: Codes, flags: Flags, start: Number, end: Number) -> Number:
    """Characters of the prefix of a run."""
    code = codes[start]
    following = codes[start + 1] if start + 1 < end else np.uint32(0)
    if code == _DOT:
        run = start
        while run < end and codes[run] == _DOT:
            run += 1
        return run - start if run - start > 1 else 0
    if code == _PLUS:
        return 0 if _is_digit(following) else 1
    if code == _U and following == _S and start + 2 < end and codes[start + 2] == _DOLLAR:
        return 3
    if code in (_C, _A) and following == _DOLLAR:
        return 2
    return 1 if code == _ELLIPSIS or flags[start] & _OPENS else 0


@compiled
def _suffix(codes: Codes, flags: Flags, marks: Marks, units: Hashes, start: Number, end: Number) -> Number:
    """Characters of the suffix of a run, -1 where the tables do not tell."""
    if start >= end:
        return 0
    code = codes[end - 1]
    before = codes[end - 2] if end - 2 >= start else np.uint32(0)
    earlier = codes[end - 3] if end - 3 >= start else np.uint32(0)
    if code == _DOT:
        if before == _DOT:
            run = end
            while run > start and codes[run - 1] == _DOT:
                run -= 1
            return end - run
        if before == 0:
            return 0
        if _A <= before <= _Z:
            if earlier > _ASCII:
                return -1
            return 1 if _A <= earlier <= _Z else 0
        if flags[end - 2] & _UNKNOWN_STOP:
            return -1
        return 1 if flags[end - 2] & _STOPPED else 0
    if code == _ELLIPSIS:
        return 2 if before == _ELLIPSIS else 1
    if code == _PLUS:
        return 1 if _is_digit(before) else 0
    if code == _DOLLAR:
        return -1 if before in (_S, _C, _A) else 1 if _is_digit(before) else 0
    if flags[end - 1] & _CLOSES:
        return 1
    if code in (_SMALL_S, _S) and before in (_APOSTROPHE, _CURLY):
        return 2
    if flags[end - 1] & (_UNIT | _CLOSES_NUMBER):
        for place in range(end - 1, max(start, end - _TAIL) - 1, -1):
            if _is_digit(codes[place]):
                if place == end - 2 and flags[end - 1] & _CLOSES_NUMBER:
                    return 1
                return end - 1 - place if _found(marks, units, place + 1, end) >= 0 else 0
    return 0


@compiled
def _infix(codes: Codes, flags: Flags, place: Number, start: Number, end: Number) -> Number:
    """Characters of the infix at a place within a run, 0 where there is none."""
    code = codes[place]
    if code == _DOT and place + 1 < end and codes[place + 1] == _DOT:
        run = place
        while run < end and codes[run] == _DOT:
            run += 1
        return run - place
    if flags[place] & _SINGLE:
        return 1
    if place == start or place + 1 >= end:
        return 0
    before, after = codes[place - 1], codes[place + 1]
    if _is_digit(before) and code in (_PLUS, _HYPHEN, _STAR, _CARET) and (_is_digit(after) or after == _HYPHEN):
        return 1
    if code == _DOT:
        return 1 if flags[place - 1] & _LOWER and flags[place + 1] & _UPPER else 0
    if code == _COMMA:
        return 1 if flags[place - 1] & _LETTER and flags[place + 1] & _LETTER else 0
    if not (flags[place - 1] & _LETTER or _is_digit(before)):
        return 0
    if code in (_HYPHEN, _EN_DASH, _EM_DASH, _TILDE, _COLON, _LESS, _MORE, _EQUAL, _SLASH):
        if flags[place + 1] & _LETTER:
            return 1
        most = 3 if code == _HYPHEN else 2 if code == _EM_DASH else 1
        for length in range(2, most + 1):
            if place + length >= end or codes[place + length - 1] != code:
                return 0
            if flags[place + length] & _LETTER:
                return length
    return 0


@compiled
def _may_be_joined(marks: Marks, joined: tuple[Hashes, Hashes, int], begins: Bits, first: Number, stop: Number) -> bool:
    """Whether neighbouring tokens of a chunk together are a special case.

    `joined` are the pairs of tokens that such cases begin with, whole cases, and the longest one's characters.
    """
    pairs, whole, longest = joined
    earlier, token = -1, first
    for place in range(first + 1, stop + 1):
        if place == stop or begins[place]:
            if earlier >= 0 and _found(marks, pairs, earlier, place) >= 0:
                for end in range(place, min(stop, earlier + longest) + 1):
                    if (end == stop or begins[end]) and _found(marks, whole, earlier, end) >= 0:
                        return True
            earlier, token = token, place
    return False


@compiled
def _cut_inside(codes: Codes, flags: Flags, low: Number, high: Number, begins: Bits) -> None:
    place = low
    while place < high:
        if not flags[place] & _INFIX:
            place += 1
            continue
        length = _infix(codes, flags, place, low, high)
        # spaCy leaves an infix at the very beginning where it is.
        if length and place > low:
            begins[place] = True
            if place + length < high:
                begins[place + length] = True
        place += max(length, 1)


@compiled
def _strip(
    text: tuple[Codes, Flags],
    marks: Marks,
    tables: tuple[Hashes, Hashes],
    longest: Number,
    begins: Bits,
    span: tuple[Number, Number],
) -> tuple[Number, Number, Number]:
    """Takes a chunk's prefixes and suffixes off: what is left, and which special case that is.

    `_PLAIN` where it is none, `_UNDECIDED` where the tables do not tell.
    """
    codes, flags = text
    specials, units = tables
    low, high = span
    before = -1
    while low < high and high - low != before:
        special = _found(marks, specials, low, high) if high - low <= longest else -1
        if special >= 0:
            return low, high, special
        before = high - low
        opening = _prefix(codes, flags, low, high)
        if opening and low + opening < high and high - low - opening <= longest:
            special = _found(marks, specials, low + opening, high)
            if special >= 0:
                begins[low + opening] = True
                return low + opening, high, special
        closing = _suffix(codes, flags, marks, units, low + opening, high)
        if closing < 0 or (flags[low] | flags[high - 1]) & _UNKNOWN:
            return low, high, _UNDECIDED
        if closing and high - closing > low and high - low - closing <= longest:
            special = _found(marks, specials, low, high - closing)
            if special >= 0:
                begins[high - closing] = True
                return low, high - closing, special
        high -= closing
        low += opening
        if closing:
            begins[high] = True
        if opening and low < high:
            begins[low] = True
    return low, high, _PLAIN


@compiled
def _split(
    chunks: tuple[Codes, Flags, Ints, Ints],
    marks: Marks,
    tables: tuple[Hashes, Hashes],
    joined: tuple[Hashes, Hashes, int],
    pieces: Ints,
    begins: Bits,
) -> Ints:
    """Marks where the chunks' tokens begin; gives the numbers of those that the rules here do not decide."""
    codes, flags, starts, ends = chunks
    longest = pieces.shape[1]
    odd = np.empty(len(starts), np.int64)
    odds = 0
    for number in range(len(starts)):
        first, stop = starts[number], ends[number]
        begins[first] = True
        acting = digits = np.uint32(0)
        for place in range(first, stop):
            acting |= flags[place]
            digits |= np.uint32(_is_digit(codes[place]))
        whole = not acting & _ACTS and (not digits or _is_digit(codes[stop - 1]))
        if whole and (stop - first > longest or _found(marks, tables[0], first, stop) < 0) and stop - first <= LONGEST:
            continue
        decided = stop - first <= LONGEST
        if decided:
            span = first, stop
            low, high, special = _strip((codes, flags), marks, tables, longest, begins, span)
            decided = special != _UNDECIDED
            if special >= 0:
                place = low
                for token in range(longest):
                    begins[place] = True
                    place += pieces[special, token]
                    if place >= high:
                        break
            elif decided and low < high:
                address = is_address(codes, low, high)
                decided = address != UNTOLD
                if address == 0:
                    _cut_inside(codes, flags, low, high, begins)
        if not decided or _may_be_joined(marks, joined, begins, first, stop):
            odd[odds] = number
            odds += 1
    return odd[:odds].copy()
