"""The rows of a build's training files: their columns, and how a record becomes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from corpusforge.errors import StepFailed
from corpusforge.mix.render import Form, completion_text, form_tokens, instruct_messages
from corpusforge.record import SYNTHETIC, Record

if TYPE_CHECKING:
    import pyarrow as pa


def schema(form: Form) -> pa.Schema:
    """The columns of an output. `tokens` counts the row in the recipe's tokenizer, its end token included; `repeat`
    counts a record's appearances from 0; `loss_weights` has one weight a message (1 for the assistant's, else 0).
    """
    import pyarrow as pa

    strings = pa.list_(pa.string())
    shared = [("source", pa.string()), ("tokens", pa.int64()), ("repeat", pa.int32()), ("parents", strings)]
    if form == "completion":
        own = [("id", pa.string()), ("text", pa.large_string()), ("kind", pa.string())]
        return pa.schema([*own, *shared, ("title", pa.string()), ("licence", pa.string()), ("language", pa.string())])
    message = pa.struct([("role", pa.string()), ("content", pa.large_string())])
    own = [("id", pa.string()), ("messages", pa.list_(message)), ("task", pa.string())]
    return pa.schema([*own, *shared, ("loss_weights", pa.list_(pa.float32())), ("licence", pa.string())])


def make_row(record: Record, form: Form) -> tuple[dict[str, Any], int]:
    """A record as a row (without `repeat`), and the size of its text in characters.

    Raises StepFailed for a held-out record: nothing of the hold-out may ever be trained on.
    """
    if record.side != "train":
        raise StepFailed("a held-out record was chosen for the mix.", where=f"mix: {record.source}")
    row: dict[str, Any] = {
        "id": record.id,
        "source": record.source,
        "tokens": form_tokens(record, form),
        "parents": list(record.parents),
        "licence": record.licence,
    }
    if form == "completion":
        text = completion_text(record)
        return {**row, "text": text, "kind": record.kind, "title": record.title, "language": record.language}, len(text)
    messages = instruct_messages(record) or ()
    row["messages"] = [{"role": message.role, "content": message.content} for message in messages]
    row["loss_weights"] = [1.0 if message.role == "assistant" else 0.0 for message in messages]
    row["task"] = task_of(record)
    return row, sum(len(message.content) for message in messages)


def task_of(record: Record) -> str:
    """The name of the task a conversation teaches: a synthetic record's own task or kind, else its source."""
    if record.kind in SYNTHETIC:
        return str(record.meta.get("task") or record.kind)
    return record.source
