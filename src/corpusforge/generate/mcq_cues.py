"""How much the looks of an item's options tell of which is right, so that the options that tell least are taken."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from corpusforge.generate.mcq_slots import stems
from corpusforge.generate.sentences import normalised
from corpusforge.record import stable_hash

if TYPE_CHECKING:
    from corpusforge.generate.mcq_items import Question

NO_CUE = 10.0
NONE_LONGER = 70
OVERLAP = 0.15
LIKENESS = 0.9
EVERYTHING = re.compile(r"(?:^|[\s\[|{])(?:-a|-A|-{1,2}(?:all|everything|full|complete)\b)")
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
        self._everything = self._command and bool(EVERYTHING.search(question.gold))
        self._asked = frozenset(stems(question.pair.question))
        self._words = words_of(question.gold)
        self._shared = len(self._asked.intersection(stems(question.gold)))
        self._seen: dict[str, tuple[bool, int, frozenset[str]]] = {}
        self._common: dict[frozenset[str], float] = {}

    def cost(self, wrong: Sequence[str], limit: float) -> float:
        """The cost of these wrong options beside the right one; `limit` or more where it is not below that."""
        longer = most = fewer = 0
        sets = [self._words]
        for text in wrong:
            is_longer, shared, words = self._seen.get(text) or self._see(text)
            longer += is_longer
            most = max(most, shared)
            if shared < self._shared:
                fewer += 1
            sets.append(words)
        longer = abs(longer - self._longer)
        # Seldom has a wrong one more words of the question; as many is what can be had.
        told = OVERLAP * fewer
        if self._shared > most or (self._everything and not any(map(EVERYTHING.search, wrong))):
            told += 0 if self._chance else NO_CUE
        # Most sets cost too much before the dearest part is counted; each part only adds.
        if longer + told >= limit:
            return limit
        if self._command:
            own = [self._commonness(one) for one in sets]
        else:
            own = [float(len(one.difference(*(sets[:k] + sets[k + 1 :])))) for k, one in enumerate(sets)]
        rarer = abs(sum([one >= own[0] for one in own[1:]]) - self._own)
        if longer + LIKENESS * rarer + told >= limit:
            return limit
        return longer + LIKENESS * (abs(_likers(sets) - self._liker) + rarer) + told

    def _draw(self, name: str, places: int) -> int:
        return int(stable_hash(self._question.row, name), 16) % places

    @cached_property
    def _liker(self) -> int:
        return self._draw("likeness", self._places)

    @cached_property
    def _own(self) -> int:
        return self._draw("own", self._places)

    @cached_property
    def _chance(self) -> bool:
        return self._draw("overlap", 4 * self._places) == 0

    @cached_property
    def _beside(self) -> Counter[str]:
        # How often a command's words stand in its neighbours: those of the right one must not be the rarest.
        return Counter(word for text in (self._gold, *self._question.pair.siblings) for word in words_of(text))

    def _see(self, text: str) -> tuple[bool, int, frozenset[str]]:
        """Of a wrong option: whether it is as long as the right one, its words of the question, its words."""
        found = len(text) >= len(self._gold), len(self._asked.intersection(stems(text))), words_of(text)
        self._seen[text] = found
        return found

    def _commonness(self, words: frozenset[str]) -> float:
        found = self._common.get(words)
        if found is None:
            found = self._common[words] = -sum([self._beside[word] for word in words]) / max(1, len(words))
        return found


def _likers(sets: Sequence[frozenset[str]]) -> int:
    """How many wrong options are more like the others than the right one is; the right one's words come first."""
    sums = [0.0] * len(sets)
    for at, one in enumerate(sets):
        for words in sets:
            common = len(one & words)
            sums[at] += common / ((len(one) + len(words) - common) or 1)
    line = sums[0] + 0.01
    return sum([one > line for one in sums[1:]])
