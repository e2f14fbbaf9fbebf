"""Task files for lm-evaluation-harness: multiple choice by letter and by text, open questions, labelled tasks.

The shapes were run in lm-eval 0.4.13 with a model that is always right, as models answer (with a blank before the
answer), and one that is always wrong: they score 1 and 0. `gold` stays an integer column that we wrote ourselves: class
encoding shifts labels where a file's first row does not hold the first class. Run it in the folder `eval/`:
`lm_eval --include_path lm_eval --tasks <name>`.
"""

from __future__ import annotations

from typing import Any

import yaml

_ACC = {"metric": "acc", "aggregation": "mean", "higher_is_better": True}
_ACC_NORM = {"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True}
_CHRF = {"metric": "chrf", "aggregation": "chrf", "higher_is_better": True}
# A model answers " yes" after "Answer:", and exact_match counts the blank: without this filter an oracle scores 0.
_STRIPPED = {
    "name": "stripped",
    "filter": [{"function": "regex", "regex_pattern": r"(?s)\A\s*(.*?)\s*\Z"}, {"function": "take_first"}],
}
_EXACT = {
    "metric": "exact_match",
    "aggregation": "mean",
    "higher_is_better": True,
    "ignore_case": True,
    "ignore_punctuation": True,
}


def task_files(name: str, tables: dict[str, str], seal: str) -> dict[str, bytes]:
    """The YAML files by file name. `tables` maps qa, mcq and tasks/<source> to their JSON lines below `eval/`."""
    prefix = "".join(letter if letter.isalnum() else "_" for letter in name.lower())
    made: dict[str, bytes] = {}
    for table, path in tables.items():
        for suffix, body in _bodies(table).items():
            task = f"{prefix}_{suffix}"
            head = {"task": task, "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": path}}}
            tail = {"num_fewshot": 0, "metadata": {"version": 1.0, "corpusforge_seal": seal}}
            text = yaml.safe_dump({**head, "test_split": "test", **body, **tail}, sort_keys=False, width=1000)
            made[f"{task}.yaml"] = text.encode()
    return made


def _bodies(table: str) -> dict[str, dict[str, Any]]:
    if table == "mcq":
        guard = {"should_decontaminate": True, "doc_to_decontamination_query": "{{question}}"}
        letter = {
            "output_type": "multiple_choice",
            "doc_to_text": "{{question.strip()}}\n{% for choice in choices %}{{letters[loop.index0]}}. {{choice}}\n"
            "{% endfor %}Answer:",
            "doc_to_choice": "letters",
            "doc_to_target": "gold",
            "metric_list": [_ACC],
        }
        cloze = {
            "output_type": "multiple_choice",
            "doc_to_text": "Question: {{question}}\nAnswer:",
            "doc_to_choice": "choices",
            "doc_to_target": "gold",
            "metric_list": [_ACC, _ACC_NORM],
        }
        return {"mcq_letter": {**letter, **guard}, "mcq_cloze": {**cloze, **guard}}
    if table == "qa":
        # Answers of several paragraphs are seldom met word for word: chrF tells near from far.
        return {"qa_open": _generated("Question: {{question}}\nAnswer:", ["\nQuestion:"], 256, _EXACT, _CHRF)}
    source = "".join(letter if letter.isalnum() else "_" for letter in table.removeprefix("tasks/"))
    return {f"task_{source}": _generated("{{prompt}}\nAnswer:", ["\n"], 128, _EXACT)}


def _generated(text: str, until: list[str], tokens: int, *metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        "output_type": "generate_until",
        "doc_to_text": text,
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": until, "max_gen_toks": tokens, "temperature": 0, "do_sample": False},
        "filter_list": [_STRIPPED],
        "metric_list": list(metrics),
    }
