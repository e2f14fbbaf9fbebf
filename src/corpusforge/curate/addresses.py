"""Tells whether a run of ASCII characters is an address by the pattern of spaCy's tokenizer, in a compiled loop."""

from __future__ import annotations

import string

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.compiled import Number, compiled

Codes = NDArray[np.uint32]

_DIGIT, _SMALL, _ALPHANUMERIC, _INNER, _SCHEME, _STOP, _PATH = (1 << bit for bit in range(7))
_ASCII = 128
_KINDS = np.zeros(_ASCII, np.uint8)
for _bit, _characters in {
    _DIGIT: string.digits,
    _SMALL: string.ascii_lowercase,
    _ALPHANUMERIC: string.ascii_letters + string.digits,
    _INNER: string.ascii_letters + string.digits + "_-",
    _SCHEME: string.ascii_letters + string.digits + "_+-.",
    _STOP: ":/?#",
    _PATH: "/?#",
}.items():
    _KINDS[list(_characters.encode())] |= _bit
_DOT, _COLON, _SLASH, _AT, _ZERO = map(ord, ".:/@0")
_LONGEST_LABEL, _LONGEST_TOP = 64, 63
UNTOLD = -1


@compiled
def is_address(codes: Codes, start: Number, end: Number) -> Number:
    """1 where the whole run is an address, 0 where it is none, `UNTOLD` where it may be one that is not all ASCII.

    As in `spacy.lang.tokenizer_exceptions.URL_PATTERN`: perhaps a scheme, perhaps a user and @, a host, perhaps a port
    and a path. A user may hold anything, another @ too.
    """
    dots, likely = 0, False
    for place in range(start + 1, end - 1):
        if codes[place] == _DOT:
            after, second = codes[place + 1], codes[place + 2] if place + 2 < end else np.uint32(0)
            dots += _is(after, _DIGIT)
            if (_is(after, _SMALL) or after >= _ASCII) and (_is(second, _SMALL) or second >= _ASCII):
                likely = True
    # A host ends with two small letters behind a dot, or holds three dots before digits.
    if not likely and dots < 3:
        return 0
    for place in range(start, end):
        if codes[place] >= _ASCII:
            return UNTOLD
    if _has_host(codes, start, end):
        return 1
    place = start
    while place < end and _is(codes[place], _SCHEME):
        place += 1
    behind_scheme = place > start + 1 and place + 2 < end and codes[place] == _COLON
    if behind_scheme and codes[place + 1] == _SLASH and codes[place + 2] == _SLASH and _has_host(codes, place + 3, end):
        return 1
    for place in range(start + 1, end):
        if codes[place] == _AT and _has_host(codes, place + 1, end):
            return 1
    return 0


@compiled
def _is(code: Number, kind: int) -> bool:
    return bool(code < _ASCII and _KINDS[code] & kind)


@compiled
def _has_host(codes: Codes, start: Number, end: Number) -> bool:
    """Whether nothing but a host, perhaps a port and perhaps a path stand from a place on."""
    stop = start
    while stop < end and not _is(codes[stop], _STOP):
        stop += 1
    place = stop
    if place < end and codes[place] == _COLON:
        place += 1
        while place < end and _is(codes[place], _DIGIT):
            place += 1
        if not 3 <= place - stop <= 6:
            return False
    if place < end and not _is(codes[place], _PATH):
        return False
    return _is_domain(codes, start, stop) or _is_number(codes, start, stop)


@compiled
def _is_domain(codes: Codes, start: Number, stop: Number) -> bool:
    first = start
    for place in range(start, stop):
        if codes[place] == _DOT:
            edges = place > first and _is(codes[first], _ALPHANUMERIC) and _is(codes[place - 1], _ALPHANUMERIC)
            if not edges or place - first > _LONGEST_LABEL:
                return False
            first = place + 1
        elif not _is(codes[place], _INNER):
            return False
    if first == start or not 2 <= stop - first <= _LONGEST_TOP:
        return False
    small = 0
    for place in range(first, stop):
        small += _is(codes[place], _SMALL)
    return bool(small == stop - first)


@compiled
def _is_number(codes: Codes, start: Number, stop: Number) -> bool:
    """Whether a host is four numbers that the pattern takes for a public address."""
    values = np.zeros(4, np.int64)
    place = start
    for part in range(4):
        begin = place
        while place < stop and place - begin < 4 and _is(codes[place], _DIGIT):
            values[part] = 10 * values[part] + codes[place] - _ZERO
            place += 1
        size, value = place - begin, values[part]
        if not 1 <= size <= 3:
            return False
        if part in (0, 3):
            # These have no 0 in front.
            if codes[begin] == _ZERO or value > (223 if part == 0 else 254):
                return False
        elif size == 3 and not 100 <= value <= 255:
            return False
        if part < 3:
            if place == stop or codes[place] != _DOT:
                return False
            place += 1
    first, second = values[0], values[1]
    if place < stop or first in (10, 127):
        return False
    return not (
        (first == 169 and second == 254) or (first == 192 and second == 168) or (first == 172 and 16 <= second <= 31)
    )
