"""The hashes that lm-evaluation-harness logs for each item, so that a stranger's run can be checked against them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from corpusforge.evaluate.tasks import EvalTask


def expected_hashes(
    tasks: Sequence[EvalTask], rows: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, dict[str, dict[str, str]]]:
    """For each task and item id the `doc_hash`, `prompt_hash` and `target_hash` of `--log_samples` (0.4.13).

    They hold for runs without a chat template, without examples and without a system prompt.
    """
    return {task.name: {str(row["id"]): _hashes(task, row) for row in rows[task.name]} for task in tasks}


def prompt_hash(text: str) -> str:
    """The sha256 of a prompt, as the harness logs it."""
    return hashlib.sha256(text.encode()).hexdigest()


def _hashes(task: EvalTask, row: Mapping[str, Any]) -> dict[str, str]:
    target = row["answer"] if task.kind == "open" else row["text"] if task.kind == "text" else row["gold"]
    return {
        "doc_hash": prompt_hash(json.dumps(row, indent=2, ensure_ascii=False, sort_keys=True)),
        "prompt_hash": prompt_hash(task.text(row)),
        "target_hash": prompt_hash(str(target)),
    }
