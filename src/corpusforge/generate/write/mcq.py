"""The stage `mcq` by a model: items from accepted questions, their near distractors written, the far ones drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field as Setting

from corpusforge.generate.mcq_items import Question, Told, item, options, topic
from corpusforge.generate.mcq_pool import Offer, Pool, decide_pools, offers_table, read_pool
from corpusforge.generate.mcq_slots import form, option
from corpusforge.generate.phrasings import pick, resource
from corpusforge.generate.qa_pair import Ask, Pair
from corpusforge.generate.questions import asked, repeats
from corpusforge.generate.rows import row_id
from corpusforge.generate.sentences import normalised
from corpusforge.generate.verify.checks import LOOSEST, UNCHECKED, problems
from corpusforge.generate.write.asking import Order, Written
from corpusforge.generate.write.chunk import Chunk
from corpusforge.generate.write.output import Field, Value
from corpusforge.generate.write.prompt import Prompt
from corpusforge.generate.write.settings import WriterSettings
from corpusforge.generate.write.writer import Passage, Writer, lineage
from corpusforge.record import Kind, Record
from corpusforge.stage import Decision, StageContext, StageSettings, Survey

if TYPE_CHECKING:
    import pyarrow as pa

WRONG = Field("wrong", "the wrong answer", many=True)
CHANGED = Field("changed", "the property that differs")


class WrittenMCQSettings(WriterSettings):
    """How many wrong options of each sort an item has, and which questions become items."""

    near: int = Setting(1, ge=1, le=3, description="Slightly wrong options of an item; the model writes them.")
    far: int = Setting(2, ge=1, le=4, description="Completely wrong options of an item: answers of other topics.")
    max_option_chars: int = Setting(240, ge=20, le=2000, description="Longest option, in characters.")


class WrittenMCQ(Writer):
    """Multiple choice from the rows of `qa`: the model writes what is nearly right, code does all the rest."""

    name: ClassVar[str] = "mcq-written"
    version: ClassVar[int] = 1
    task: ClassVar[Kind] = "mcq"
    Settings: ClassVar[type[StageSettings]] = WrittenMCQSettings

    def __init__(self) -> None:
        self._left_out: Mapping[str, str] = {}
        self._pools: dict[bool, Pool] = {}
        self._items: dict[str, tuple[Record, Pair, int]] = {}
        self._per_record: dict[str, int] = {}

    @classmethod
    def resources(cls) -> tuple[Path, ...]:
        """Files whose bytes decide the output beside the code."""
        return tuple(resource(name) for name in ("mcq", "alterations"))

    @classmethod
    def templates(cls, settings: Any) -> tuple[str, ...]:
        """The one that writes and the one that checks."""
        return ("mcq-near", "mcq-check")

    def survey(self, records: Iterable[Record], ctx: StageContext) -> pa.Table:
        """The items that this shard's questions could become, and their answers as values to draw from."""
        found = ((record, _pair(record, ctx.settings)) for record in records)
        return offers_table(
            Offer(
                asked(record.id, normalised(pair.question), pair.answer, record.side),
                form(record, pair, pair.answer), pair.slot, pair.answer, record.group, topic(record),
            )
            for record, pair in found
            if isinstance(pair, Pair)
        )  # fmt: skip

    def decide(self, surveys: Sequence[Survey], ctx: StageContext) -> Decision:
        """Per shard, questions that stand elsewhere too and the values that far options are drawn from."""
        return decide_pools(surveys)

    def written(self, records: Iterable[Record], ctx: StageContext) -> Iterator[tuple[Passage, Written]]:
        """Each question with what came of it."""
        self._left_out, self._pools = repeats(ctx), read_pool(ctx.mine)
        yield from super().written(records, ctx)

    def passages(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Passage]:
        """The chunk that each question was written from, with the place where its right option will stand."""
        places = 1 + ctx.settings.near + ctx.settings.far
        for record in records:
            parent = record.parents[0]
            made = self._per_record.get(parent, 0)
            pair = _pair(record, ctx.settings)
            reason = pair if isinstance(pair, str) else self._left_out.get(record.id)
            if isinstance(pair, str) or reason is not None:
                yield Passage(record, reason=reason or "")
                continue
            self._per_record[parent] = made + 1
            # The letter goes round within a document from a hashed start: even over the set, and one document's
            # letters do not depend on another's.
            chunk = _chunk(record)
            self._items[record.id] = (record, pair, (pick(places, parent, "gold") + made) % places)
            yield Passage(record, chunk)

    def orders(self, chunk: Chunk, prompts: Mapping[str, Prompt], settings: Any) -> Sequence[Order]:
        """One item of one question."""
        row, pair, at = self._items.pop(chunk.record.id)
        prompt = prompts["mcq-near"]

        def make(values: Mapping[str, Value], place: int) -> Record | str:
            told = Told(chunk.text)
            wrong = tuple(text for text in values["wrong"] if text not in told)
            if not wrong:
                return "near-in-text"
            question = Question(row.id, pair._replace(siblings=wrong), pair.answer, row, told)
            found = options(question, self._pools[row.side == "holdout"], settings.near, settings.far, at)
            if isinstance(found, str):
                return found
            meta = {
                **lineage("mcq", chunk, prompt, settings),
                "context": row.meta["context"],
                "evidence": row.meta["evidence"],
                "changed": str(values["changed"]),
                "from": row.id,
            }
            identity = row_id(row, "mcq", prompt.name, 0, place)
            made = item(question, found, identity, meta)
            return replace(made, parents=(*row.parents, row.id))

        def told_of(item: Record) -> dict[str, Any]:
            near = [item.meta["options"][index] for index in item.meta["near"]]
            offset = item.meta["context"]["start"]
            quotes = [chunk.text[e["start"] - offset : e["end"] - offset] for e in item.meta["evidence"]]
            right = item.meta["answer"]
            return {"question": pair.question, "answer": right, "option": "; or: ".join(near), "quotes": quotes}

        values = {"question": pair.question, "answer": pair.answer}
        fields = (WRONG, CHANGED)
        return [Order("mcq", prompt.name, fields, 1, make, "mcq-check", told_of, values, sound="no")]


def _pair(row: Record, settings: Any) -> Pair | str:
    """A question with its answer as an option, or why it becomes no item."""
    meta = row.meta
    if row.kind != "qa" or not meta.get("answerable", True):
        return "not-selected"
    # How strict a recipe is, its `verify` says of the item itself; here only what no recipe keeps is left out.
    accepted = meta.get("verdict", "") in ("", "yes") and not meta.get(UNCHECKED)
    if not accepted or any(problems(row, LOOSEST)):
        return "not-accepted"
    span = (meta["evidence"][0]["start"], meta["evidence"][0]["end"])
    ask = Ask("gold", row.id, (("question", meta["question"]),))
    pair = Pair("gold", "gold", ask, meta["answer"], (span,), 0, "gold")
    gold = option(pair)
    if not 1 <= len(gold) <= settings.max_option_chars or not normalised(gold):
        return "no-option"
    return pair._replace(answer=gold)


def _chunk(row: Record) -> Chunk:
    """The chunk that a question was written from; its record holds nothing else and stands for the question."""
    context = row.meta["context"]
    held = replace(row, text=context["text"], messages=None, spans=())
    return Chunk(held, 0, len(context["text"]), context.get("section", ""))
