"""The stage `qa`: questions whose answers are spans of the records, found by rules without a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from corpusforge.generate.mined import mined, surveyed_rows, unpacked, with_pairs
from corpusforge.generate.phrasings import resource, templates
from corpusforge.generate.qa_miner import choose
from corpusforge.generate.qa_pair import Pair
from corpusforge.generate.questions import asked, decide_repeats, questions_table, repeats
from corpusforge.generate.rows import context, evidence, make_row, row_id, wanted
from corpusforge.record import Dropped, Kind, Record
from corpusforge.stage import Decision, Item, Stage, StageContext, StageSettings, Survey

if TYPE_CHECKING:
    import pyarrow as pa


class QASettings(StageSettings):
    """Which records are read and how many rows each may give."""

    per_passage: int = Field(3, ge=1, le=1000, description="Most rows for one section of a record.")
    max_per_record: int = Field(40, ge=1, le=100_000, description="Most rows for one record.")
    kinds: tuple[Kind, ...] = Field(("article", "doc", "chat"), description="Kinds of records that are read.")
    sources: tuple[str, ...] | None = Field(None, description="Sources that are read; all but public ones if not set.")


class QA(Stage):
    """Questions and extractive answers from headings, tables, steps, definitions, commands, conditions and chats."""

    name: ClassVar[str] = "qa"
    version: ClassVar[int] = 3
    libraries: ClassVar[tuple[str, ...]] = ("pyyaml",)
    makes: ClassVar[bool] = True
    reads_survey: ClassVar[bool] = True
    Settings: ClassVar[type[StageSettings]] = QASettings

    @classmethod
    def resources(cls) -> tuple[Path, ...]:
        """Files whose bytes decide the output beside the code."""
        return resource("qa"), resource("english")

    def survey(self, records: Iterable[Record], ctx: StageContext) -> pa.Table:
        """The hashes of every question and answer that this shard would make."""
        found = [(record, identity, pair) for record in records for identity, pair in self._rows(record, ctx)]
        table = questions_table(asked(row, pair.ask.key, pair.answer, record.side) for record, row, pair in found)
        return with_pairs(table, ((record.id, pair) for record, _, pair in found), siblings=False)

    def decide(self, surveys: Sequence[Survey], ctx: StageContext) -> Decision:
        """Per shard, the rows whose question stands elsewhere too."""
        return decide_repeats(surveys)

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """The new rows, and each record that gave none as a Dropped."""
        left_out = repeats(ctx)
        surveyed = surveyed_rows(ctx)
        for record in records:
            if not wanted(record, ctx.settings.kinds, ctx.settings.sources, ctx):
                yield Dropped(record, "not-selected")
                continue
            found = made = 0
            lines = self._rows(record, ctx) if surveyed is None else surveyed.get(record.id, ())
            for identity, line in lines:
                found += 1
                if identity in left_out:
                    ctx.count(record.source, left_out[identity])
                    continue
                made += 1
                pair = line if isinstance(line, Pair) else unpacked(line)
                ctx.count(record.source, f"qa.{pair.family}")
                yield qa_row(record, identity, pair)
            if not made:
                yield Dropped(record, "only-repeated-questions" if found else "no-qa-found")

    def _rows(self, record: Record, ctx: StageContext) -> Iterator[tuple[str, Pair]]:
        if not wanted(record, ctx.settings.kinds, ctx.settings.sources, ctx):
            return
        if found := mined(record):
            pairs = choose(record, found, ctx.settings.per_passage, ctx.settings.max_per_record)
            yield from numbered(record, "qa", pairs)


def numbered(record: Record, kind: Kind, pairs: Sequence[Pair]) -> Iterator[tuple[str, Pair]]:
    """The pairs with their row ids; pairs of one template and place are numbered in order."""
    seen: dict[tuple[str, int], int] = {}
    for pair in pairs:
        n = seen.get((pair.template, pair.start), 0)
        seen[pair.template, pair.start] = n + 1
        yield row_id(record, kind, pair.template, pair.start, n), pair


def qa_row(record: Record, identity: str, pair: Pair) -> Record:
    """A pair as a record of kind `qa`."""
    template = templates("qa")[pair.template]
    meta = {
        "task": "qa",
        "engine": "extractive",
        "template": template.name,
        "template_version": template.version,
        "template_hash": template.hash,
        "question": pair.question,
        "answer": pair.answer,
        "evidence": evidence(record, pair.spans),
        "context": context(record, pair.spans),
    }
    return make_row(record, "qa", identity, user=pair.question, assistant=pair.answer, meta=meta)
