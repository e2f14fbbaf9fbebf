"""The judge: a fixed prompt with source and reference, a verdict of three levels, and pairs seen in both orders."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from corpusforge.evaluate.asking import Ask, Question, Reply
from corpusforge.evaluate.grading import VERDICTS, filled, read_preference, read_verdict, reference_of, source_of

VERDICT_TOKENS = 400
Trouble = Literal["", "no-source", "no-answer", "call-failed", "unparsable"]
Outcome = Literal["first", "second", "tie", "flipped", "unparsable", "call-failed", "no-source", "no-answer"]


@dataclass(frozen=True, slots=True)
class JudgePrompt:
    """A prompt file of the judge. A changed prompt is a new file with a new name: compared runs share its hash."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Names the prompt in reports."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def _prompt(name: str) -> JudgePrompt:
    return JudgePrompt(name, files("corpusforge.evaluate").joinpath("prompts", f"{name}.txt").read_text("utf-8"))


JUDGE = _prompt("judge-v1")
COMPARE = _prompt("compare-v1")


@dataclass(frozen=True, slots=True)
class Judged:
    """The judge's verdict on one answer, or why there is none; `score` is 0 without one."""

    verdict: str
    trouble: Trouble = ""
    reply: str = ""

    @property
    def score(self) -> float:
        """1 for correct, 0.5 for partly, 0 for wrong and for what could not be judged."""
        return VERDICTS.get(self.verdict, 0.0)


@dataclass(frozen=True, slots=True)
class Compared:
    """Pairwise outcomes: only what the judge says in both orders is a win or a tie."""

    outcomes: tuple[Outcome, ...]

    def count(self) -> dict[str, int]:
        """How often each outcome is there."""
        return dict(sorted(Counter(self.outcomes).items()))

    @property
    def flip_rate(self) -> float | None:
        """The share of pairs, read in both orders, in which the order changed the verdict; None if there is none."""
        read = [outcome for outcome in self.outcomes if outcome in ("first", "second", "tie", "flipped")]
        return read.count("flipped") / len(read) if read else None


def judge_answers(
    rows: Sequence[Mapping[str, Any]], answers: Sequence[str | None], ask: Ask, prompt: JudgePrompt = JUDGE
) -> list[Judged]:
    """One verdict for each row and its answer, in order; None is an answer that never came.

    The judge always sees the words of the source itself. A row without any, an answer that is empty, a call that fails
    and a reply without a verdict as its last line are no verdicts: they count as wrong, and are counted.
    """
    asked: list[Question] = []
    made: list[Judged | None] = []
    for row, answer in zip(rows, answers, strict=True):
        trouble = _beforehand(row, answer)
        made.append(Judged("", trouble) if trouble else None)
        if not trouble:
            parts = {"question": row["question"], "source": source_of(row), "reference": reference_of(row)}
            asked.append(Question("judge", filled(prompt.text, **parts, answer=answer or ""), VERDICT_TOKENS))
    replies = iter(list(ask(asked)))
    return [one if one is not None else _read(next(replies)) for one in made]


def compare_answers(
    rows: Sequence[Mapping[str, Any]], first: Sequence[str | None], second: Sequence[str | None], ask: Ask
) -> Compared:
    """Which of two answers is better, each pair asked in both orders; a verdict that follows the order is `flipped`."""
    asked: list[Question] = []
    plan: list[Outcome | None] = []
    for row, one, two in zip(rows, first, second, strict=True):
        trouble: Outcome | None = None
        if not source_of(row):
            trouble = "no-source"
        elif not (one or "").strip() and not (two or "").strip():
            trouble = "no-answer"
        plan.append(trouble)
        if trouble is None:
            parts = {"question": row["question"], "source": source_of(row), "reference": reference_of(row)}
            for left, right in ((one, two), (two, one)):
                text = filled(COMPARE.text, **parts, first=left or "", second=right or "")
                asked.append(Question("judge", text, VERDICT_TOKENS))
    replies = iter(list(ask(asked)))
    return Compared(tuple(trouble or _both(replies) for trouble in plan))


def _beforehand(row: Mapping[str, Any], answer: str | None) -> Trouble:
    if answer is None or not answer.strip():
        return "no-answer"
    return "" if source_of(row) else "no-source"


def _read(reply: Reply) -> Judged:
    if reply.error:
        return Judged("", "call-failed")
    verdict = read_verdict(reply.text)
    return Judged(verdict, "", reply.text) if verdict else Judged("", "unparsable", reply.text)


def _both(replies: Iterator[Reply]) -> Outcome:
    one, two = next(replies), next(replies)
    if one.error or two.error:
        return "call-failed"
    forward, backward = read_preference(one.text), read_preference(two.text)
    if forward is None or backward is None:
        return "unparsable"
    backward = {"1": "2", "2": "1", "tie": "tie"}[backward]
    if forward != backward:
        return "flipped"
    outcomes: dict[str, Outcome] = {"1": "first", "2": "second", "tie": "tie"}
    return outcomes[forward]
