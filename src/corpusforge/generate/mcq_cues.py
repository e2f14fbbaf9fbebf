"""How much the looks of an item's options tell of which is right, so that the options that tell least are taken."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from corpusforge.generate.lazily import lazily
from corpusforge.generate.mcq_slots import stems
from corpusforge.generate.sentences import normalised
from corpusforge.record import stable_hash

if TYPE_CHECKING:
    from corpusforge.generate.mcq_items import Question

NO_CUE = 10.0
NONE_LONGER = 70
OVERLAP = 0.15
LIKENESS = 0.9
_EVERYTHING = re.compile(r"-(?<![^\s\[|{]-)(?:a|A|-?(?:all|everything|full|complete)\b)")
normal_of = lru_cache(maxsize=1 << 16)(normalised)


@lru_cache(maxsize=1 << 15)
def words_of(text: str) -> frozenset[str]:
    """The words of a short text."""
    return frozenset(normal_of(text).split())


class Cues:
    """How much the looks of the options of one question tell.

    Places of the right one among all are drawn evenly for each item: by length, by likeness to the others and by words
    that others lack; the cost is the distance from them. NO_CUE is added where the right one alone repeats most of the
    question, except in as many items as chance would have it.
    """

    def __init__(self, question: Question, wrong: int) -> None:
        self._question, self._gold, self._places = question, question.gold, wrong + 1
        draw = self._draw("longer", 100)
        # Few items have enough wrong options that are shorter, so no longer one is aimed at more often than it is met.
        self._longer = 0 if draw < NONE_LONGER else 1 + (draw - NONE_LONGER) * wrong // (100 - NONE_LONGER)
        self._command = question.pair.family == "command"
        # No wrong option may give everything; where the right one does, that would tell it.
        self._everything = self._command and gives_everything(question.gold)
        self._asked = question.asked
        self._shared = len(self._asked.intersection(stems(question.gold)))
        self._seen: dict[str, tuple[bool, int, bool, int, bool]] = {}
        self._bits: dict[str, int] = {}
        self._alike: dict[int, dict[int, float]] = {}
        self._words = self._as_bits(question.gold)

    def hopeless(self, texts: Iterable[str]) -> bool:
        """Whether no set of these wrong options can cost less than NO_CUE."""
        if self._chance:
            return False
        seen = [self._seen.get(text) or self._see(text) for text in texts]
        if max([one[1] for one in seen], default=-1) < self._shared:
            return True
        return self._everything and True not in [one[2] for one in seen]

    def cost(self, wrong: Sequence[str], limit: float) -> float:
        """The cost of these wrong options beside the right one; `limit` or more where it is not below that."""
        longer = most = fewer = rarer = 0
        all_asked = self._everything
        sets = [self._words]
        for text in wrong:
            is_longer, shared, everything, words, is_rarer = self._seen.get(text) or self._see(text)
            longer += is_longer
            rarer += is_rarer
            most = max(most, shared)
            if shared < self._shared:
                fewer += 1
            if everything:
                all_asked = False
            sets.append(words)
        longer = abs(longer - self._longer)
        # Seldom has a wrong one more words of the question; as many is what can be had.
        told = OVERLAP * fewer
        if (self._shared > most or all_asked) and not self._chance:
            told += NO_CUE
        # Most sets cost too much before the dearest part is counted; each part only adds.
        if longer + told >= limit:
            return limit
        if not self._command:
            once = more = 0
            for words in sets:
                more |= once & words
                once |= words
            once &= ~more
            own = (sets[0] & once).bit_count()
            rarer = sum([(one & once).bit_count() >= own for one in sets[1:]])
        rarer = abs(rarer - self._own)
        if longer + LIKENESS * rarer + told >= limit:
            return limit
        return longer + LIKENESS * (abs(self._likers(sets) - self._liker) + rarer) + told

    def _draw(self, name: str, places: int) -> int:
        return int(stable_hash(self._question.row, name), 16) % places

    @lazily
    def _liker(self) -> int:
        return self._draw("likeness", self._places)

    @lazily
    def _own(self) -> int:
        return self._draw("own", self._places)

    @lazily
    def _chance(self) -> bool:
        return self._draw("overlap", 4 * self._places) == 0

    @lazily
    def _beside(self) -> Counter[str]:
        # How often a command's words stand in its neighbours: those of the right one must not be the rarest.
        return Counter(word for text in (self._gold, *self._question.pair.siblings) for word in words_of(text))

    def _see(self, text: str) -> tuple[bool, int, bool, int, bool]:
        """Of a wrong option: whether it is as long as the right one, how many words of the question it has, whether it
        gives everything as the right one does, its words, whether these are as rare as the right one's (commands)."""
        shared = len(self._asked.intersection(stems(text)))
        everything = self._everything and gives_everything(text)
        rarer = self._command and self._rarity(text) >= self._own_rarity
        found = self._seen[text] = len(text) >= len(self._gold), shared, everything, self._as_bits(text), rarer
        return found

    def _as_bits(self, text: str) -> int:
        """The words of a text, one bit for each word of this question's options: sets of them are held against each
        other again and again."""
        bits, found = self._bits, 0
        for word in words_of(text):
            bit = bits.get(word)
            if bit is None:
                bit = bits[word] = 1 << len(bits)
            found |= bit
        return found

    def _rarity(self, text: str) -> float:
        words = words_of(text)
        return -sum([self._beside[word] for word in words]) / max(1, len(words))

    @lazily
    def _own_rarity(self) -> float:
        return self._rarity(self._gold)

    def _likers(self, sets: Sequence[int]) -> int:
        """How many wrong options are more like the others than the right one is; the right one's words come first."""
        sums = []
        for one in sets:
            known = self._alike.setdefault(one, {})
            total = 0.0
            for words in sets:
                alike = known.get(words)
                if alike is None:
                    common = (one & words).bit_count()
                    alike = known[words] = common / ((one.bit_count() + words.bit_count() - common) or 1)
                total += alike
            sums.append(total)
        line = sums[0] + 0.01
        return sum([one > line for one in sums[1:]])


@lru_cache(maxsize=1 << 14)
def gives_everything(command: str) -> bool:
    """Whether a command asks for all there is."""
    return bool(_EVERYTHING.search(command))
