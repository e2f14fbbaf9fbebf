"""The stage `qa` by a model: questions in both directions, quotes that must be found, and some without an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator
from pydantic import Field as Setting

from corpusforge.generate.phrasings import templates
from corpusforge.generate.qa_chats import resolution
from corpusforge.generate.write.asking import REJECTED, Order
from corpusforge.generate.write.chunk import Chunk, tokens_bound
from corpusforge.generate.write.output import Field, Value
from corpusforge.generate.write.prompt import Prompt
from corpusforge.generate.write.quotes import find_quotes
from corpusforge.generate.write.settings import WriterSettings
from corpusforge.generate.write.writer import Writer
from corpusforge.record import Kind, Record, part_offsets, speaker, stable_hash
from corpusforge.stage import StageContext, StageSettings
from corpusforge.units import parse_share

QUESTION = Field("question", "the question")
ANSWER = Field("answer", "its answer")
QUOTE = Field("quote", "the words of the document that prove it", many=True)
MISSING = Field("missing", "what the document would have to say")
QUOTE_NOT_FOUND = "quote-not-found"


def _share(value: object) -> object:
    return float(parse_share(value)) if isinstance(value, str) else value


class WrittenQASettings(WriterSettings):
    """How many questions a chunk is asked for, in which directions, and how many without an answer."""

    per_passage: int = Setting(3, ge=0, le=30, description="Questions for one chunk.")
    reverse: int = Setting(1, ge=0, le=30, description="Questions for one chunk from a description to a name.")
    unanswerable: Annotated[float, BeforeValidator(_share, json_schema_input_type=float | str)] = Setting(
        0.06, ge=0, le=0.5, description="Share of the questions that the text does not answer; rows then say so."
    )
    kinds: tuple[Kind, ...] = Setting(("article", "doc", "chat"), description="Kinds of records that are read.")


class WrittenQA(Writer):
    """Questions and answers with their evidence, from articles, docs and conversations that were resolved."""

    name: ClassVar[str] = "qa-written"
    version: ClassVar[int] = 2
    task: ClassVar[Kind] = "qa"
    Settings: ClassVar[type[StageSettings]] = WrittenQASettings

    @classmethod
    def templates(cls, settings: Any) -> tuple[str, ...]:
        """Those of the directions that are asked for."""
        used = ["qa", "qa-check"] if settings.per_passage else []
        used += ["qa-reverse", "qa-check"] if settings.reverse else []
        used += ["qa-unanswerable", "qa-unanswerable-check"] if settings.unanswerable else []
        used += ["qa-chat", "qa-check"] if "chat" in settings.kinds else []
        return tuple(dict.fromkeys(used))

    @classmethod
    def also_identity(cls, settings: Any) -> Mapping[str, str]:
        """The wordings of answers to what the text does not answer, too."""
        own = {name: template.hash for name, template in templates("written").items() if "unanswerable" in name}
        return {**super().also_identity(settings), **own}

    def refused(self, record: Record, ctx: StageContext) -> str | None:
        """Conversations are read where the asker said that it helped."""
        reason = super().refused(record, ctx)
        if reason is None and record.messages is not None and isinstance(found := solved(record, ctx.settings), str):
            return found
        return reason

    def cut(self, record: Record, settings: WriterSettings) -> list[Chunk]:
        """The chunks of a page; of a conversation, the turns from the problem to its solution."""
        if record.messages is None:
            return super().cut(record, settings)
        found = solved(record, settings)
        return [] if isinstance(found, str) else [found]

    def orders(self, chunk: Chunk, prompts: Mapping[str, Prompt], settings: Any) -> Sequence[Order]:
        """One order for each direction; a conversation is asked for the one question that it solved."""
        if chunk.record.messages is not None:
            return [self._answered("qa-chat", "forward", 1, chunk, prompts, settings)]
        orders = [
            self._answered(template, direction, n, chunk, prompts, settings)
            for template, direction, n in (
                ("qa", "forward", settings.per_passage),
                ("qa-reverse", "reverse", settings.reverse),
            )
            if n
        ]
        n = without_answer(chunk, settings.per_passage + settings.reverse, settings.unanswerable)
        return [*orders, self._open(n, chunk, prompts, settings)] if n else orders

    def _answered(
        self, template: str, direction: str, n: int, chunk: Chunk, prompts: Mapping[str, Prompt], settings: Any
    ) -> Order:
        def make(values: Mapping[str, Value], place: int) -> Record:
            question, answer, quotes = str(values["question"]), str(values["answer"]), list(values["quote"])
            spans = find_quotes(chunk, quotes)
            more: dict[str, Any] = {} if spans else {REJECTED: QUOTE_NOT_FOUND, "quotes": quotes}
            return self.row(
                chunk, prompts[template], place, settings,
                user=question, assistant=answer, spans=spans or (),
                question=question, answer=answer, direction=direction, **more,
            )  # fmt: skip

        return Order("qa", template, (QUESTION, ANSWER, QUOTE), n, make, "qa-check", told_qa(chunk))

    def _open(self, n: int, chunk: Chunk, prompts: Mapping[str, Prompt], settings: Any) -> Order:
        phrasing = templates("written")[f"unanswerable-{_language(chunk.record)}"]

        def make(values: Mapping[str, Value], place: int) -> Record:
            question = str(values["question"])
            # The words are ours: a model that has no answer must not be asked for one.
            answer = phrasing.phrase(f"{chunk.record.id}:{chunk.start}:{place}")
            return self.row(
                chunk, prompts["qa-unanswerable"], place, settings,
                user=question, assistant=answer, spans=(),
                question=question, answer=answer, direction="forward", answerable=False,
                missing=str(values["missing"]),
            )  # fmt: skip

        fields = (QUESTION, MISSING)
        check = "qa-unanswerable-check"
        return Order("qa", "qa-unanswerable", fields, n, make, check, _asked, sound="no")


def told_qa(chunk: Chunk) -> Any:
    """What the check of a question and its answer is filled with: both, and the words of the evidence."""

    def told(row: Record) -> dict[str, Any]:
        return {"question": row.meta["question"], "answer": row.meta["answer"], "quotes": quoted(chunk, row)}

    return told


def quoted(chunk: Chunk, row: Record) -> list[str]:
    """The words of a row's evidence."""
    return [chunk.record.text[span["start"] : span["end"]] for span in row.meta["evidence"]]


def _asked(row: Record) -> dict[str, Any]:
    return {"question": row.meta["question"]}


def _language(record: Record) -> str:
    return record.language.partition("-")[0].lower() or "en"


def without_answer(chunk: Chunk, answerable: int, share: float) -> int:
    """How many questions without an answer a chunk is asked for, beside its answerable ones: their content decides.

    Over many chunks they are `share` of all questions. None where we have no words for the answer in the language.
    """
    if not share or f"unanswerable-{_language(chunk.record)}" not in templates("written"):
        return 0
    wanted = answerable * share / (1 - share)
    drawn = int(stable_hash("unanswerable", chunk.record.title, chunk.text), 16) / (1 << 64)
    return int(wanted) + (drawn < wanted - int(wanted))


def solved(record: Record, settings: WriterSettings) -> Chunk | str:
    """The turns of a conversation from the problem to the asker's thanks, or why it is not written about.

    Who says that it helped is found by the rules that mine answers from conversations, which read English.
    """
    messages = record.messages or ()
    found = resolution(messages) if record.english else None
    if found is None:
        return "not-resolved"
    asked, thanks = found
    offsets = part_offsets(messages)
    start = offsets[asked[0]] - len(speaker(messages[asked[0]])) - 2
    chunk = Chunk(record, start, offsets[thanks] + len(messages[thanks].content))
    fits = tokens_bound(chunk.text, settings.bytes_per_token) <= settings.chunk_tokens
    return chunk if fits else "too-long"
