"""The benchmark's tasks: one fixed prompt each, written here once and rendered into every format."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from corpusforge.evaluate.grading import NEAR, plain, rendered

Kind = Literal["letter", "cloze", "open", "label", "text"]
PROMPTS_VERSION = 1
MAX_LABELS = 200
_ROWS_PER_LABEL = 5
_LABEL_CHARS = 80


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt with `{columns}` of the row in `head`, a line for each option ({letter}, {text}), and `tail`."""

    head: str
    option: str = ""
    tail: str = ""

    def to_json(self) -> dict[str, str]:
        """As it stands in tasks.json, where the inspect tasks read it."""
        return {"head": self.head, "option": self.option, "tail": self.tail}

    @property
    def sha256(self) -> str:
        """Names the prompt in reports."""
        return hashlib.sha256(orjson.dumps([self.head, self.option, self.tail])).hexdigest()

    def jinja(self, labels: Sequence[str] = ()) -> str:
        """The same prompt for lm-evaluation-harness; options are the row's `choices`, or fixed `labels`."""
        options = ""
        if labels:
            options = "".join(_literal(self.option.replace("{text}", label)) for label in labels)
        elif self.option:
            line = _slots(self.option.replace("{letter}", "{letters[loop.index0]}").replace("{text}", "{choice}"))
            options = f"{{% for choice in choices %}}{line}{{% endfor %}}"
        return _slots(self.head) + options + self.tail


def _slots(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _literal(text: str) -> str:
    # A label is a user's text: what begins a Jinja tag in it must stay text.
    return text.replace("{", '{{ "{" }}')


LETTER = Prompt("{question}\n", "{letter}. {text}\n", "Answer with the letter of the right option.\nAnswer:")
QUESTION = Prompt("Question: {question}\nAnswer:")
LABEL = Prompt("{prompt}\n\nLabels:\n", "- {text}\n", "Answer with one of the labels.\nAnswer:")
GIVEN = Prompt("{prompt}\nAnswer:")
TEXT = Prompt("{text}")


@dataclass(frozen=True, slots=True)
class EvalTask:
    """A task over one table. `labels` are the closed set of a labelled source; `role` chooses texts."""

    name: str
    kind: Kind
    table: str
    prompt: Prompt
    labels: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    max_tokens: int = 32
    role: str = ""

    @property
    def file(self) -> str:
        """Its rows, below `eval/`."""
        return f"{self.table}.jsonl"

    @property
    def metric(self) -> str:
        """The figure that stands for the task."""
        metrics = {"letter": "acc", "cloze": "acc_norm", "label": "acc", "open": "word_f1", "text": "bits_per_byte"}
        return metrics[self.kind]

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Those of its table's rows that it asks."""
        if self.kind != "text":
            return list(rows)
        return [row for row in rows if (row["role"] == "public") == (self.role == "public")]

    def options(self, row: Mapping[str, Any]) -> Sequence[str]:
        """What the prompt lists: a row's choices, the labels, or nothing."""
        if not self.prompt.option:
            return ()
        options: Sequence[str] = self.labels or row["choices"]
        return options

    def text(self, row: Mapping[str, Any]) -> str:
        """The prompt of a row, byte for byte as every framework sends it."""
        return rendered(self.prompt.to_json(), row, self.options(row))

    def to_json(self, items: int) -> dict[str, Any]:
        """As it stands in tasks.json."""
        return {
            "name": self.name,
            "kind": self.kind,
            "file": self.file,
            "items": items,
            "prompt": self.prompt.to_json(),
            "prompt_sha256": self.prompt.sha256,
            "labels": list(self.labels),
            "stop": list(self.stop),
            "max_tokens": self.max_tokens,
            "metric": self.metric,
            "role": self.role,
        }


def prefix_of(name: str) -> str:
    """A recipe's name as the beginning of task names: an identifier of Python, as inspect's tasks are functions."""
    prefix = _identifier(name.lower())
    return f"c{prefix}" if prefix[:1].isdigit() else prefix or "corpus"


def make_tasks(
    name: str, tables: Mapping[str, Sequence[Mapping[str, Any]]], labels: Mapping[str, Sequence[str]]
) -> list[EvalTask]:
    """The tasks over the tables, by name. `labels` gives each source's closed set of labels, if it has one."""
    prefix = prefix_of(name)
    made: list[EvalTask] = []
    taken: set[str] = set()
    for table, rows in sorted(tables.items()):
        if table == "mcq":
            made.append(EvalTask(f"{prefix}_mcq_letter", "letter", table, LETTER))
            made.append(EvalTask(f"{prefix}_mcq_cloze", "cloze", table, QUESTION))
        elif table == "qa":
            made.append(_open(f"{prefix}_qa_open", table, QUESTION, rows))
        elif table == "holdout_text":
            for role in sorted({"public" if row["role"] == "public" else "domain" for row in rows}):
                made.append(EvalTask(f"{prefix}_text_{role}", "text", table, TEXT, role=role))
        else:
            source = table.removeprefix("tasks/")
            task = _free(f"{prefix}_task_{_identifier(source)}", taken)
            if found := tuple(labels.get(source, ())):
                longest = max(len(label.encode()) for label in found)
                made.append(EvalTask(task, "label", table, LABEL, labels=found, max_tokens=max(32, longest)))
            else:
                made.append(_open(task, table, GIVEN, rows))
    return sorted(made, key=lambda task: task.name)


def closed_set(answers: Mapping[str, int]) -> tuple[str, ...]:
    """The labels of a source from how often each answer stands in it, sorted; none if it has no closed set.

    At most 200 different answers, short, of one line, on average five rows or more for each, and no two alike up to
    case and punctuation.
    """
    rows = sum(answers.values())
    if not 2 <= len(answers) <= MAX_LABELS or rows < _ROWS_PER_LABEL * len(answers):
        return ()
    if any(len(answer) > _LABEL_CHARS or "\n" in answer or not answer.strip() for answer in answers):
        return ()
    if len({plain(answer) for answer in answers}) < len(answers):
        return ()
    return tuple(sorted(answers))


def chance(task: EvalTask, rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """What a guesser is expected to get, by metric.

    Letters, texts and labels are drawn evenly; of open answers, one of the task's different reference answers. Texts
    are guessed byte by byte: 8 bits each.
    """
    if task.kind == "text":
        return {"bits_per_byte": 8.0}
    if not rows:
        return {}
    n = len(rows)
    if task.kind == "label":
        return {"acc": 1 / len(task.labels)}
    if task.kind == "open":
        references = [{plain(answer) for answer in row["answers"]} for row in rows]
        return {"exact": sum(map(len, references)) / n / len(set().union(*references))}
    right = sum(1 / len(row["choices"]) for row in rows) / n
    near = sum(len(row["near_indices"]) / len(row["choices"]) for row in rows) / n
    extra = {"acc_norm": right} if task.kind == "cloze" else {}
    return {"acc": right, **extra, "near": near, "graded": right + NEAR * near}


def _open(name: str, table: str, prompt: Prompt, rows: Sequence[Mapping[str, Any]]) -> EvalTask:
    answers = [answer for row in rows for answer in row["answers"]]
    # An answer ends where the model goes on to something else; a stop that an answer holds would cut it short.
    stop = next((s for s in ("\n", "\nQuestion:", "\n\n\n") if not any(s in answer.strip() for answer in answers)), "")
    longest = max((len(answer.encode()) for answer in answers), default=0)
    most = min(1024, max(64, -(-longest // 2)))
    return EvalTask(name, "open", table, prompt, stop=(stop,) if stop else (), max_tokens=most)


def _identifier(text: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in text)


def _free(name: str, taken: set[str]) -> str:
    number, free = 2, name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    taken.add(free)
    return free
