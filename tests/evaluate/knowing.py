"""An all-knowing model and a guesser, as functions of a prompt's text alone; no framework, no look at the export."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Mapping

OPTION = re.compile(r"^([A-P])\. (.*)$", re.MULTILINE)
UNIFORM = 8 * 0.6931471805599453


class Knowing:
    """Knows the answer to every question that stands in its truth, or several: long ones are shortened for choices."""

    def __init__(self, answers: Mapping[str, str | list[str]]) -> None:
        self._answers = answers
        self._questions = sorted(answers, key=lambda question: (-len(question), question))

    def right(self, prompt: str) -> list[str]:
        """The right words for the longest known question in the prompt."""
        found = next(self._answers[question] for question in self._questions if question in prompt)
        return [found] if isinstance(found, str) else found

    def said(self, prompt: str) -> str:
        """What it replies: a letter where options are listed by letter, else the words."""
        right = self.right(prompt)
        if "letter of the right option" not in prompt:
            return right[0]
        return next(letter for letter, text in OPTION.findall(prompt) if text.strip() in right)

    def likelihood(self, prompt: str, continuation: str) -> float:
        letters = "letter of the right option" in prompt
        right = [self.said(prompt)] if letters else [words.strip() for words in self.right(prompt)]
        return 0.0 if continuation.strip() in right else -50.0

    def text_likelihood(self, text: str) -> float:
        return 0.0


class Guessing:
    """Answers at random, the same each time it meets the same prompt."""

    def __init__(self, answers: list[str]) -> None:
        self._answers = sorted(set(answers))

    def _dice(self, *parts: str) -> random.Random:
        return random.Random(zlib.crc32("\0".join(parts).encode()))

    def said(self, prompt: str) -> str:
        if "letter of the right option" in prompt:
            return self._dice(prompt).choice([letter for letter, _ in OPTION.findall(prompt)])
        if "Answer with one of the labels." in prompt:
            return self._dice(prompt).choice(re.findall(r"^- (.*)$", prompt.split("\nLabels:\n")[1], re.MULTILINE))
        return self._dice(prompt).choice(self._answers)

    def likelihood(self, prompt: str, continuation: str) -> float:
        # By characters, so that an option's length neither helps nor hurts where likelihood is divided by it.
        return -self._dice(prompt, continuation).random() * len(continuation.strip())

    def text_likelihood(self, text: str) -> float:
        return -UNIFORM * len(text.encode())
