"""The benchmark as tasks of inspect_ai: options by letter, labels, open answers, and answers graded by a judge.

Run them from any folder: `inspect eval inspect/benchmark.py --model MODEL`. Prompts come from tasks.json, grades from
grading.py; nothing is downloaded.
"""

import importlib.util
import json
from pathlib import Path

from inspect_ai import Task, task  # noqa: F401 (the tasks of this build follow below)
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.scorer import Score, mean, scorer, stderr
from inspect_ai.solver import solver

HERE = Path(__file__).resolve().parent
EVAL = HERE.parent
_found = importlib.util.spec_from_file_location("corpusforge_grading", HERE / "grading.py")
grading = importlib.util.module_from_spec(_found)
_found.loader.exec_module(grading)
TOLD = json.loads((EVAL / "tasks.json").read_text("utf-8"))
TASKS = {told["name"]: told for told in TOLD["tasks"]}
JUDGING = GenerateConfig(temperature=0.0, max_tokens=TOLD["judge"]["max_tokens"])
JUDGE = (HERE / "judge.txt").read_text("utf-8")


def _rows(told):
    with (EVAL / told["file"]).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@solver
def asked(name):
    """Send the task's fixed prompt; options in the order that the sample has now, shuffled or not."""
    told = TASKS[name]

    async def solve(state, generate):
        options = [choice.value for choice in state.choices] or told["labels"]
        row = state.metadata["row"]
        state.user_prompt.text = grading.rendered(told["prompt"], row, options)
        return await generate(state, temperature=0.0, max_tokens=told["max_tokens"])

    return solve


@scorer(metrics={"acc": [mean(), stderr()], "graded": [mean(), stderr()], "near": [mean()], "unparsable": [mean()]})
def by_letter():
    """The grade of the option that was named, found by its text: an index means another option after a shuffle."""

    async def score(state, target):
        picked = grading.read_letter(state.output.completion, [choice.value for choice in state.choices])
        grade = grading.grades(state.metadata["row"]).get(picked, 0.0)
        value = {
            "acc": float(grade == grading.RIGHT),
            "graded": grade,
            "near": float(grade == grading.NEAR),
            "unparsable": float(picked is None),
        }
        return Score(value=value, answer=picked)

    return score


@scorer(metrics={"acc": [mean(), stderr()], "unparsable": [mean()]})
def by_label(name):
    """Whether the reply is the right one of the labels."""
    labels = TASKS[name]["labels"]

    async def score(state, target):
        picked = grading.read_label(state.output.completion, labels)
        return Score(value={"acc": float(picked == target.text), "unparsable": float(picked is None)}, answer=picked)

    return score


@scorer(metrics={"exact": [mean(), stderr()], "word_f1": [mean(), stderr()]})
def by_words(name):
    """Exact match and F1 of words."""
    stops = TASKS[name]["stop"]

    async def score(state, target):
        reply = grading.cut(state.output.completion, stops)
        return Score(value=grading.open_scores(reply, state.metadata["row"]), answer=reply)

    return score


@scorer(metrics={"correct": [mean(), stderr()], "graded": [mean(), stderr()], "unparsable": [mean()]})
def by_judge(name):
    """The verdict of `--model-role grader=MODEL`, which sees source and reference; no verdict is no point."""
    stops = TASKS[name]["stop"]

    async def score(state, target):
        row, reply = state.metadata["row"], grading.cut(state.output.completion, stops)
        source, verdict, said = grading.source_of(row), None, ""
        if source and reply.strip():
            text = grading.filled(
                JUDGE, question=row["question"], source=source, reference=grading.reference_of(row), answer=reply
            )
            given = await get_model(role="grader").generate(text, config=JUDGING)
            said = given.completion
            verdict = grading.read_verdict(said)
        value = {
            "correct": float(verdict == "correct"),
            "graded": grading.VERDICTS.get(verdict, 0.0),
            "unparsable": float(verdict is None),
        }
        return Score(value=value, answer=reply, explanation=said)

    return score


def _choices(name, shuffle):
    rows = _rows(TASKS[name])
    samples = [
        Sample(
            id=row["id"],
            input=row["question"],
            choices=row["choices"],
            target=row["letters"][row["gold"]],
            metadata={"row": row},
        )
        for row in rows
    ]
    dataset = MemoryDataset(samples, name=name)
    if shuffle is not None:
        dataset.shuffle_choices(seed=shuffle)
    return Task(dataset=dataset, solver=asked(name), scorer=by_letter())


def _answers(name, graded):
    samples = [
        Sample(id=row["id"], input=row.get("prompt") or row["question"], target=row["answer"], metadata={"row": row})
        for row in _rows(TASKS[name])
    ]
    return Task(dataset=MemoryDataset(samples, name=name), solver=asked(name), scorer=graded)
