"""What a source can give: the token counts of its records in stable order, and the prefix that comes nearest a wish."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Draw:
    """Records taken from a source: all of them `passes` times, then the first `prefix` once more.

    `tokens` and `rows` count every repetition.
    """

    passes: int
    prefix: int
    tokens: int
    rows: int


@dataclass(frozen=True, slots=True)
class Supply:
    """A source's records in stable hash order; `ends[k]` is the number of tokens of the first k + 1."""

    name: str
    ends: array[int]

    @classmethod
    def of(cls, name: str, sizes: Iterable[int]) -> Supply:
        """A supply from the tokens of each record (at least 0), in stable order."""
        return cls(name, array("q", accumulate(sizes)))

    @property
    def tokens(self) -> int:
        """Tokens of all records, once each."""
        return self.ends[-1] if self.ends else 0

    @property
    def rows(self) -> int:
        """Number of records."""
        return len(self.ends)

    def more(self, tokens: int) -> Supply:
        """The supply with one more record of so many tokens at the end of the order."""
        return Supply(self.name, array("q", [*self.ends, self.tokens + tokens]))

    def prefix_tokens(self, rows: int) -> int:
        """Tokens of the first `rows` records."""
        return self.ends[rows - 1] if rows else 0

    def draw(self, wanted: int, cap: Fraction) -> Draw:
        """Whole passes and the prefix whose tokens come nearest `wanted` and are at most `cap` (both in tokens).

        Where the cap allows it, the error is at most half of the record at the prefix's end, or less than that record
        where only the shorter prefix stays within the cap. A larger wish never draws fewer records, so the draw for
        a smaller share is contained in that for a larger one.
        """
        have = self.tokens
        wanted = min(wanted, int(cap))
        if have == 0 or wanted <= 0:
            return Draw(0, 0, 0, 0)
        passes, left = divmod(wanted, have)
        # The shortest prefix that reaches what is left, and the one below it: the nearest is one of these two.
        reaches = bisect_left(self.ends, left) + 1 if left else 0
        prefix = reaches
        if reaches:
            above = self.prefix_tokens(reaches) - left
            below = left - self.prefix_tokens(reaches - 1)
            if below <= above or passes * have + self.prefix_tokens(reaches) > cap:
                prefix = reaches - 1
        if prefix == self.rows:
            passes, prefix = passes + 1, 0
        return Draw(passes, prefix, passes * have + self.prefix_tokens(prefix), passes * self.rows + prefix)
