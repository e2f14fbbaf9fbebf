"""Reads line-aligned files: line k of one file is the prompt, line k of its sibling the answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from pydantic import Field

from corpusforge.ingest.encoding import Encodings
from corpusforge.ingest.files import InputFile
from corpusforge.ingest.lines import Fault, TextLine, read_text_lines
from corpusforge.ingest.mapping import Mapping, RowMapper
from corpusforge.ingest.reader import ReadContext, Reader, ReaderSettings, file_stem
from corpusforge.record import Quarantined, Record


class ParallelSettings(ReaderSettings):
    """Settings of `parallel`."""

    answers: str = Field(
        min_length=1, description="Name of the sibling file; {stem} is this file's name without suffix."
    )
    instruction: str = Field(default="", description="What the user asks, put in front of the prompt.")
    phrasings: tuple[str, ...] = Field(
        default=(),
        description="Other ways to say the instruction; rows for training take turns, the benchmark does not.",
    )
    encoding: Encodings = ("utf-8",)


class Parallel(Reader):
    """Two line-aligned files of prompts and answers."""

    name = "parallel"
    version = 1
    libraries = ("lxml",)
    Settings = ParallelSettings

    @classmethod
    def sidecars(cls, name: PurePosixPath, settings: Any) -> tuple[PurePosixPath, ...]:
        """The file of answers."""
        return (name.with_name(_answers(str(name), settings)),)

    def read(self, file: InputFile, ctx: ReadContext) -> Iterator[Record | Quarantined]:
        """A labelled record for each pair; offsets are the prompt's line, `meta.answer_bytes` the answer's."""
        settings: ParallelSettings = ctx.settings
        own = {"instruction": settings.instruction, "phrasings": settings.phrasings}
        mapping = Mapping(prompt="prompt", answer="answer", **own)
        mapper = RowMapper(ReadContext(mapping, ctx.source, ctx.kind, ctx.licence, ctx.languages, file))
        answers = read_text_lines(file.sibling(_answers(file.name, settings)), settings.encoding)
        try:
            pending = next(answers, None)
        except FileNotFoundError:
            yield ctx.quarantined(0, file.size, "missing-sidecar", "the file of answers")
            return
        tail: int | None = None
        end = 0
        for line in read_text_lines(file, settings.encoding):
            end = line.end
            if tail is not None:
                continue
            if pending is None:
                tail = line.start
            elif isinstance(line, Fault) or isinstance(pending, Fault):
                yield _faulty(line, pending, ctx)
                pending = next(answers, None)
            else:
                yield _pair(line, pending, mapper, ctx)
                pending = next(answers, None)
        if tail is not None:
            yield ctx.quarantined(tail, end, "unpaired-tail", "more prompts than answers")
        elif pending is not None:
            yield ctx.quarantined(end, end, "unpaired-tail", f"answers from byte {pending.start} on have no prompt")


def _faulty(line: TextLine | Fault, answer: TextLine | Fault, ctx: ReadContext) -> Quarantined:
    for one in (line, answer):
        if isinstance(one, Fault):
            return ctx.quarantined(line.start, line.end, one.reason, one.detail)
    raise AssertionError("one of the two is a fault")


def _pair(line: TextLine, answer: TextLine, mapper: RowMapper, ctx: ReadContext) -> Record | Quarantined:
    if not line.text.strip() and not answer.text.strip():
        return ctx.quarantined(line.start, line.end, "empty-line")
    row = {"prompt": line.text, "answer": answer.text}
    return mapper.map(row, line.start, line.end, extra={"answer_bytes": [answer.start, answer.end]})


def _answers(name: str, settings: ParallelSettings) -> str:
    return settings.answers.replace("{stem}", file_stem(name))
