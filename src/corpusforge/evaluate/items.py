"""Held-out records as items of a benchmark: questions, multiple choice, labelled tasks and texts for perplexity."""

from __future__ import annotations

from typing import Any, Literal

from corpusforge.errors import StepFailed
from corpusforge.record import Record

Table = Literal["qa", "mcq", "tasks", "holdout_text"]
LETTERS = "ABCDEFGHIJKLMNOP"


def table_of(record: Record) -> Table | None:
    """Where a held-out record is exported; None for reading texts, whose originals are exported themselves."""
    match record.kind:
        case "qa" | "mcq":
            return record.kind
        case "labelled":
            return "tasks"
        case "reading":
            return None
        case _:
            return "holdout_text"


def make_item(record: Record, table: Table) -> dict[str, Any]:
    """A record as one row of its table. Raises StepFailed for an item that no answer could be right for."""
    row: dict[str, Any] = {"id": record.id, "source": record.source}
    if table == "holdout_text":
        return {**row, "title": record.title, "text": record.text, "language": record.language}
    row |= {"parents": list(record.parents), "licence": record.licence}
    if table == "qa":
        question, answer = _prompt(record)
        return {**row, "question": question, "answer": answer}
    if table == "mcq":
        return {**row, **_mcq(record)}
    prompt, answer = _prompt(record)
    return {**row, "prompt": prompt, "answer": answer}


def _mcq(record: Record) -> dict[str, Any]:
    options = [str(option) for option in record.meta.get("options", ())]
    gold = record.meta.get("gold")
    if not isinstance(gold, int) or not 0 <= gold < len(options) or len(set(options)) < len(options):
        raise _unusable(record, "its gold is not one of its distinct options")
    if not 2 <= len(options) <= len(LETTERS):
        raise _unusable(record, f"it has {len(options)} options")
    return {
        "question": _required(record, "question"),
        "choices": options,
        "letters": list(LETTERS[: len(options)]),
        "gold": gold,
        "near_indices": [int(index) for index in record.meta.get("near", ())],
        "far_indices": [int(index) for index in record.meta.get("far", ())],
    }


def _prompt(record: Record) -> tuple[str, str]:
    """The task's one fixed prompt around the input (as ingest wrote it), and the answer of the last turn."""
    messages = record.messages or ()
    if len(messages) < 2 or messages[-1].role != "assistant":
        raise _unusable(record, "its last turn is not the assistant's")
    return "\n\n".join(message.content for message in messages[:-1]), messages[-1].content


def _required(record: Record, key: str) -> str:
    value = record.meta.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _unusable(record, f"it has no {key}")
    return value


def _unusable(record: Record, why: str) -> StepFailed:
    return StepFailed(f"a held-out {record.kind} item cannot be scored: {why}.", where=f"eval: {record.id}")
