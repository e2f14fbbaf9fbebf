"""The stage `mcq`: graded multiple choice from mined answers: one right, some slightly wrong, some completely wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from corpusforge.generate.mcq_items import Options, Question, Told, item, options, topic
from corpusforge.generate.mcq_pool import Offer, decide_pools, offers_table, read_pool
from corpusforge.generate.mcq_slots import can_be_near, form, giveaway, option
from corpusforge.generate.mined import mined, surveyed_rows, unpacked, with_pairs
from corpusforge.generate.phrasings import pick, resource, templates
from corpusforge.generate.qa import numbered
from corpusforge.generate.qa_miner import choose
from corpusforge.generate.qa_pair import Pair
from corpusforge.generate.questions import asked, repeats
from corpusforge.generate.rows import context, evidence, wanted
from corpusforge.generate.sentences import normalised
from corpusforge.record import Dropped, Kind, Record, stable_hash
from corpusforge.stage import Decision, Item, Stage, StageContext, StageSettings, Survey

if TYPE_CHECKING:
    import pyarrow as pa

TRIES = 4


class MCQSettings(StageSettings):
    """How many wrong options of each sort, which records are read and how many items each may give."""

    near: int = Field(1, ge=0, le=3, description="Slightly wrong options of an item.")
    far: int = Field(2, ge=1, le=4, description="Completely wrong options of an item.")
    per_passage: int = Field(3, ge=1, le=1000, description="Most items for one section of a record.")
    max_per_record: int = Field(20, ge=1, le=100_000, description="Most items for one record.")
    max_option_chars: int = Field(240, ge=20, le=2000, description="Longest option, in characters.")
    kinds: tuple[Kind, ...] = Field(("article", "doc"), description="Kinds of records that are read.")
    sources: tuple[str, ...] | None = Field(None, description="Sources that are read; all but public ones if not set.")


class MCQ(Stage):
    """Items whose wrong options are checked to be false, of one form and length, with the right one in any place."""

    name: ClassVar[str] = "mcq"
    version: ClassVar[int] = 3
    libraries: ClassVar[tuple[str, ...]] = ("pyyaml",)
    makes: ClassVar[bool] = True
    reads_survey: ClassVar[bool] = True
    Settings: ClassVar[type[StageSettings]] = MCQSettings

    @classmethod
    def resources(cls) -> tuple[Path, ...]:
        """Files whose bytes decide the output beside the code."""
        return tuple(resource(name) for name in ("qa", "mcq", "alterations", "english"))

    def survey(self, records: Iterable[Record], ctx: StageContext) -> pa.Table:
        """The items that this shard could make: hashes of their questions, and their answers as values to draw from."""
        found = [(record, *candidate) for record in records for candidate in _candidates(record, ctx)]
        table = offers_table(_offers(found, ctx))
        return with_pairs(table, ((record.id, pair) for record, _, pair, _ in found), siblings=True)

    def decide(self, surveys: Sequence[Survey], ctx: StageContext) -> Decision:
        """Per shard, the rows whose question stands elsewhere too and the values that wrong options are drawn from."""
        return decide_pools(surveys)

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """The items, and each record that gave none as a Dropped; items that cannot be made are counted by reason."""
        left_out = repeats(ctx)
        pools = read_pool(ctx.mine)
        surveyed = surveyed_rows(ctx, "value")
        settings = ctx.settings
        for record in records:
            if not wanted(record, settings.kinds, settings.sources, ctx):
                yield Dropped(record, "not-selected")
                continue
            reasons: list[str] = []
            made = 0
            told: Told | None = None
            places = 1 + settings.near + settings.far
            first = pick(places, record.id, "gold")
            of_section: dict[int, int] = {}
            lines = _candidates(record, ctx) if surveyed is None else surveyed.get(record.id, ())
            for row, line, gold in lines:
                if made == settings.max_per_record:
                    break
                pair = line if isinstance(line, Pair) else unpacked(line)
                if of_section.get(pair.section, 0) == settings.per_passage:
                    continue
                if row in left_out:
                    reasons.append(left_out[row])
                    continue
                # The right letter goes round within a record from a hashed start: even over the set, and one record's
                # letters do not depend on another's.
                at = (first + made) % places
                told = told or Told(record.text)
                question = Question(row, pair, gold, record, told)
                found = options(question, pools[record.side == "holdout"], settings.near, settings.far, at)
                if isinstance(found, str):
                    reasons.append(found)
                    continue
                made += 1
                of_section[pair.section] = of_section.get(pair.section, 0) + 1
                ctx.count(record.source, f"mcq.{pair.family}")
                yield _item(question, found)
            for reason in reasons:
                ctx.count(record.source, reason)
            if not made:
                yield Dropped(record, min(reasons) if reasons else "no-mcq-found")


def _offers(found: Iterable[tuple[Record, str, Pair, str]], ctx: StageContext) -> Iterator[Offer]:
    tried: Counter[tuple[str, int]] = Counter()
    for record, row, pair, gold in found:
        section = record.id, pair.section
        tried[section] += 1
        yield Offer(
            asked(row, pair.ask.key, gold, record.side),
            form(record, pair, gold), pair.slot, gold, record.group, topic(record),
            asked=tried[section] <= ctx.settings.per_passage,
        )  # fmt: skip


def _candidates(record: Record, ctx: StageContext) -> Iterator[tuple[str, Pair, str]]:
    settings = ctx.settings
    if not wanted(record, settings.kinds, settings.sources, ctx):
        return
    fitting, golds = [], {}
    for pair in mined(record):
        gold = option(pair)
        if 1 <= len(gold) <= settings.max_option_chars and normalised(gold) and not giveaway(pair, gold):
            fitting.append(pair)
            golds[pair.ask.key] = gold
    # Pairs that can have a slightly wrong option come first; the others only where a record has no such pair.
    fitting = [pair for pair in fitting if can_be_near(pair, golds[pair.ask.key])] or fitting
    # More than are asked for: not each can be given wrong options that leave no cue.
    most, section = settings.max_per_record * TRIES, settings.per_passage * TRIES
    rows = list(numbered(record, "mcq", choose(record, fitting, section, most)))
    for row, pair in sorted(rows, key=lambda entry: stable_hash("try", entry[0])):
        yield row, pair, golds[pair.ask.key]


def _item(question: Question, found: Options) -> Record:
    pair = question.pair
    template = templates("mcq")["choose"]
    meta = {
        "task": "mcq",
        "engine": "extractive",
        "template": f"{template.name}:{pair.template}",
        "template_version": template.version,
        "template_hash": template.hash,
        "evidence": evidence(question.record, pair.spans),
        "context": context(question.record, pair.spans),
    }
    return item(question, found, question.row, meta)
