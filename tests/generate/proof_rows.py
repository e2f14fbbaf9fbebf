"""Rows for the tests of `verify`: a passage, a question, an answer, and evidence found in the passage."""

from __future__ import annotations

from typing import Any

from corpusforge.generate.rows import make_row
from corpusforge.record import Kind, Record, record_id

from .pages import page

PASSAGE = (
    "# Fernway router\n\nThe Fernway router has four network ports and one USB port. Hold the reset button for 10 seconds "
    "to restore the factory settings. Do not unplug the router while the update is running. Only administrators may "
    "change the port numbers. You can connect at least 32 devices. The update log is kept in `/var/log/fernway.log`."
)


def row(
    answer: str,
    *,
    question: str = "What should I know about the Fernway router?",
    passage: str = PASSAGE,
    quote: str | None = None,
    kind: Kind = "qa",
    title: str = "Fernway router",
    language: str = "en",
    **meta: Any,
) -> Record:
    """A row as a model wrote it; its evidence is `quote`, or the whole passage below the heading."""
    parent = page(passage, key="router", title=title)
    start = passage.index(quote) if quote is not None else passage.index("\n") + 1 if "\n" in passage else 0
    end = start + len(quote) if quote is not None else len(passage)
    about = {
        "task": kind,
        "engine": "endpoint",
        "question": question,
        "answer": answer,
        "evidence": [{"record": parent.id, "start": start, "end": end}],
        "context": {"start": 0, "end": len(passage), "text": passage},
    }
    identity = record_id("kb", f"{question}{answer}{kind}")
    made = make_row(parent, kind, identity, user=question, assistant=answer, meta=about | meta)
    made.language = language
    return made


def item(*options: str, gold: int = 0, near: tuple[int, ...] = (1,), **more: Any) -> Record:
    """A multiple-choice row."""
    far = [k for k in range(len(options)) if k != gold and k not in near]
    return row(options[gold], kind="mcq", options=list(options), gold=gold, near=list(near), far=far, **more)
