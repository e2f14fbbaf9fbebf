"""Draws from a seed that come out the same on every machine and in every version of Python."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
DIGITS = "0123456789"
LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = LOWER.upper()
HEX = "0123456789abcdef"
ALNUM = DIGITS + LOWER + UPPER


@dataclass(frozen=True, slots=True)
class Value:
    """An invented piece of personal data as it is usually written.

    `parts` are the pieces that give somebody away even alone; where there are none, its own groups of characters do.
    """

    text: str
    parts: tuple[str, ...] = ()


class Draw:
    """A stream of draws; its names are its seed, so equal names give equal draws."""

    def __init__(self, *names: str) -> None:
        self._key = hashlib.blake2b("\0".join(names).encode(), digest_size=32).digest()
        self._count = 0

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1."""
        self._count += 1
        block = hashlib.blake2b(self._count.to_bytes(8, "little"), key=self._key, digest_size=16).digest()
        return int.from_bytes(block, "little") % n

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both possible."""
        return low + self.below(high - low + 1)

    def pick(self, items: Sequence[T]) -> T:
        """One of some items."""
        return items[self.below(len(items))]

    def chars(self, n: int, alphabet: str = DIGITS) -> str:
        """`n` characters of an alphabet, never all the same."""
        while True:
            made = "".join(self.pick(alphabet) for _ in range(n))
            if n < 3 or len(set(made)) > 1:
                return made

    def mixed(self, n: int, alphabet: str = ALNUM) -> str:
        """`n` characters with a digit and a letter among them."""
        while True:
            made = self.chars(n, alphabet)
            if any(c.isdigit() for c in made) and any(c.isalpha() for c in made):
                return made
