"""What is got without knowing anything: a guesser, the most frequent answer, and a look at the options alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import log2
from typing import Any

from corpusforge.evaluate.grading import RIGHT, grades, open_scores, plain
from corpusforge.evaluate.tasks import EvalTask, chance
from corpusforge.record import stable_hash
from corpusforge.wilson import wilson

Rows = Sequence[Mapping[str, Any]]


def baselines(tasks: Sequence[EvalTask], rows: Mapping[str, Rows]) -> dict[str, dict[str, Any]]:
    """For each task: `random` (what is expected), `majority` and, for multiple choice, `choices_only`."""
    return {task.name: _task(task, rows[task.name]) for task in tasks}


def _task(task: EvalTask, rows: Rows) -> dict[str, Any]:
    made: dict[str, Any] = {"items": len(rows), "random": _round(chance(task, rows))}
    if not rows:
        return made
    if task.kind == "text":
        return {**made, "majority": {"bits_per_byte": round(_byte_entropy(rows), 6)}}
    made["majority"] = _round(_majority(task, rows))
    if task.kind in ("letter", "cloze"):
        made["choices_only"] = _choices_only(rows)
    return made


def _majority(task: EvalTask, rows: Rows) -> dict[str, float]:
    """The same answer every time: the letter, label or open answer that is right most often."""
    n = len(rows)
    if task.kind == "open":
        often = Counter(reference for row in rows for reference in _references(row))
        answer = min(often, key=lambda text: (-often[text], text))
        scores = [open_scores(answer, row) for row in rows]
        return {metric: sum(score[metric] for score in scores) / n for metric in scores[0]}
    gold = Counter(row["gold"] for row in rows)
    place = min(gold, key=lambda index: (-gold[index], index))
    if task.kind == "label":
        return {"acc": gold[place] / n}
    picked = [grades(row)[row["choices"][min(place, len(row["choices"]) - 1)]] for row in rows]
    return {"acc": sum(grade == RIGHT for grade in picked) / n, "graded": sum(picked) / n}


def _references(row: Mapping[str, Any]) -> set[str]:
    return {plain(answer) for answer in row["answers"]}


def _choices_only(rows: Rows) -> dict[str, Any]:
    """How often the right option is found without its question, by the better of two halves' best rules.

    Each rule looks at the options alone. The rule that does best on one half (by a hash of ids) is tried on the other,
    both ways round, so that a rule which fits by accident gains nothing.
    """
    halves: tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]] = ([], [])
    for row in rows:
        halves[int(stable_hash("half", str(row["id"])), 16) % 2].append(row)
    right, used = 0, []
    for learn, try_on in (halves, halves[::-1]):
        rule = max(sorted(_RULES), key=lambda name: sum(_hit(_RULES[name], row) for row in learn))
        right += sum(_hit(_RULES[rule], row) for row in try_on)
        used.append(rule)
    low, high = wilson(right, len(rows))
    return {
        "acc": round(right / len(rows), 6),
        "low": round(low, 6),
        "high": round(high, 6),
        "rules": sorted(set(used)),
    }


def _hit(rule: Callable[[Sequence[str], int], float], row: Mapping[str, Any]) -> bool:
    choices = row["choices"]
    # Ties go by a hash of the text, so that no rule profits from where options stand.
    picked = max(range(len(choices)), key=lambda index: (rule(choices, index), stable_hash(choices[index])))
    return picked == int(row["gold"])


def _shared(choices: Sequence[str], index: int) -> float:
    own = set(plain(choices[index]).split())
    others = [set(plain(choice).split()) for place, choice in enumerate(choices) if place != index]
    return sum(len(own & other) / max(1, len(own | other)) for other in others)


_RULES: dict[str, Callable[[Sequence[str], int], float]] = {
    "longest": lambda choices, index: len(choices[index]),
    "shortest": lambda choices, index: -len(choices[index]),
    "most-like-the-others": _shared,
    "least-like-the-others": lambda choices, index: -_shared(choices, index),
    "most-digits": lambda choices, index: sum(letter.isdigit() for letter in choices[index]),
    "most-words": lambda choices, index: len(choices[index].split()),
    "most-punctuation": lambda choices, index: sum(not (c.isalnum() or c.isspace()) for c in choices[index]),
}


def _byte_entropy(rows: Rows) -> float:
    """Bits per byte of a model that knows only how often each byte occurs in these very texts."""
    counts: Counter[int] = Counter()
    for row in rows:
        counts.update(row["text"].encode())
    total = counts.total()
    return -sum(n / total * log2(n / total) for n in counts.values()) if total else 0.0


def _round(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in figures.items()}
