"""The stage `reading` by a model: the tasks that are true by construction, and summaries that a model writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field as Setting

from corpusforge.generate.phrasings import templates
from corpusforge.generate.reading import Reading, ReadingSettings, rows_of
from corpusforge.generate.reading_terms import read_terms
from corpusforge.generate.write.asking import Order, Written
from corpusforge.generate.write.chunk import Chunk
from corpusforge.generate.write.output import Field, Value
from corpusforge.generate.write.prompt import Prompt
from corpusforge.generate.write.settings import WriterSettings
from corpusforge.generate.write.writer import Passage, Writer
from corpusforge.record import Kind, Record
from corpusforge.stage import Decision, StageContext, StageSettings, Survey

if TYPE_CHECKING:
    import pyarrow as pa

SUMMARY = Field("summary", "the summary")


class WrittenReadingSettings(WriterSettings, ReadingSettings):
    """Tasks by rules as without a model, and how many summaries a model writes of how many chunks."""

    summaries: int = Setting(1, ge=0, le=10, description="Summaries of one chunk, each worded differently.")
    summary_chunks: int = Setting(2, ge=1, le=1000, description="Most chunks of one record that are summed up.")


class WrittenReading(Writer):
    """Reading comprehension: every family of rules, and summaries of chunks by a model."""

    name: ClassVar[str] = "reading-written"
    version: ClassVar[int] = 1
    task: ClassVar[Kind] = "reading"
    Settings: ClassVar[type[StageSettings]] = WrittenReadingSettings

    @classmethod
    def resources(cls) -> tuple[Path, ...]:
        """Files whose bytes decide the output beside the code."""
        return Reading.resources()

    @classmethod
    def templates(cls, settings: Any) -> tuple[str, ...]:
        """Those of summaries."""
        return ("reading-summary", "reading-check") if settings.summaries else ()

    @classmethod
    def also_identity(cls, settings: Any) -> Mapping[str, str]:
        """The wordings of the user's side, and the rules' own version."""
        own = {"written/summary": templates("written")["summary"].hash, "reading": str(Reading.version)}
        return {**super().also_identity(settings), **own}

    def survey(self, records: Iterable[Record], ctx: StageContext) -> pa.Table:
        """As without a model: in how many records each word stands."""
        return Reading().survey(records, ctx)

    def decide(self, surveys: Sequence[Survey], ctx: StageContext) -> Decision:
        """As without a model: the terms of the corpus."""
        return Reading().decide(surveys, ctx)

    def written(self, records: Iterable[Record], ctx: StageContext) -> Iterator[tuple[Passage, Written]]:
        """Each record's rows by rules, then its chunks with what came of them."""
        self._terms = read_terms(ctx.mine)
        yield from super().written(records, ctx)

    def passages(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Passage]:
        """Each record's rows by rules, then its chunks to sum up."""
        for record in records:
            if (reason := self.refused(record, ctx)) is not None:
                yield Passage(record, reason=reason)
                continue
            rows = tuple(rows_of(record, ctx, self._terms))
            yield Passage(record, rows=rows, reason="" if rows else "no-task-found")
            yield from (Passage(record, chunk) for chunk in self.cut(record, ctx.settings))

    def cut(self, record: Record, settings: Any) -> list[Chunk]:
        """The chunks that are summed up: those with enough to leave something out."""
        if not settings.summaries or record.messages is not None:
            return []
        few = settings.model_copy(
            update={
                "max_chunks": settings.summary_chunks,
                "min_chunk_tokens": max(settings.min_chunk_tokens, settings.chunk_tokens // 4),
            }
        )
        return super().cut(record, few)

    def orders(self, chunk: Chunk, prompts: Mapping[str, Prompt], settings: Any) -> Sequence[Order]:
        """One order for the summaries."""
        prompt = prompts["reading-summary"]

        def make(values: Mapping[str, Value], place: int) -> Record:
            summary = str(values["summary"])
            asked = templates("written")["summary"].phrase(f"{chunk.record.id}:{chunk.start}:{place}", text=chunk.text)
            return self.row(
                chunk, prompt, place, settings,
                user=asked, assistant=summary, spans=[(chunk.start, chunk.end)],
                question=asked, answer=summary, completion=f"{asked}\n{summary}",
            )  # fmt: skip

        def told(row: Record) -> dict[str, Any]:
            return {"answer": row.meta["answer"]}

        return [Order("reading", prompt.name, (SUMMARY,), settings.summaries, make, "reading-check", told)]
