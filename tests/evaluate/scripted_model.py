"""Models that answer by script, in process: perfect, guessing, always A, muttering, and judges of several minds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator

from corpusforge.evaluate.asking import Question, Reply


class Scripted:
    """Answers each prompt by a function of it, and keeps what it was asked."""

    def __init__(self, say: Callable[[str], str]) -> None:
        self._say = say
        self.asked: list[Question] = []

    def __call__(self, questions: Iterable[Question], /) -> Iterator[Reply]:
        for question in questions:
            self.asked.append(question)
            yield Reply(self._say(question.prompt))


def broken(questions: Iterable[Question], /) -> Iterator[Reply]:
    """Every call dies."""
    for _ in questions:
        yield Reply("", "timeout")


def between(prompt: str, tag: str) -> str:
    """What stands between a tag of the judge's prompt."""
    return prompt.partition(f"<{tag}>\n")[2].partition(f"\n</{tag}>")[0]


def fair_judge(prompt: str) -> str:
    """Compares words with the reference; of two answers prefers the one that is the reference."""
    reference = between(prompt, "reference")
    if "<answer>" in prompt:
        answer = between(prompt, "answer")
        verdict = (
            "correct" if answer == reference else "partly" if set(answer.split()) & set(reference.split()) else "wrong"
        )
        return f"It was compared with the reference.\n{verdict}"
    same = [between(prompt, tag) == reference for tag in ("answer-1", "answer-2")]
    return "Compared.\n" + ("tie" if same[0] == same[1] else "1" if same[0] else "2")


def first_judge(prompt: str) -> str:
    """Always prefers what comes first: its verdict follows the order."""
    return "The first is better.\n1"


def noisy(share: float, seed: int) -> Callable[[str], str]:
    """A fair judge that answers by chance in a share of cases."""
    dice = random.Random(seed)

    def say(prompt: str) -> str:
        if dice.random() < share:
            return "Hm.\n" + dice.choice(("correct", "partly", "wrong"))
        return fair_judge(prompt)

    return say
