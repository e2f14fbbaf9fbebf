"""Predicts what a model's tasks will ask for: calls, tokens, time and money, from fifty chunks chosen by a hash."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from corpusforge.generate.engines.cache import ResponseCache
from corpusforge.generate.engines.door import GenerationRequest, GenerationResponse, Identity, Usage
from corpusforge.generate.engines.registry import make_engine
from corpusforge.generate.write.asking import Written
from corpusforge.generate.write.pulse import read_speed
from corpusforge.generate.write.writer import Passage, Writer
from corpusforge.generation import FROM_QUESTIONS
from corpusforge.mix.tokenizer import load_counter
from corpusforge.plan import Plan, Walk
from corpusforge.record import Record, stable_hash
from corpusforge.shards import Shard, read_records
from corpusforge.stage import StageContext
from corpusforge.stage_use import StageUse
from corpusforge.work import RESPONSES

CHUNKS = 50
RECORDS = 400
# A question with its answer and quotes has about a hundred tokens, a rewritten chunk about its own length.
PER_ROW = 100
CHECKED_ROW = 150
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Range:
    """A number with its 95% interval."""

    mid: float
    low: float
    high: float

    def times(self, factor: float) -> Range:
        """The number times another that is certain."""
        return Range(self.mid * factor, self.low * factor, self.high * factor)

    def plus(self, other: Range) -> Range:
        """The sum; the intervals add up, as the same chunks stand behind both."""
        return Range(self.mid + other.mid, self.low + other.low, self.high + other.high)

    def to_json(self, digits: int = 0) -> list[float]:
        """Low, middle and high."""
        return [round(value, digits) for value in (self.low, self.mid, self.high)]


NOTHING = Range(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Estimate:
    """One task: chunks and what they will ask for; `known` is the share of the sample's calls answered already.

    `measured` tells whether lengths of answers are those of answers that are there, or the limits of what may come.
    """

    task: str
    chunks: Range
    rows: Range
    calls: Range
    prompt_tokens: Range
    completion_tokens: Range
    known: float
    measured: bool
    money: Range | None
    seconds: Range | None

    def to_json(self) -> dict[str, Any]:
        """As `plan --json` prints it: each figure as low, middle and high."""
        told = ("chunks", "rows", "calls", "prompt_tokens", "completion_tokens")
        return {
            "task": self.task,
            **{name: getattr(self, name).to_json() for name in told},
            "answered_already": round(self.known, 3),
            "answers_measured": self.measured,
            "money": None if self.money is None else self.money.to_json(2),
            "seconds": None if self.seconds is None else self.seconds.to_json(),
        }


@dataclass(slots=True)
class _Tally:
    """What one chunk asks for: calls, and tokens of prompts and answers; answers by rows where they are not there.

    `prompt` is of prompts that were not sent yet, by the recipe's tokenizer; `counted` of those that were, by the
    engine, and `own` of the same by the recipe's tokenizer.
    """

    calls: float = 0
    prompt: float = 0
    counted: float = 0
    own: float = 0
    answered: float = 0
    known: int = 0
    asked: int = 0
    rows: int = 0


class _Dry:
    """Stands in for a session: answers what the cache knows, and refuses the rest after counting it."""

    def __init__(self, identity: Identity, cache: ResponseCache, count: Callable[[str], int]) -> None:
        self.identity, self.cache, self.count = identity, cache, count
        self.tally = _Tally()

    async def ask(self, request: GenerationRequest) -> GenerationResponse:
        """The answer that is there, or a refusal."""
        key = request.key(self.identity)
        found = self.cache.get(key)
        size = self.count(request.messages[-1].content)
        tally = self.tally
        tally.calls += 1
        tally.asked += 1
        if found is not None and not found.error:
            tally.known += 1
            tally.counted += found.usage.prompt_tokens or size
            tally.own += size
            tally.answered += found.usage.completion_tokens or self.count("".join(found.texts))
            return found
        tally.prompt += size
        return GenerationResponse(key, (), "error", Usage(), "refused")


def estimates(plan: Plan, walk: Walk, workers: int) -> list[Estimate] | None:
    """What each task that a model writes will ask for; None where the records that it reads are not curated yet."""
    uses = [use for use in plan.recipe.generate if issubclass(use.stage, Writer)]
    if not uses:
        return []
    made = {use.name for use in (*plan.recipe.generate, *plan.recipe.proofs)}
    before = [step.name for step in takewhile(lambda step: step.name not in made and step.name != "tokens", plan.steps)]
    slots = walk.states[before[-1] if before else "ingest"].slots
    shards = [slot.shard for slot in slots if slot.shard is not None]
    if len(shards) < len(slots):
        return None
    counter = load_counter(plan.recipe.tokenizer())
    found: list[Estimate] = []
    ratio = 1.0
    for use in uses:
        if use.written == FROM_QUESTIONS:
            asked = next((one for one in found if one.task == "qa"), None)
            if asked is None:
                continue
            one = _of_questions(use, asked, plan, workers)
        else:
            one, ratio = _estimate(use, shards, plan, lambda text: counter([text])[0], workers, ratio)
        if not walk.states[use.name].missing:
            one = replace(one, known=1.0, seconds=NOTHING, money=one.money and NOTHING)
        found.append(one)
    return found


def _estimate(
    use: StageUse, shards: Sequence[Shard], plan: Plan, count: Callable[[str], int], workers: int, ratio: float
) -> tuple[Estimate, float]:
    """One task's figures. `ratio` is how many tokens the engine counts where the recipe's tokenizer counts one, as far
    as earlier tasks told; and what is known of it now."""
    stage: Any = use.stage()
    settings: Any = use.settings
    total, sample = _sample(use, shards, plan)
    per_record: list[int] = []
    passages: list[Passage] = []
    for record in sample:
        facts = {source.name: source.facts() for source in plan.recipe.sources if source.name == record.source}
        ctx = StageContext(settings, plan.recipe.spec.seed, facts)
        chunks = [] if stage.refused(record, ctx) is not None else stage.cut(record, settings)
        per_record.append(len(chunks))
        passages += [Passage(record, chunk) for chunk in chunks]
    chunks_ = _mean(per_record, total)
    # The records that a preview showed come first: of those it is known how long answers are.
    chosen = heapq.nsmallest(CHUNKS, passages, key=lambda passage: stable_hash("preview", passage.record.id))
    identity = make_engine(settings.engine).identity()
    cache = ResponseCache(plan.root / RESPONSES)
    prompts = stage.prompts(settings)
    tallies: list[_Tally] = []
    for passage in chosen:
        dry = _Dry(identity, cache, count)
        written: Written = asyncio.run(stage.write(passage, dry, prompts, settings))
        tallies.append(_completed(dry.tally, written, settings, passage.chunk.text if passage.chunk else "", count))
    own = sum(t.own for t in tallies)
    ratio = sum(t.counted for t in tallies) / own if own else ratio
    return _put_together(use, chunks_, tallies, plan, workers, ratio), ratio


def _completed(tally: _Tally, written: Written, settings: Any, chunk: str, count: Callable[[str], int]) -> _Tally:
    """The chunk's figures with the checks of rows that are not written yet, which read the chunk once more each."""
    waiting = written.missing["refused"]
    tally.rows = written.asked
    if settings.check and waiting:
        tally.calls += waiting
        own = count(chunk)
        tally.prompt += waiting * (own + CHECKED_ROW * 4 * own / max(1, len(chunk.encode())))
    return tally


def _put_together(
    use: StageUse, chunks: Range, tallies: Sequence[_Tally], plan: Plan, workers: int, ratio: float
) -> Estimate:
    settings: Any = use.settings
    engine = settings.engine
    rows = _product(chunks, [float(t.rows) for t in tallies])
    calls = _product(chunks, [t.calls for t in tallies])
    prompt = _product(chunks, [t.counted + ratio * t.prompt for t in tallies])
    known = [t for t in tallies if t.known == t.asked and t.asked]
    if known:
        answers = _product(chunks, [t.answered for t in known])
    else:
        most = engine.max_tokens * calls.high
        answers = Range(min(rows.mid * PER_ROW, most), rows.low * PER_ROW / 3, min(rows.high * PER_ROW * 3, most))
    share = sum(t.known for t in tallies) / max(1, sum(t.asked for t in tallies))
    return _priced(use.name, chunks, rows, calls, prompt, answers, share, bool(known), engine, plan, workers)


def _of_questions(use: StageUse, asked: Estimate, plan: Plan, workers: int) -> Estimate:
    """Multiple choice: two calls for each question that gets through; most do, between half and all."""
    settings: Any = use.settings
    rows = Range(asked.rows.mid * 0.8, asked.rows.low / 2, asked.rows.high)
    each = asked.prompt_tokens.mid / max(1.0, asked.calls.mid)
    calls = rows.times(2 if settings.check else 1)
    answers = Range(rows.mid * PER_ROW / 2, rows.low * PER_ROW / 6, rows.high * PER_ROW)
    return _priced(use.name, rows, rows, calls, calls.times(each), answers, 0.0, False, settings.engine, plan, workers)


def _priced(
    task: str, chunks: Range, rows: Range, calls: Range, prompt: Range, answers: Range, known: float, measured: bool,
    engine: Any, plan: Plan, workers: int,
) -> Estimate:  # fmt: skip
    # What is answered already costs nothing more; the sample tells its share.
    unpaid = 1 - known
    priced = bool(engine.prompt_price or engine.completion_price)
    cost = prompt.times(engine.prompt_price / 1e6).plus(answers.times(engine.completion_price / 1e6))
    speed = _speed(plan.root, engine, task)
    seconds = None if speed is None else prompt.plus(answers).times(unpaid / (speed * workers))
    money = cost.times(unpaid) if priced else None
    return Estimate(task, chunks, rows, calls, prompt, answers, known, measured, money, seconds)


def _speed(root: Path, engine: Any, task: str) -> float | None:
    """Tokens a second of one worker, read and written, in what was asked of this model before; None if nothing was."""
    lines = [line for line in read_speed(root) if line.get("model") == engine.model]
    own = [line for line in lines if line.get("task") == task] or lines
    totals: Counter[str] = Counter()
    for line in own[-200:]:
        totals["seconds"] += line["seconds"]
        totals["tokens"] += line.get("prompt_tokens", 0) + line.get("completion_tokens", 0)
    return totals["tokens"] / totals["seconds"] if totals["seconds"] > 0 and totals["tokens"] else None


def _sample(use: StageUse, shards: Sequence[Shard], plan: Plan) -> tuple[int, list[Record]]:
    """How many records the task could read, and the first of them by hash. Reads every record's kind, few texts."""
    import pyarrow.parquet as pq

    settings: Any = use.settings
    public = {source.name for source in plan.recipe.sources if source.role == "public"}
    ids: list[str] = []
    for shard in _chosen(shards, settings, public):
        table = pq.read_table(shard.path, columns=["id", "kind"])
        pairs = zip(table["id"].to_pylist(), table["kind"].to_pylist(), strict=True)
        ids += [identity for identity, kind in pairs if kind in settings.kinds]
    first = set(heapq.nsmallest(RECORDS, ids, key=lambda identity: stable_hash("preview", identity)))
    found = [r for shard in _chosen(shards, settings, public) for r in read_records(shard.path) if r.id in first]
    return len(ids), found


def _chosen(shards: Sequence[Shard], settings: Any, public: set[str]) -> Iterator[Shard]:
    chosen = settings.sources
    return (s for s in shards if (s.source in chosen if chosen is not None else s.source not in public))


def _mean(values: Sequence[float], total: int) -> Range:
    """A sum over `total` from a sample's mean, with its interval; exact where the sample is all."""
    if not values:
        return NOTHING
    mid = fmean(values)
    spread = 0.0
    if 1 < len(values) < total:
        spread = _Z * stdev(values) / math.sqrt(len(values)) * math.sqrt(1 - len(values) / total)
    return Range(mid * total, max(0.0, mid - spread) * total, (mid + spread) * total)


def _product(chunks: Range, values: Sequence[float]) -> Range:
    """So much a chunk, over all chunks; relative errors of both add up as squares."""
    if not values or not chunks.mid:
        return NOTHING
    mid = fmean(values)
    # One chunk alone says nothing of how they differ.
    own = _Z * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else mid / 2
    if len(values) >= chunks.mid:
        own = 0.0
    relative = math.hypot(own / mid if mid else 0.0, (chunks.high - chunks.mid) / chunks.mid)
    centre = mid * chunks.mid
    return Range(centre, centre * max(0.0, 1 - relative), centre * (1 + relative))
