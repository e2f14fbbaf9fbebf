"""Makes a synthetic record from its parent: identity, lineage and side are the parent's, and evidence is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from corpusforge.record import Kind, Message, Record, record_id, render
from corpusforge.stage import StageContext

AROUND = 700


def row_id(parent: Record, kind: Kind, template: str, start: int, n: int) -> str:
    """A row's id: the parent, the template, the place in the parent and a number among rows of the same three."""
    return record_id(parent.source, f"{kind}:{parent.id}:{template}:{start}:{n}")


def make_row(
    parent: Record,
    kind: Kind,
    identity: str,
    *,
    user: str,
    assistant: str,
    meta: dict[str, Any],
) -> Record:
    """A record with one turn of each side, of the parent's source, group, side, language, licence and origin."""
    messages = (Message("user", user), Message("assistant", assistant))
    return Record(
        id=identity,
        source=parent.source,
        kind=kind,
        text=render(messages),
        origin=parent.origin,
        title=parent.title,
        messages=messages,
        group=parent.group,
        language=parent.language,
        licence=parent.licence,
        parents=(parent.id,),
        side=parent.side,
        meta=meta,
    )


def evidence(parent: Record, spans: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """Where the answer stands: [{"record", "start", "end"}], offsets in characters of the parent's text."""
    return [{"record": parent.id, "start": start, "end": end} for start, end in spans]


def context(parent: Record, spans: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """The passage that the answer is read from: the evidence with some lines around it, as {"start", "end", "text"}.

    It begins and ends with whole lines where they are not too long; the checks hold the row against it.
    """
    text = parent.text
    low, high = min(start for start, _ in spans), max(end for _, end in spans)
    start, end = max(0, low - AROUND), min(len(text), high + AROUND)
    if start and (line := text.find("\n", start, low)) >= 0:
        start = line + 1
    if end < len(text) and (line := text.rfind("\n", high, end)) >= 0:
        end = line
    for span in parent.spans:
        start = span.start if span.start < start < span.end else start
        end = span.end if span.start < end < span.end else end
    return {"start": start, "end": end, "text": text[start:end]}


def wanted(record: Record, kinds: Sequence[str], sources: Sequence[str] | None, ctx: StageContext) -> bool:
    """Whether the settings choose this record; without `sources`, every source but public ones."""
    if record.kind not in kinds:
        return False
    if sources is not None:
        return record.source in sources
    facts = ctx.sources.get(record.source)
    return facts is None or facts.role != "public"
