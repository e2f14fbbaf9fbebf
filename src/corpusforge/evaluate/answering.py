"""Asks a model the exported tasks and grades each reply; what a chat model cannot be asked is named, not left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from corpusforge.errors import StepFailed, UsageError
from corpusforge.evaluate import grading
from corpusforge.evaluate.asking import Ask, Question, Reply
from corpusforge.evaluate.write import SEAL, verify_seal
from corpusforge.record import stable_hash

UNASKABLE = {"cloze", "text"}
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A task of the exported benchmark with the rows that are asked."""

    told: Mapping[str, Any]
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        """The task's name."""
        return str(self.told["name"])

    @property
    def kind(self) -> str:
        """letter, cloze, label, open or text."""
        return str(self.told["kind"])

    @property
    def judged(self) -> bool:
        """Whether its rows carry the source that a judge must see."""
        return bool(self.told["file"] == "qa.jsonl")


@dataclass(frozen=True, slots=True)
class Answer:
    """One model's answer to one item: its reply (None where no call came back), scores by metric, and what was wrong.

    `trouble` is empty, `unparsable`, or the kind of failure of the call; scores are 0 then. `cluster` is the document
    that the item is from; `weight` is 1, or a text's bytes.
    """

    item: str
    cluster: str
    source: str
    reply: str | None
    scores: Mapping[str, float]
    trouble: str = ""
    weight: float = 1.0


@dataclass(slots=True)
class Sitting:
    """One model's answers by task."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)

    def troubles(self, task: str) -> dict[str, int]:
        """How many answers of a task had which trouble."""
        return dict(sorted(Counter(a.trouble for a in self.answers[task] if a.trouble).items()))


def read_benchmark(build: Path, wanted: Sequence[str], limit: int | None) -> tuple[list[Asked], str]:
    """The tasks of a build's `eval/` and its seal. `wanted` names tasks or kinds; `limit` items of each at most.

    Items are limited by a hash of their ids, so that a smaller limit asks a part of a larger one's. Raises UsageError
    where there is no benchmark or no such task, StepFailed where a file was changed.
    """
    if not (build / SEAL).is_file() or not (build / "eval" / "tasks.json").is_file():
        what, hint = "this build has no benchmark.", "Hold something out (curate: holdout) and build with this version."
        raise UsageError(what, where=str(build), hint=hint)
    if changed := verify_seal(build):
        what = f"{changed[0]} is not what the seal says{', nor are others' if len(changed) > 1 else ''}."
        raise StepFailed(
            what, where=str(build), hint="Figures of a changed benchmark compare with nothing; build again."
        )
    told = orjson.loads((build / "eval" / "tasks.json").read_bytes())
    known = {str(task["name"]) for task in told["tasks"]} | {str(task["kind"]) for task in told["tasks"]}
    for name in wanted:
        if name not in known:
            hint = f"Known: {', '.join(sorted(known))}."
            raise UsageError(f"no task {name!r} in this benchmark.", where=str(build), hint=hint)
    tasks = [task for task in told["tasks"] if not wanted or task["name"] in wanted or task["kind"] in wanted]
    return [Asked(task, tuple(_rows(build, task, limit))) for task in tasks], str(told["seal"])


def sit(tasks: Iterable[Asked], ask: Ask, rotations: bool) -> Sitting:
    """One model's answers to all tasks that a chat model can be asked.

    With `rotations` an item's options are asked in every cyclic order; its scores are the mean over them.
    """
    made = Sitting()
    for task in tasks:
        if task.kind not in UNASKABLE:
            made.answers[task.name] = list(_answers(task, ask, rotations and task.kind == "letter"))
    return made


def _answers(task: Asked, ask: Ask, rotations: bool) -> Iterator[Answer]:
    plan = [(row, options) for row in task.rows for options in _orders(task, row, rotations)]
    tokens = int(task.told["max_tokens"])
    asked = (Question("evaluate", grading.rendered(task.told["prompt"], row, o), tokens) for row, o in plan)
    replies = iter(list(ask(asked)))
    for row in task.rows:
        orders = _orders(task, row, rotations)
        graded = [_graded(task, row, options, next(replies)) for options in orders]
        yield graded[0] if len(graded) == 1 else _mean(graded)


def _orders(task: Asked, row: Row, rotations: bool) -> list[Sequence[str]]:
    if task.kind == "label":
        return [task.told["labels"]]
    choices: Sequence[str] = row["choices"] if task.kind == "letter" else ()
    turns = range(len(choices)) if rotations else range(1)
    return [[*choices[turn:], *choices[:turn]] for turn in turns]


def _graded(task: Asked, row: Row, options: Sequence[str], reply: Reply) -> Answer:
    cluster = cluster_of(row)
    scores, trouble, said = {}, reply.error, None if reply.error else reply.text
    if task.kind == "letter":
        picked = None if said is None else grading.read_letter(said, options)
        trouble = trouble or ("" if picked is not None else "unparsable")
        grade = 0.0 if picked is None else grading.grades(row)[picked]
        scores = {"acc": float(grade == grading.RIGHT), "graded": grade, "near": float(grade == grading.NEAR)}
        said = said if picked is None else picked
    elif task.kind == "label":
        label = None if said is None else grading.read_label(said, options)
        trouble = trouble or ("" if label is not None else "unparsable")
        scores = {"acc": float(label == row["answer"])}
    else:
        said = None if said is None else grading.cut(said, task.told["stop"])
        scores = grading.open_scores(said or "", row)
        scores = dict.fromkeys(scores, 0.0) if said is None else scores
    return Answer(row["id"], cluster, row["source"], said, scores, trouble)


def cluster_of(row: Row) -> str:
    """The document that an item is from; itself where it has no parent."""
    parents = row.get("parents")
    return str(parents[0] if parents else row["id"])


def _mean(orders: Sequence[Answer]) -> Answer:
    first, n = orders[0], len(orders)
    scores = {metric: sum(answer.scores[metric] for answer in orders) / n for metric in first.scores}
    # The same option whatever its place; a letter that is preferred shows as less than 1.
    scores["consistent"] = float(len({answer.reply for answer in orders}) == 1 and not any(a.trouble for a in orders))
    trouble = next((answer.trouble for answer in orders if answer.trouble), "")
    return Answer(first.item, first.cluster, first.source, first.reply, scores, trouble)


def _rows(build: Path, task: Mapping[str, Any], limit: int | None) -> list[Row]:
    lines = (build / "eval" / task["file"]).read_bytes().splitlines()
    rows = [orjson.loads(line) for line in lines]
    if task["kind"] == "text":
        rows = [row for row in rows if (row["role"] == "public") == (task["role"] == "public")]
    if limit is not None and len(rows) > limit:
        chosen = {row["id"] for row in sorted(rows, key=lambda row: stable_hash("limit", row["id"]))[:limit]}
        rows = [row for row in rows if row["id"] in chosen]
    return rows
