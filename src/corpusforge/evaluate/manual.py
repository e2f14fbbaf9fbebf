"""The README in the benchmark's folder: what is in it, and the commands that run it from there, offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from corpusforge.evaluate.grading import FAR, NEAR, RIGHT
from corpusforge.evaluate.inspect_file import inspect_names
from corpusforge.evaluate.judge import JUDGE
from corpusforge.evaluate.tasks import EvalTask, prefix_of

_KINDS = {
    "letter": "multiple choice, options by letter",
    "cloze": "multiple choice, options by their text's likelihood (for base models)",
    "open": "open answers",
    "label": "one of {labels} labels",
    "text": "held-out {role} text, bits per byte (comparable between tokenizers)",
}

_TEXT = """# {name}: the held-out benchmark

Made by corpusforge from documents that were split off, with all their duplicates, before anything was generated; no
training row descends from them. `SEAL.json` holds the sha256 of every file and of every item; its seal is
`{seal}`.

| task | what | items | rows | guesser |
|---|---|---:|---|---|
{table}

Multiple choice is graded: right {right:g}, slightly wrong (`near_indices`) {near:g}, completely wrong
(`far_indices`) {far:g}. Grades go by an option's text, so options may be shuffled. `gold` is an integer
column, counted from 0. `baselines.json` has what a guesser, the most frequent answer and a look at the
options alone get; a score is worth what it is above them.

## lm-evaluation-harness

```sh
pip install 'lm_eval[hf]==0.4.13'
cd {folder}                            # this folder: the task files name the rows relative to it
HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 lm_eval run --include_path lm_eval --tasks {tag} \\
  --model hf --model_args pretrained=MODEL --log_samples --output_path results
```

`{tag}` runs every task; a task's name runs one. `hashes.json` holds the `doc_hash`, `prompt_hash` and `target_hash`
that `--log_samples` must show for each item (without `--apply_chat_template`): who has others asked something else.
A model behind an endpoint without likelihoods can run the open answers only.

## inspect_ai

```sh
pip install inspect_ai
inspect eval {folder}/inspect/benchmark.py --model MODEL
{judged}```

`-T shuffle=1` shuffles the options of the letter tasks. Tasks that need likelihoods are for the harness alone:
{likelihood}.
{judge}
## corpusforge

```sh
corpusforge evaluate BUILD --model kind=endpoint,model=NAME,address=URL
```

asks the same prompts and adds intervals, paired tests between two models, and a judge with its calibration.
"""
_JUDGE = """
The judge's prompt is `inspect/judge.txt` (`{judge}`, sha256
`{sha}`): source and reference are given,
the reason comes first, the verdict last. A reply without a verdict is no point, and is counted (`unparsable`).
Label a hundred answers by hand before you believe a judge.
"""


def manual(name: str, tasks: Sequence[EvalTask], figures: Mapping[str, Any], seal: str) -> str:
    """The README's text."""
    lines = []
    for task in tasks:
        what = _KINDS[task.kind].format(labels=len(task.labels), role=task.role)
        told = figures[task.name]
        guess = ", ".join(f"{metric} {value:.3g}" for metric, value in told["random"].items())
        lines.append(f"| `{task.name}` | {what} | {told['items']:,} | `{task.file}` | {guess} |")
    names = inspect_names(tasks)
    judged = next((f for f in names if f.endswith("_judged")), "")
    likelihood = ", ".join(f"`{task.name}`" for task in tasks if task.name not in names) or "none here"
    run_judged = f"inspect eval FOLDER/inspect/benchmark.py@{judged} --model MODEL --model-role grader=JUDGE\n"
    return _TEXT.format(
        name=name,
        seal=seal,
        table="\n".join(lines),
        right=RIGHT,
        near=NEAR,
        far=FAR,
        folder="FOLDER",
        tag=prefix_of(name),
        judged=run_judged if judged else "",
        likelihood=likelihood,
        judge=_JUDGE.format(judge=JUDGE.name, sha=JUDGE.sha256) if judged else "",
    )
