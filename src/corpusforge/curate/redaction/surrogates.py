"""Invented values in place of real ones: chosen by a secret key, the same for the same value, and no real person's."""

from __future__ import annotations

import hashlib
import hmac
import math
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from corpusforge.curate.redaction.words import word_list
from corpusforge.errors import UsageError

SHORTEST_KEY = 16
_FINGERPRINT = b"corpusforge surrogates: fingerprint of the key"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ROUNDS = 10
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


def read_key(place: str) -> bytes:
    """The key of surrogates, from `env:NAME` or `file:PATH`; at least SHORTEST_KEY bytes, white space at its ends cut.

    Raises UsageError, which never holds any of the key.
    """
    scheme, _, name = place.partition(":")
    if scheme == "env":
        key = os.environ.get(name, "").strip().encode()
        missing = f"the environment variable {name} is not set."
    else:
        path = Path(name).expanduser()
        key = path.read_bytes().strip() if path.is_file() else b""
        missing = "the key file does not exist or is empty."
    where = "curate.redact.key"
    if not key:
        hint = "Make a key once, such as `openssl rand -hex 32`, and keep it outside the project."
        raise UsageError(f"style: surrogate needs a key, but {missing}", where=where, hint=hint)
    if len(key) < SHORTEST_KEY:
        what = f"the key of surrogates is shorter than {SHORTEST_KEY} bytes."
        raise UsageError(what, where=where, hint="Make a longer one, such as `openssl rand -hex 32`.")
    return key


def fingerprint_of(key: bytes) -> str:
    """What a manifest may know of a key: equal for equal keys, and tells nothing of them."""
    return hmac.new(key, _FINGERPRINT, hashlib.sha256).hexdigest()[:16]


class Surrogates:
    """Invented values under one key.

    The same kind and value always give the same surrogate, in every record, on every machine, in any order. Different
    values of a kind give different surrogates: each carries at least 46 bits of HMAC-SHA256(key, kind and value), so
    that among a million values of a kind two coincide with a chance of less than one in a hundred; no table of values
    is kept, so nothing else could depend on their order. Surrogates are of ranges that nobody has:
    example.com (RFC 2606), 555-01xx, 2001:db8::/32 (RFC 3849), card and account numbers with wrong check digits,
    social security numbers with area 000. A token with digits (`NUMBER`, under strict) keeps its length, and what of it
    is a digit, a letter or neither: a page stays a page; so short a number has few others to be, and who knows many of
    them can guess the rest.
    """

    def __init__(self, key: bytes) -> None:
        """`key`: as from `read_key`."""
        self._key = key

    def value(self, kind: str, canonical: str) -> str:
        """The surrogate of a value in its canonical form (see `placeholders.normalised`)."""
        if kind == "NUMBER":
            return _permuted(self._key, canonical)
        message = f"{kind}\0{canonical}".encode("utf-8", "surrogatepass")
        draw = _Draw(hmac.new(self._key, message, hashlib.sha256).digest())
        make = _MAKERS.get(kind)
        return make(draw) if make else f"{kind.lower().replace('_', '-')}-{draw.letters(10)}"


class _Draw:
    """Choices from the bits of one digest; each uses bits that no other choice of it sees."""

    def __init__(self, digest: bytes) -> None:
        self._bits = int.from_bytes(digest, "big")

    def below(self, size: int) -> int:
        self._bits, chosen = divmod(self._bits, size)
        return chosen

    def digits(self, size: int) -> str:
        return f"{self.below(10**size):0{size}}"

    def letters(self, size: int, alphabet: str = _BASE32) -> str:
        return "".join(alphabet[self.below(len(alphabet))] for _ in range(size))

    def of(self, words: tuple[str, ...]) -> str:
        return words[self.below(len(words))]


def _permuted(key: bytes, token: str) -> str:
    """The token's digits and ASCII letters under a keyed permutation of all tokens of its form.

    A Feistel network over two halves with modular addition, as in NIST SP 800-38G; one character is shifted by 1 to 9,
    as no number may stay what it is.
    """
    places = [k for k, c in enumerate(token) if c.isdigit() or c.isalpha()]
    radices = [10 if token[k].isdigit() else 26 for k in places]
    values = [
        unicodedata.digit(token[k]) if size == 10 else ord(token[k]) % 26
        for k, size in zip(places, radices, strict=True)
    ]
    form = "".join("9" if c.isdigit() else "a" if c.isalpha() else c for c in token)
    half = len(places) // 2
    if not half:
        values = [(value + 1 + _below(key, f"{form}\0", 9)) % 10 for value in values]
    halves = (slice(half), slice(half, None))
    for step in range(_ROUNDS if half else 0):
        mine, other = halves if step % 2 == 0 else halves[::-1]
        size = math.prod(radices[mine])
        told = ",".join(map(str, values[other]))
        moved = (_number(values[mine], radices[mine]) + _below(key, f"{form}\0{step}\0{told}", size)) % size
        values[mine] = _digits(moved, radices[mine])
    made = list(token)
    for k, value, size in zip(places, values, radices, strict=True):
        made[k] = str(value) if size == 10 else _LETTERS[value]
    return "".join(made)


def _below(key: bytes, message: str, size: int) -> int:
    """A number below `size` that follows from the key and a message; its bits are 64 more than the size's."""
    wanted = size.bit_length() + 64
    blocks = (
        hmac.new(key, f"number\0{block}\0{message}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        for block in range(-(-wanted // 256))
    )
    return int.from_bytes(b"".join(blocks), "big") % size


def _number(values: Sequence[int], radices: Sequence[int]) -> int:
    number = 0
    for value, size in zip(values, radices, strict=True):
        number = number * size + value
    return number


def _digits(number: int, radices: Sequence[int]) -> list[int]:
    values = []
    for size in reversed(radices):
        number, value = divmod(number, size)
        values.append(value)
    return values[::-1]


@cache
def _pool(name: str) -> tuple[str, ...]:
    return tuple(sorted(word_list(f"surrogate_{name}")))


def _person(draw: _Draw) -> str:
    given, family = _pool("given"), _pool("family")
    return f"{draw.of(given)} {draw.of(given)} {draw.of(family)}-{draw.of(family)} {draw.letters(2, _LETTERS).upper()}."


def _email(draw: _Draw) -> str:
    return f"{draw.of(_pool('given')).lower()}.{draw.letters(9)}@example.com"


def _phone(draw: _Draw) -> str:
    return f"+1 {draw.below(800) + 200}-555-01{draw.digits(2)} x{draw.digits(9)}"


def _card(draw: _Draw) -> str:
    body = f"9999{draw.digits(14)}"
    return f"{body}{(_luhn(body) + 5) % 10}"


def _luhn(body: str) -> int:
    """The check digit of a card number without its last digit (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (1 if place % 2 else 2)
        total += value - 9 if value > 9 else value
    return -total % 10


def _iban(draw: _Draw) -> str:
    # Check digits 00 and 01 are never valid (ISO 13616: 98 less a remainder below 97).
    return f"XX00{draw.digits(18)}"


def _ip(draw: _Draw) -> str:
    groups = draw.letters(24, "0123456789abcdef")
    return "2001:db8:" + ":".join(re.findall("....", groups))


def _mac(draw: _Draw) -> str:
    # Locally administered, and as long as an EUI-64, of which there are enough.
    return ":".join(["02", *re.findall("..", draw.letters(14, "0123456789abcdef"))])


def _street(draw: _Draw) -> str:
    return (
        f"{draw.below(9000) + 1000} {draw.of(_pool('family'))} {draw.of(_pool('family'))} Street, Unit {draw.digits(7)}"
    )


_MAKERS: dict[str, Callable[[_Draw], str]] = {
    "PERSON": _person,
    "EMAIL_ADDRESS": _email,
    "PHONE_NUMBER": _phone,
    "CREDIT_CARD": _card,
    "IBAN_CODE": _iban,
    "IP_ADDRESS": _ip,
    "MAC_ADDRESS": _mac,
    "US_SSN": lambda draw: f"000-{draw.digits(2)}-{draw.digits(12)}",
    "STREET_ADDRESS": _street,
    "USERNAME": lambda draw: f"{draw.of(_pool('given')).lower()}_{draw.letters(9)}",
    "HOSTMASK": lambda draw: f"{draw.letters(5)}@{draw.letters(9)}.example.net",
    "URL": lambda draw: f"https://www.example.com/{draw.letters(10)}",
    "LOCATION": lambda draw: (
        f"{draw.of(_pool('family'))} {draw.of(_pool('family'))} {draw.letters(6, _LETTERS).capitalize()}ville"
    ),
    "ORGANIZATION": lambda draw: f"{draw.of(_pool('family'))} {draw.letters(8, _LETTERS).capitalize()} Example Ltd",
}
