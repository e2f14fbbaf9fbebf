"""Reads Markdown: front matter into title and meta, declared sections (a quiz) out of the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from corpusforge.ingest.document import Pattern, TextDocumentSettings, file_group, file_language, read_document
from corpusforge.ingest.fields import as_text, lookup
from corpusforge.ingest.files import InputFile
from corpusforge.ingest.front_matter import BrokenFrontMatter, split
from corpusforge.ingest.reader import ReadContext, Reader, file_stem
from corpusforge.record import Quarantined, Record

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
Part = Literal["question", "answer", "drop"]


class MarkdownSettings(TextDocumentSettings):
    """Settings of `markdown`."""

    title: str = Field(default="title", description="Front matter key of the title; else the first heading is.")
    language: str = Field(default="", description="Front matter key of the language.")
    text: tuple[str, ...] = Field(
        default=(), description="Front matter fields, as paths (`steps.*`), whose text stands before the body."
    )
    meta: tuple[str, ...] = Field(default=(), description="Front matter keys to keep with the record.")
    sections: dict[str, Part] = Field(
        default_factory=dict,
        description="Headings whose sections leave the text: question and answer go into meta.qa; drop is lost.",
    )
    remove: tuple[Pattern, ...] = Field(
        default=(), description="Regular expressions (multi-line) whose matches leave the text, such as template tags."
    )


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it: lines [start, end), of which the heading is the first."""

    level: int
    heading: str
    start: int
    end: int


class Markdown(Reader):
    """One Markdown document a file (source: CommonMark for headings and fences)."""

    name = "markdown"
    version = 1
    libraries = ("pyyaml",)
    Settings = MarkdownSettings

    def read(self, file: InputFile, ctx: ReadContext) -> Iterator[Record | Quarantined]:
        """The file's record, keyed by its path; offsets are the whole file."""
        settings: MarkdownSettings = ctx.settings
        document = read_document(ctx, settings.encoding)
        if isinstance(document, Quarantined):
            yield document
            return
        try:
            front, start = split(document.text)
        except BrokenFrontMatter as error:
            yield ctx.quarantined(0, document.size, "invalid-front-matter", str(error))
            return
        lines = document.text[start:].replace("\r\n", "\n").split("\n")
        found = sections(lines)
        meta: dict[str, Any] = {key: front[key] for key in settings.meta if key in front} | document.meta(
            settings.encoding
        )
        qa, gone = _take_out(lines, found, settings.sections)
        if qa:
            meta["qa"] = qa
        body = "\n".join(line for i, line in enumerate(lines) if i not in gone)
        text = "\n\n".join([*(as_text(lookup(front, path)) or "" for path in settings.text), body])
        for pattern in settings.remove:
            text = re.sub(pattern, "", text, flags=re.MULTILINE)
        text = re.sub(r"\n{3,}", "\n\n", text).strip()
        if not text:
            yield ctx.quarantined(0, document.size, "no-text", "front matter or left-out sections alone")
            return
        title = front.get(settings.title)
        yield ctx.record(
            key=file.name, text=text, start=0, end=document.size, meta=meta, group=file_group(ctx),
            title=str(title).strip() if title else (found[0].heading if found else file_stem(file.name)),
            language=file_language(ctx, str(front.get(settings.language) or "") if settings.language else ""),
        )  # fmt: skip


def sections(lines: list[str]) -> list[Section]:
    """The headed sections in order; a section ends before the next heading of its level or above."""
    heads: list[tuple[int, str, int]] = []
    fence = ""
    preformatted = False
    for i, line in enumerate(lines):
        if marker := _FENCE.match(line):
            if not fence:
                fence = marker[1]
            elif marker[1].startswith(fence) and line.strip() == marker[1]:
                fence = ""
            continue
        opened = preformatted or "<pre" in line
        preformatted = opened and "</pre" not in line
        if not fence and not opened and (found := _HEADING.match(line)):
            heads.append((len(found[1]), found[2].strip(), i))
    made = []
    for k, (level, heading, start) in enumerate(heads):
        end = next((i for other, _, i in heads[k + 1 :] if other <= level), len(lines))
        made.append(Section(level, heading, start, end))
    return made


def _take_out(lines: list[str], found: list[Section], wanted: dict[str, Part]) -> tuple[list[dict[str, str]], set[int]]:
    """Question and answer pairs, and the numbers of the lines that leave the text. A lone question stays."""
    parts = {heading.strip().casefold(): part for heading, part in wanted.items()}
    qa: list[dict[str, str]] = []
    gone: set[int] = set()
    question: Section | None = None
    for section in found:
        part = parts.get(section.heading.casefold())
        if part == "drop":
            gone.update(range(section.start, section.end))
        elif part == "question":
            question = section
        elif part == "answer" and question is not None:
            pair = {"question": _body(lines, question), "answer": _body(lines, section)}
            if all(pair.values()):
                qa.append(pair)
            gone.update(range(question.start, question.end))
            gone.update(range(section.start, section.end))
            question = None
    return qa, gone


def _body(lines: list[str], section: Section) -> str:
    return "\n".join(lines[section.start + 1 : section.end]).strip()
