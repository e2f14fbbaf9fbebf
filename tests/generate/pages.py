"""Records and shards for the generators' tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from corpusforge.record import Dropped, Message, Origin, Record, record_id
from corpusforge.shards import write_table
from corpusforge.stage import SourceFacts, Stage, StageContext, Survey

FACTS = {"kb": SourceFacts("kb", "article", "domain"), "web": SourceFacts("web", "public", "public")}


def page(text: str, *, key: str = "a", title: str = "", source: str = "kb", **more: Any) -> Record:
    identity = record_id(source, key)
    made = Record(identity, source, "article", text, Origin(f"{key}.md", 0, len(text)), title, group=identity)
    return replace(made, language="en", licence="CC0-1.0", **more)


def chat(*turns: tuple[str, str], key: str = "c") -> Record:
    messages = tuple(Message("user", content, name) for name, content in turns)
    return replace(page("", key=key), kind="chat").with_messages(messages)


def run(
    stage: type[Stage], shards: Mapping[str, Sequence[Record]], folder: Path, **settings: Any
) -> tuple[dict[str, list[Record]], dict[str, list[Dropped]], dict[str, StageContext]]:
    """A stage over shards, all three phases: rows, dropped parents and contexts by shard."""
    chosen = stage.Settings(**settings)
    surveys = []
    for name, records in shards.items():
        path = folder / f"{stage.name}-{name}.parquet"
        write_table(path, stage().survey(records, StageContext(chosen, 1, FACTS)))
        surveys.append(Survey(name, "kb", path, path))
    decision = stage().decide(surveys, StageContext(chosen, 1, FACTS))
    rows: dict[str, list[Record]] = {}
    dropped: dict[str, list[Dropped]] = {}
    contexts: dict[str, StageContext] = {}
    for name, records in shards.items():
        mine = decision.per_shard.get(name)
        contexts[name] = StageContext(chosen, 1, FACTS, shared=decision.shared, mine=mine)
        items = list(stage().apply(records, contexts[name]))
        rows[name] = [item for item in items if isinstance(item, Record)]
        dropped[name] = [item for item in items if isinstance(item, Dropped)]
    return rows, dropped, contexts


def evidence_text(row: Record, parents: Mapping[str, Record]) -> str:
    pieces = row.meta["evidence"]
    return "\n".join(parents[piece["record"]].text[piece["start"] : piece["end"]] for piece in pieces)


TOPICS = ["router", "printer", "keyboard", "camera", "monitor", "scanner", "speaker", "tablet", "modem", "charger"]
PARTS = ["hinge", "valve", "sensor", "button", "panel", "socket", "cable", "lamp", "drawer", "fan"]


def manuals(n: int = 30) -> list[Record]:
    """Made-up manuals with every structure that the rules read; no two say the same."""
    made = []
    for at in range(n):
        thing = f"{TOPICS[at % 10]}-{chr(97 + at // 10)}{at}"
        a, b, c = (PARTS[(at + k) % 10] for k in (0, 3, 7))
        made.append(
            page(
                f"""# The {thing} manual

The {thing} manual explains how the {a} works together with the {b}, and what to do when either of them fails.

## Change the {a}

To change the {a} of a {thing}:

1. Switch off the {thing} at the wall socket number {at + 3}.
2. Loosen the {at + 2} screws around the {a} with the flat tool.
3. Pull the old {a} out towards the {b} and put it aside.
4. Push the new {a} of size {at * 3 + 11} in until it clicks.

If the {a} of the {thing} is stuck, warm it for {at + 20} seconds before you pull.

## How long does the {b} last?

The {b} of a {thing} lasts {at + 5} years in a dry room. However, when damp, it lasts only {at + 1} years.

## Sizes

| part | size of {thing} | weight of {thing} |
|---|---|---|
| {a} {at} | {at * 7 + 13} mm | {at * 9 + 21} grams |
| {b} {at} | {at * 7 + 15} mm | {at * 9 + 32} grams |
| {c} {at} | {at * 7 + 17} mm | {at * 9 + 43} grams |

## Lights

- **Red {at}**: The {a} has lost its connection to the power line of the {thing}.
- **Green {at}**: Everything is fine and no action by the owner is needed now, {thing}.
- **Blue {at}**: A software update for the {b} waits to be installed on {thing}.
""",
                key=f"manual-{at}",
            )
        )
    return made
