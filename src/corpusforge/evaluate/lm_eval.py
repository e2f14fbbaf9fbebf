"""Task files for lm-evaluation-harness: options by letter and by text, open answers, labels, bits per byte of texts.

Run in 0.4.13 with a model that is always right and one that guesses (`make test-evals`). `gold` stays an integer
column that we wrote ourselves: class encoding shifts labels where a file's first row does not hold the first class.
Grades come from `grading.py` beside the files. `doc_to_target` names a column: a template's text that looks like a
number or a list would be evaluated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from corpusforge.evaluate.tasks import EvalTask

_MEAN = {"aggregation": "mean", "higher_is_better": True}
_FEWER = {"aggregation": "mean", "higher_is_better": False}


class _Function(str):
    """A reference to a function beside the file, which YAML marks with `!function`."""


class _Dumper(yaml.SafeDumper):
    """Writes prompts line by line, as a person reads them."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value.strip("\n") else None)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(_Function, lambda dumper, value: dumper.represent_scalar("!function", str(value)))


def task_files(tasks: Sequence[EvalTask], tag: str, seal: str) -> dict[str, bytes]:
    """The YAML files by file name; `tag` runs them all."""
    made: dict[str, bytes] = {}
    for task in tasks:
        body = {
            "task": task.name,
            "tag": tag,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": task.file}},
            "test_split": "test",
            **_body(task),
            "num_fewshot": 0,
            "metadata": {"version": 2.0, "corpusforge_seal": seal, "prompt_sha256": task.prompt.sha256},
        }
        made[f"{task.name}.yaml"] = yaml.dump(body, Dumper=_Dumper, sort_keys=False, width=1000).encode()
    return made


def _body(task: EvalTask) -> dict[str, Any]:
    if task.kind == "text":
        return {
            "output_type": "loglikelihood_rolling",
            "process_docs": _Function(f"grading.{task.role}_texts"),
            "doc_to_text": "",
            "doc_to_target": "text",
            "metric_list": [
                {"metric": metric, "aggregation": aggregation, "higher_is_better": False}
                for metric, aggregation in (
                    ("bits_per_byte", "bits_per_byte"),
                    ("byte_perplexity", "weighted_perplexity"),
                )
            ],
        }
    asked = {"doc_to_text": task.prompt.jinja(task.labels)}
    if task.kind == "open":
        return {
            "output_type": "generate_until",
            **asked,
            "doc_to_target": "answer",
            "generation_kwargs": {
                "until": list(task.stop),
                "max_gen_toks": task.max_tokens,
                "temperature": 0,
                "do_sample": False,
            },
            "process_results": _Function("grading.open_answer"),
            "metric_list": [{"metric": "exact", **_MEAN}, {"metric": "word_f1", **_MEAN}],
        }
    choices: Any = list(task.labels) if task.kind == "label" else "letters" if task.kind == "letter" else "choices"
    metrics = {
        "label": [{"metric": "acc", **_MEAN}],
        "letter": [{"metric": "acc", **_MEAN}, {"metric": "graded", **_MEAN}, {"metric": "near", **_FEWER}],
        "cloze": [
            {"metric": "acc", **_MEAN},
            {"metric": "acc_norm", **_MEAN},
            {"metric": "graded", **_MEAN},
            {"metric": "near", **_FEWER},
        ],
    }
    guard = {} if task.kind == "label" else {"doc_to_decontamination_query": "question", "should_decontaminate": True}
    return {
        "output_type": "multiple_choice",
        **asked,
        "doc_to_choice": choices,
        "doc_to_target": "gold",
        "process_results": _Function(f"grading.{task.kind}"),
        "metric_list": metrics[task.kind],
        **guard,
    }
