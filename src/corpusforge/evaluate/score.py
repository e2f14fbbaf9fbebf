"""Scores answers to the exported items without any framework: what an oracle and a guesser must get."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import orjson

Choose = Callable[[str, Sequence[str]], int]
Answer = Callable[[str], str]
_PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]")


@dataclass(frozen=True, slots=True)
class ChoiceScore:
    """Multiple choice: items, right answers, and those where a slightly or a completely wrong option was taken."""

    items: int
    right: int
    near: int
    far: int

    @property
    def accuracy(self) -> float:
        """Right answers per item, from 0 to 1."""
        return self.right / self.items if self.items else 0.0


@dataclass(frozen=True, slots=True)
class AnswerScore:
    """Open answers: items, exact matches, and the mean F1 of words (as in SQuAD, arXiv 1606.05250)."""

    items: int
    exact: int
    f1: float


def read_items(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of an exported .jsonl file."""
    with path.open("rb") as file:
        for line in file:
            yield orjson.loads(line)


def score_choices(items: Iterable[Mapping[str, Any]], choose: Choose) -> ChoiceScore:
    """Let `choose(question, options)` pick the index of an option for each item."""
    counts: Counter[str] = Counter()
    for item in items:
        picked = choose(item["question"], item["choices"])
        counts["items"] += 1
        counts["right"] += picked == item["gold"]
        counts["near"] += picked in item["near_indices"]
        counts["far"] += picked in item["far_indices"]
    return ChoiceScore(counts["items"], counts["right"], counts["near"], counts["far"])


def score_answers(items: Iterable[Mapping[str, Any]], answer: Answer) -> AnswerScore:
    """Let `answer(prompt or question)` answer each item; compared without case, punctuation and extra spaces."""
    count, exact, f1 = 0, 0, 0.0
    for item in items:
        given, gold = plain(answer(item.get("prompt") or item["question"])), plain(item["answer"])
        count += 1
        exact += given == gold
        f1 += _f1(given.split(), gold.split())
    return AnswerScore(count, exact, f1 / count if count else 0.0)


def plain(text: str) -> str:
    """Text in lower case without punctuation and with single spaces; a text of punctuation alone stays as it is."""
    bare = " ".join(_PUNCTUATION.sub(" ", text.casefold()).split())
    return bare or text.strip()


def _f1(given: Sequence[str], gold: Sequence[str]) -> float:
    both = sum((Counter(given) & Counter(gold)).values())
    if not both:
        return 0.0
    return 2 * both / (len(given) + len(gold))


def wilson(right: int, items: int, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of a share (Wilson 1927), by default at 95%: lower and upper bound from 0 to 1."""
    if items == 0:
        return 0.0, 1.0
    share = right / items
    middle = share + z * z / (2 * items)
    spread = z * sqrt(share * (1 - share) / items + z * z / (4 * items * items))
    scale = 1 + z * z / items
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
