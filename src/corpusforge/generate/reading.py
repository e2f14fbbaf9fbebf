"""The stage `reading`: reading-comprehension tasks that are true by construction, after AdaptLLM (arXiv 2309.09530).

Unlike its miner, sentences are found across commas and line wraps, and no mined pair is given out as entailment or
contradiction: only tasks whose answer the text itself holds are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from corpusforge.generate.phrasings import resource, templates
from corpusforge.generate.reading_tasks import MAKERS, ReadingPage, Task
from corpusforge.generate.reading_terms import decide_terms, read_terms, terms_table
from corpusforge.generate.rows import context, evidence, make_row, row_id, wanted
from corpusforge.record import Dropped, Kind, Record, stable_hash
from corpusforge.stage import Decision, Item, Stage, StageContext, StageSettings, Survey

if TYPE_CHECKING:
    import pyarrow as pa

TaskName = Literal["title", "summary", "connective", "continue", "complete", "cloze", "order-steps", "word-to-text"]
ALL: tuple[TaskName, ...] = (
    "title", "summary", "connective", "continue", "complete", "cloze", "order-steps", "word-to-text",
)  # fmt: skip


class ReadingSettings(StageSettings):
    """Which tasks are made, how many, and of which records."""

    tasks: tuple[TaskName, ...] = Field(ALL, min_length=1, description="Tasks to make.")
    per_task: int = Field(2, ge=1, le=100, description="Most rows of one task for one record.")
    max_per_record: int = Field(6, ge=1, le=1000, description="Most rows for one record.")
    kinds: tuple[Kind, ...] = Field(("article", "doc"), description="Kinds of records that are read.")
    sources: tuple[str, ...] | None = Field(None, description="Sources that are read; all but public ones if not set.")


class Reading(Stage):
    """Title, summary, connective, continuation, completion, cloze, ordering and word-to-text tasks of each record."""

    name: ClassVar[str] = "reading"
    version: ClassVar[int] = 3
    libraries: ClassVar[tuple[str, ...]] = ("pyyaml",)
    makes: ClassVar[bool] = True
    Settings: ClassVar[type[StageSettings]] = ReadingSettings

    @classmethod
    def resources(cls) -> tuple[Path, ...]:
        """Files whose bytes decide the output beside the code."""
        return tuple(resource(name) for name in ("reading", "connectives", "english"))

    def survey(self, records: Iterable[Record], ctx: StageContext) -> pa.Table:
        """In how many of this shard's records each word stands; public records tell which words are everybody's."""
        settings = ctx.settings
        public = {name for name, facts in ctx.sources.items() if facts.role == "public"}
        return terms_table(
            (record, not chosen)
            for record in records
            if (chosen := wanted(record, settings.kinds, settings.sources, ctx)) or record.source in public
        )

    def decide(self, surveys: Sequence[Survey], ctx: StageContext) -> Decision:
        """Per shard, those of its words that are terms of the corpus."""
        return decide_terms(surveys)

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """The new rows, and each record that gave none as a Dropped."""
        terms = read_terms(ctx.mine)
        for record in records:
            if not wanted(record, ctx.settings.kinds, ctx.settings.sources, ctx):
                yield Dropped(record, "not-selected")
                continue
            if not record.english:
                yield Dropped(record, "language-without-phrasings")
                continue
            rows = rows_of(record, ctx, terms)
            yield from rows
            if not rows:
                yield Dropped(record, "no-task-found")


def rows_of(record: Record, ctx: StageContext, terms: frozenset[str]) -> list[Record]:
    """The rows of one record, each counted by its task; none where there are no phrasings of its language."""
    tasks = _choose(record, ctx, terms) if record.english else []
    for _, task in tasks:
        ctx.count(record.source, f"reading.{task.template}")
    return [_row(record, identity, task) for identity, task in tasks]


def _choose(record: Record, ctx: StageContext, terms: frozenset[str]) -> list[tuple[str, Task]]:
    """The record's tasks with their ids: kinds of task take turns, so that no kind crowds out the others."""
    page = ReadingPage(record)
    turns: list[tuple[int, str, str, Task]] = []
    for name in ctx.settings.tasks:
        places: dict[tuple[str, int], Task] = {}
        for task in MAKERS[name](page, terms):
            places.setdefault((task.template, task.spans[0][0]), task)
        if not places:
            continue
        made = {row_id(record, "reading", *place, 0): task for place, task in places.items()}
        ordered = sorted(made, key=partial(stable_hash, record.id, "turn")) if len(made) > 1 else made
        drawn = stable_hash(record.id, "task", name)
        for turn, identity in enumerate(islice(ordered, ctx.settings.per_task)):
            turns.append((turn, drawn, identity, made[identity]))
    turns.sort(key=lambda entry: entry[:3])
    return [(identity, task) for _, _, identity, task in turns[: ctx.settings.max_per_record]]


def _row(record: Record, identity: str, task: Task) -> Record:
    template = templates("reading")[task.template]
    slots, answer = task.fill()
    user = template.phrase(identity, **slots)
    meta = {
        "task": "reading",
        "engine": "extractive",
        "template": template.name,
        "template_version": template.version,
        "template_hash": template.hash,
        "question": user,
        "answer": answer,
        "completion": f"{user}\n{answer}",
        "evidence": evidence(record, task.spans),
        "context": context(record, task.spans),
    }
    return make_row(record, "reading", identity, user=user, assistant=answer, meta=meta)
