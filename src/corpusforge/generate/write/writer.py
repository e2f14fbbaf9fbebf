"""The base of stages whose rows a model writes: passages in, rows out, and a reason for whatever is not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from corpusforge.errors import UsageError
from corpusforge.generate.engines.session import Session, in_order, opened
from corpusforge.generate.engines.weights import engine_identity, named
from corpusforge.generate.rows import evidence, make_row, row_id, wanted
from corpusforge.generate.write.asking import Order, Scribe, Written
from corpusforge.generate.write.chunk import Chunk, Span, chosen, chunks, tokens_bound
from corpusforge.generate.write.languages import language_name
from corpusforge.generate.write.prompt import DOCUMENT, REPAIR, Prompt, check_folder, find_prompts
from corpusforge.generate.write.pulse import Pulse
from corpusforge.generate.write.settings import WriterSettings
from corpusforge.record import Dropped, Kind, Record
from corpusforge.stage import Item, Stage, StageContext


@dataclass(frozen=True, slots=True)
class Passage:
    """What a stage does with one record, or a chunk of it: rows that need no model, or why there is nothing to ask."""

    record: Record
    chunk: Chunk | None = None
    rows: tuple[Record, ...] = ()
    reason: str = ""


@dataclass(slots=True)
class _Open:
    """The record whose rows are coming."""

    record: Record
    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def closed(self) -> Iterator[Item]:
        if not self.rows:
            best = sorted(self.reasons.items(), key=lambda pair: (-pair[1], pair[0]))
            yield Dropped(self.record, best[0][0] if best else "no-row-written")


class Writer(Stage):
    """A stage that asks a model about chunks. Subclasses say what is asked (`orders`) and of which chunks."""

    makes: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ("jinja2", "pyyaml")
    task: ClassVar[Kind]

    @classmethod
    def templates(cls, settings: Any) -> tuple[str, ...]:
        """The names of the templates that these settings use, without those that all tasks share."""
        raise NotImplementedError

    def orders(self, chunk: Chunk, prompts: Mapping[str, Prompt], settings: Any) -> Sequence[Order]:
        """What is asked about one chunk."""
        raise NotImplementedError

    @classmethod
    def prompts(cls, settings: WriterSettings) -> dict[str, Prompt]:
        """The templates of these settings. Raises UsageError for one that cannot be right."""
        return find_prompts((DOCUMENT, REPAIR, *cls.templates(settings)), settings.prompts)

    @classmethod
    def check(cls, settings: Any) -> None:
        """Raises UsageError for a template that cannot be right and for chunks that do not fit the engine."""
        if settings.prompts is not None:
            if not Path(settings.prompts).is_dir():
                raise UsageError("prompts: no folder lies there.", where="prompts", hint="It holds NAME.j2 files.")
            check_folder(settings.prompts)
        used = cls.prompts(settings).values()
        around = max(tokens_bound(prompt.text, settings.bytes_per_token) for prompt in used)
        around += tokens_bound(settings.tone, settings.bytes_per_token) + 200
        need, have = settings.chunk_tokens + around + settings.engine.max_tokens, settings.engine.context_tokens
        if settings.engine.kind != "extractive" and need > have:
            what = (
                f"a chunk of {settings.chunk_tokens} tokens, its prompt (about {around}) and an answer of "
                f"{settings.engine.max_tokens} do not fit into the engine's context of {have} tokens."
            )
            raise UsageError(what, where="chunk_tokens", hint="Lower chunk_tokens or engine.max_tokens.")

    @classmethod
    def identity_settings(cls, settings: Any) -> dict[str, Any]:
        """The settings that decide rows: not where an engine answers, nor where prompts lie."""
        identity: dict[str, Any] = settings.identity_json()
        return identity

    @classmethod
    def also_identity(cls, settings: Any) -> Mapping[str, str]:
        """The bytes of each template that is used, the recipe's own or ours: another task's do not matter."""
        own = {f"prompts/{name}.j2": prompt.hash for name, prompt in sorted(cls.prompts(settings).items())}
        return {**own, **engine_identity(settings.engine)}

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """The rows of each record, in order, and each record that gave none as a Dropped."""
        current: _Open | None = None
        for passage, written in self.written(records, ctx):
            if current is None or current.record.id != passage.record.id:
                yield from () if current is None else current.closed()
                current = _Open(passage.record)
            self._count(passage.record.source, written, ctx)
            rows = [*passage.rows, *written.rows]
            current.rows += len(rows)
            current.reasons.update(written.missing)
            current.reasons.update([passage.reason] if passage.reason else [])
            yield from rows
        yield from () if current is None else current.closed()

    def written(self, records: Iterable[Record], ctx: StageContext) -> Iterator[tuple[Passage, Written]]:
        """Each passage in order with what came of it, the calls themselves among it."""
        settings = ctx.settings
        prompts = self.prompts(settings)
        with opened(settings.engine, ctx) as session, Pulse(ctx, self.task) as pulse:
            work = partial(self._work, session=session, prompts=prompts, settings=settings)
            for passage, written in in_order(session, work, self.passages(records, ctx)):
                pulse.add(passage.record.id, written)
                yield passage, written

    def passages(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Passage]:
        """The chunks to ask about, record by record; a record without any comes once, with the reason."""
        for record in records:
            if (reason := self.refused(record, ctx)) is not None:
                yield Passage(record, reason=reason)
                continue
            found = self.cut(record, ctx.settings)
            if not found:
                yield Passage(record, reason="too-short")
            for chunk in found:
                yield Passage(record, chunk)

    def refused(self, record: Record, ctx: StageContext) -> str | None:
        """Why a record is not written about, or None."""
        settings = ctx.settings
        if not wanted(record, settings.kinds, settings.sources, ctx):
            return "not-selected"
        spoken = {record.language, record.language.partition("-")[0]}
        if settings.languages and record.language and spoken.isdisjoint(settings.languages):
            return "other-language"
        return None

    def cut(self, record: Record, settings: WriterSettings) -> list[Chunk]:
        """The chunks of a record that are asked about."""
        found = chunks(record, settings.chunk_tokens, settings.bytes_per_token, settings.min_chunk_tokens)
        return chosen(found, settings.max_chunks)

    async def _work(
        self, passage: Passage, session: Session, prompts: Mapping[str, Prompt], settings: WriterSettings
    ) -> tuple[Passage, Written]:
        return passage, await self.write(passage, session, prompts, settings)

    async def write(
        self, passage: Passage, session: Session, prompts: Mapping[str, Prompt], settings: WriterSettings
    ) -> Written:
        """What comes of one passage."""
        if passage.chunk is None:
            return Written()
        orders = self.orders(passage.chunk, prompts, settings)
        if not orders:
            return Written()
        document = document_of(passage.chunk, prompts[DOCUMENT], settings)
        scribe = Scribe(session, settings, prompts, document, language_name(passage.record.language))
        return await scribe.write(orders)

    def row(
        self,
        chunk: Chunk,
        prompt: Prompt,
        place: int,
        settings: WriterSettings,
        *,
        user: str,
        assistant: str,
        spans: Sequence[Span],
        **meta: Any,
    ) -> Record:
        """A row about a chunk, with its lineage; `spans` are the evidence, in characters of the parent's text."""
        about = lineage(self.task, chunk, prompt, settings) | {"evidence": evidence(chunk.record, spans)} | meta
        identity = row_id(chunk.record, self.task, prompt.name, chunk.start, place)
        return make_row(chunk.record, self.task, identity, user=user, assistant=assistant, meta=about)

    def _count(self, source: str, written: Written, ctx: StageContext) -> None:
        if written.asked:
            ctx.count(source, "chunks")
            ctx.count(source, "asked", written.asked)
            ctx.count(source, "written", len(written.rows))
        for reason, n in sorted(written.missing.items()):
            ctx.count(source, f"missing.{reason}", n)
        for key in ("repaired", "surplus"):
            if written.counts[key]:
                ctx.count(source, key, written.counts[key])


def document_of(chunk: Chunk, prompt: Prompt, settings: WriterSettings) -> str:
    """The beginning of every prompt about a chunk: source, title, headings, the text itself, and the house's tone.

    What is the record's own stays between the template's tags, whatever tags it holds.
    """
    record = chunk.record
    return prompt.render(
        source=settings.product or record.source,
        title=prompt.guarded(record.title),
        section=prompt.guarded(chunk.section),
        text=prompt.guarded(chunk.text),
        tone=settings.tone.strip(),
    )


def lineage(task: str, chunk: Chunk, prompt: Prompt, settings: WriterSettings) -> dict[str, Any]:
    """What a row tells of how it came about, beside its evidence."""
    engine = settings.engine
    model, revision = named(engine)
    first, last = chunk.byte_span
    return {
        "task": task,
        "engine": engine.kind,
        "model": model,
        "revision": revision,
        "template": prompt.name,
        "template_version": prompt.version,
        "template_hash": prompt.hash,
        "context": {
            "start": chunk.start,
            "end": chunk.end,
            "bytes": [first, last],
            "section": chunk.section,
            "text": chunk.text,
        },
    }
