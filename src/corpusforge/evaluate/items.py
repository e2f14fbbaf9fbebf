"""Held-out records as items of a benchmark: questions, multiple choice, labelled tasks and texts for perplexity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from corpusforge.errors import StepFailed
from corpusforge.evaluate.grading import LETTERS
from corpusforge.record import SYNTHETIC, Record

Table = Literal["qa", "mcq", "tasks", "holdout_text"]


def table_of(record: Record) -> Table | None:
    """Where a held-out record is exported; None for other synthetic rows, whose originals are exported themselves."""
    match record.kind:
        case "qa" | "mcq":
            return record.kind
        case "labelled":
            return "tasks"
        case _:
            return None if record.kind in SYNTHETIC else "holdout_text"


def make_item(record: Record, table: Table) -> dict[str, Any]:
    """A record as one row of its table, evidence still without text.

    Raises StepFailed for an item that no answer could be right for.
    """
    row: dict[str, Any] = {"id": record.id, "source": record.source}
    if table == "holdout_text":
        return {**row, "title": record.title, "text": record.text, "language": record.language}
    row |= {"parents": list(record.parents), "licence": record.licence}
    if table == "qa":
        question, answer = _prompt(record)
        answerable = bool(record.meta.get("answerable", True))
        told = {"writer": _writer(record), "answerable": answerable, "evidence": _places(record)}
        return {**row, "question": question, "answer": answer, **told}
    if table == "mcq":
        return {**row, **_mcq(record), "writer": _writer(record), "evidence": _places(record)}
    prompt, answer = _prompt(record)
    return {**row, "prompt": prompt, "answer": answer}


def answer_of(messages: Sequence[Mapping[str, Any]] | None) -> str:
    """What the last turn of a labelled record says, as Arrow holds it; empty where it is not the assistant's."""
    return str(messages[-1]["content"]).strip() if messages and messages[-1]["role"] == "assistant" else ""


def with_text(places: Sequence[Mapping[str, Any]], texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Evidence with the words it points at, from its parents' texts; places outside of them are left out."""
    return [
        {**place, "text": text[place["start"] : place["end"]]}
        for place in places
        if (text := texts.get(place["record"], "")) and 0 <= place["start"] < place["end"] <= len(text)
    ]


def _writer(record: Record) -> str:
    """The model that wrote the question, as model@revision, or the engine without one."""
    meta = record.meta
    return f"{meta['model']}@{meta.get('revision', '')}" if meta.get("model") else str(meta.get("engine", ""))


def _places(record: Record) -> list[dict[str, Any]]:
    """Where the answer stands; for an unanswerable question the passage in which it does not stand."""
    return [{"record": str(p["record"]), "start": int(p["start"]), "end": int(p["end"])} for p in _pointed(record)]


def _pointed(record: Record) -> Iterator[Mapping[str, Any]]:
    evidence = record.meta.get("evidence") or ()
    yield from evidence
    seen = record.meta.get("context")
    if not evidence and seen and record.parents:
        yield {"record": record.parents[0], "start": seen["start"], "end": seen["end"]}


def _mcq(record: Record) -> dict[str, Any]:
    options = [str(option).strip() for option in record.meta.get("options", ())]
    gold = record.meta.get("gold")
    if type(gold) is not int or not 0 <= gold < len(options) or len(set(options)) < len(options):
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
    """The turns before the last, as ingest or a generator wrote them, and the answer of the last turn.

    Where rows are asked in several wordings, a benchmark keeps to the first.
    """
    messages = record.messages or ()
    if len(messages) < 2 or messages[-1].role != "assistant":
        raise _unusable(record, "its last turn is not the assistant's")
    answer = messages[-1].content.strip()
    if not answer:
        raise _unusable(record, "its answer is empty")
    prompt = "\n\n".join(message.content for message in messages[:-1])
    worded = record.meta.get("phrasing")
    if isinstance(worded, dict) and prompt.startswith(str(worded["used"])):
        prompt = str(worded["fixed"]) + prompt[len(str(worded["used"])) :]
    return prompt.strip(), answer


def _required(record: Record, key: str) -> str:
    value = record.meta.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _unusable(record, f"it has no {key}")
    return value.strip()


def _unusable(record: Record, why: str) -> StepFailed:
    return StepFailed(f"a held-out {record.kind} item cannot be scored: {why}.", where=f"eval: {record.id}")
