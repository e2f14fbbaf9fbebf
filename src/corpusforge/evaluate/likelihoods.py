"""Tasks that need likelihoods, where an engine gives them: options by their text, bits per byte of texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import log
from typing import Any

from corpusforge.evaluate import grading
from corpusforge.evaluate.answering import Answer, Asked, Row, cluster_of

# The natural logarithm of each text's probability, in order; a string where it is not known, which says why.
Score = Callable[[Iterable[str]], Iterator[float | str]]


def score_tasks(tasks: Iterable[Asked], score: Score, window: int) -> dict[str, list[Answer]]:
    """Answers by task. Texts are cut into windows of at most `window` bytes, each scored by itself."""
    made: dict[str, list[Answer]] = {}
    for task in tasks:
        if task.kind == "cloze":
            made[task.name] = list(_options(task, score))
        elif task.kind == "text":
            made[task.name] = list(_texts(task, score, window))
    return made


def _options(task: Asked, score: Score) -> Iterator[Answer]:
    """An option's likelihood after the question is that of both together less that of the question alone."""
    asked: list[str] = []
    for row in task.rows:
        question = grading.rendered(task.told["prompt"], row)
        asked += [question, *(f"{question} {choice}" for choice in row["choices"])]
    scores = iter(list(score(asked)))
    for row in task.rows:
        own = [next(scores) for _ in range(1 + len(row["choices"]))]
        trouble = next((one for one in own if isinstance(one, str)), "")
        if trouble:
            yield _answer(row, dict.fromkeys(("acc", "acc_norm", "graded", "near"), 0.0), trouble)
            continue
        known = [one for one in own if isinstance(one, float)]
        yield _answer(row, grading.cloze(row, [(one - known[0], False) for one in known[1:]]))


def _texts(task: Asked, score: Score, window: int) -> Iterator[Answer]:
    pieces = [windows(row["text"], window) for row in task.rows]
    scores = iter(list(score(piece for own in pieces for piece in own)))
    for row, own in zip(task.rows, pieces, strict=True):
        found = [next(scores) for _ in own]
        trouble = next((one for one in found if isinstance(one, str)), "")
        size = len(row["text"].encode())
        total = sum(one for one in found if isinstance(one, float))
        # A text without figures is left out: nothing that it could count as is neither good nor bad.
        yield _answer(row, {} if trouble or not size else {"bits_per_byte": -total / log(2) / size}, trouble, size)


def windows(text: str, size: int) -> list[str]:
    """A text in pieces of at most `size` bytes that end after white space where they can; together they are the text.

    A token is at least a byte, so that a piece fits into a context of `size` tokens.
    """
    pieces: list[str] = []
    while len(text.encode()) > size:
        # Cut in bytes, then back to a whole character.
        cut = len(text.encode()[:size].decode("utf-8", "ignore"))
        space = max(text.rfind(" ", cut // 2, cut), text.rfind("\n", cut // 2, cut)) + 1
        cut = max(1, space or cut)
        pieces.append(text[:cut])
        text = text[cut:]
    return [*pieces, text] if text else pieces


def _answer(row: Row, scores: dict[str, float], trouble: str = "", weight: float = 1.0) -> Answer:
    return Answer(row["id"], cluster_of(row), row["source"], None, scores, trouble, weight)


def figures(answers: Sequence[Answer], metric: str) -> dict[str, Any]:
    """The values, clusters and weights of a metric, by item id, of the answers that have it."""
    own = [answer for answer in answers if metric in answer.scores]
    return {
        "values": {answer.item: answer.scores[metric] for answer in own},
        "clusters": {answer.item: answer.cluster for answer in own},
        "weights": {answer.item: answer.weight for answer in own},
    }
