"""Whether multiple choice can be guessed without knowing anything: letters, lengths, a probe that sees options only.

The probe is a conditional logit over 20 features of each option against its rivals, cross-validated by parent
document, after "choices-only" baselines (arXiv 2507.02856); a second one sees four features of the question beside it.
"""

from __future__ import annotations

import heapq
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corpusforge.generate.sentences import likeness, normalised
from corpusforge.record import Record, stable_hash

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Table = NDArray[np.float64]

MOST_ITEMS = 4_000
LEAST_ITEMS = 40
FOLDS = 5
CHOICES, QUESTION = 20, 4
_RIDGE = 4.0
_STEPS = 12
_SURE = re.compile(r"\b(?:always|never|all|none|only|every|must|cannot)\b", re.IGNORECASE)
_HEDGED = re.compile(r"\b(?:may|might|can|could|usually|often|some|sometimes|possibly|generally)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Choice:
    """One item as the probe sees it: where it is from, its question, its options, and which of them is right."""

    rank: str
    parent: str
    question: str
    options: tuple[str, ...]
    gold: int


class Audit:
    """Gathers items, then tells the figures of the card. Holds at most MOST_ITEMS of them, the first by hash."""

    def __init__(self) -> None:
        self._letters: Counter[int] = Counter()
        self._options = self._longest = 0
        self._held: list[tuple[int, str, Choice]] = []

    def add(self, rows: Iterable[Record]) -> None:
        """Count some items."""
        for row in rows:
            options, gold = tuple(row.meta["options"]), int(row.meta["gold"])
            lengths = [len(option) for option in options]
            self._letters[gold] += 1
            self._options = max(self._options, len(options))
            self._longest += lengths[gold] == max(lengths) and lengths.count(lengths[gold]) == 1
            rank = stable_hash("probe", row.id)
            item = Choice(rank, row.parents[0] if row.parents else row.id, str(row.meta["question"]), options, gold)
            # A heap of the smallest ranks: its top is the largest of them.
            entry = (-int(rank, 16), row.id, item)
            if len(self._held) < MOST_ITEMS:
                heapq.heappush(self._held, entry)
            else:
                heapq.heappushpop(self._held, entry)

    @property
    def letters(self) -> Counter[int]:
        """How often each place holds the right option."""
        return self._letters

    @property
    def places(self) -> int:
        """The largest number of options of an item."""
        return self._options

    @property
    def longest(self) -> float | None:
        """The share of items whose right option is the longest."""
        total = self._letters.total()
        return round(self._longest / total, 6) if total else None

    def probed(self) -> dict[str, float | int] | None:
        """`items` that the probes saw, `chance`, and the accuracies `choices` and `with_question`; None for too few.

        Items with as many options as most are seen.
        """
        items = [item for _, _, item in self._held]
        size = max(
            Counter(len(item.options) for item in items).items(), key=lambda pair: (pair[1], pair[0]), default=(0, 0)
        )
        items = sorted((item for item in items if len(item.options) == size[0]), key=lambda item: item.rank)
        if len(items) < LEAST_ITEMS or len({item.parent for item in items}) < FOLDS:
            return None
        table = features(items)
        return {
            "items": len(items),
            "chance": round(1 / size[0], 4),
            "choices": _accuracy(items, table[:, :, :CHOICES]),
            "with_question": _accuracy(items, table),
        }


def features(items: Sequence[Choice]) -> Table:
    """items x options x (20 + 4): what each option looks like against its rivals; multiples of 1/256."""
    import numpy as np

    told: Counter[str] = Counter(normalised(option) for item in items for option in item.options)
    words: Counter[str] = Counter(word for item in items for option in item.options for word in _words(option))
    table = np.zeros((len(items), len(items[0].options), CHOICES + QUESTION))
    for k, item in enumerate(items):
        sets = [frozenset(_words(option)) for option in item.options]
        asked = frozenset(_words(item.question))
        for j, option in enumerate(item.options):
            rivals = [other for i, other in enumerate(sets) if i != j]
            table[k, j] = _of_option(option, sets[j], rivals, asked, told, words, j)
    # Against the rivals: the mean of the item is no cue, and items differ in scale.
    table -= table.mean(axis=1, keepdims=True)
    table /= table.std(axis=(0, 1), keepdims=True) + 1e-9
    return np.asarray(np.rint(table * 256) / 256)


def _words(text: str) -> list[str]:
    return normalised(text).split()


def _of_option(
    option: str,
    own: frozenset[str],
    rivals: Sequence[frozenset[str]],
    asked: frozenset[str],
    told: Counter[str],
    words: Counter[str],
    place: int,
) -> list[float]:
    count = max(1, len(own))
    letters = max(1, len(option))
    alike = [likeness(own, rival) for rival in rivals]
    long = [word for word in own if len(word) >= 5]
    digits = sum(character.isdigit() for character in option)
    zeros = len(re.findall(r"0(?=\D|$)", option))
    rare = [math.log(words[word]) for word in own]
    return [
        math.log(letters), math.log(1 + len(option.split())), digits / letters, float(digits > 0), float(zeros),
        float(option[:1].isupper()), sum(c.isupper() for c in option) / letters,
        sum(not c.isalnum() and not c.isspace() for c in option) / letters, float(option.count(",")),
        float(option[-1:] in ".!?"), float(place), math.log(told[normalised(option)] or 1), sum(rare) / count,
        min(rare, default=0.0), sum(alike) / max(1, len(alike)), max(alike, default=0.0),
        len(_SURE.findall(option)) / count, len(_HEDGED.findall(option)) / count,
        sum(map(len, own)) / count, len(long) / count,
        # With the question in view.
        len(own & asked) / count, len(own & asked) / max(1, len(asked)), float(bool(set(long) & asked)),
        max((len(word) for word in own & asked), default=0) / 10,
    ]  # fmt: skip


def _accuracy(items: Sequence[Choice], table: Table) -> float:
    """The share of items whose right option a model of the other folds ranks first."""
    import numpy as np

    fold = np.array([int(stable_hash("fold", item.parent), 16) % FOLDS for item in items])
    gold = np.array([item.gold for item in items])
    right = 0
    for k in range(FOLDS):
        held = fold == k
        if not held.any() or held.all():
            continue
        weights = _fitted(table[~held], gold[~held])
        # Rounded, so that sums in another order of another machine decide the same.
        scores = np.round(table[held] @ weights, 6)
        right += int((scores.argmax(axis=1) == gold[held]).sum())
    return round(right / len(items), 4)


def _fitted(table: Table, gold: NDArray[Any]) -> Table:
    """Weights of a ridge-regularised conditional logit by Newton's method."""
    import numpy as np

    weights = np.zeros(table.shape[2])
    rows = np.arange(len(table))
    for _ in range(_STEPS):
        scores = table @ weights
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        odds /= odds.sum(axis=1, keepdims=True)
        mean = (odds[:, :, None] * table).sum(axis=1)
        slope = (table[rows, gold] - mean).sum(axis=0) - _RIDGE * weights
        spread = np.einsum("ij,ijk,ijl->kl", odds, table, table) - mean.T @ mean
        weights = weights + np.linalg.solve(spread + _RIDGE * np.eye(len(weights)), slope)
    return np.asarray(weights)
