"""Builds one multiple-choice item: the right answer, slightly and completely wrong ones, each checked to be false."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from corpusforge.generate.mcq_pool import Pool, Value
from corpusforge.generate.mcq_slots import altered, as_option, form, stems
from corpusforge.generate.qa_pair import Pair
from corpusforge.generate.sentences import normalised
from corpusforge.record import Record, stable_hash

LETTERS = "ABCDEFGH"
MIN_RATIO = 0.5
MAX_RATIO = 2.0
_SHORT = 8
_normal = lru_cache(maxsize=1 << 16)(normalised)
_SPEAKING = frozenset({"faq", "gold", "definition", "entry"})


@dataclass(frozen=True, slots=True)
class Question:
    """An item to be made: its row id, the pair it is from, the right option, and the parent's text for the checks."""

    row: str
    pair: Pair
    gold: str
    record: Record
    told: str

    @property
    def topic(self) -> str:
        """What the parent is about, for keeping completely wrong options to other topics."""
        return topic(self.record)


@dataclass(frozen=True, slots=True)
class Options:
    """The options in order, where the right one stands, and which are slightly and completely wrong."""

    texts: tuple[str, ...]
    gold: int
    near: tuple[int, ...]
    far: tuple[int, ...]


def topic(record: Record) -> str:
    """A record's topic: its title, else its group."""
    return normalised(record.title) or record.group


def options(question: Question, pool: Pool, near: int, far: int, at: int) -> Options | str:
    """The options of an item with the right one at place `at`, or the reason why there are not enough wrong ones."""
    taken = [question.gold]
    # How many wrong options are longer than the right one is drawn evenly, so that length tells nothing over the set.
    longer = int(stable_hash(question.row, "longer"), 16) % (near + far + 1)
    nearly = _take(question, _near(question, pool), near, taken, longer)
    if len(nearly) < near:
        return "no-near-distractor"
    wholly = _take(question, _far(question, pool), far, taken, longer)
    if len(wholly) < far:
        return "no-far-distractor"
    wrong = sorted([*nearly, *wholly], key=lambda text: stable_hash(question.row, "place", text))
    texts = [*wrong[:at], question.gold, *wrong[at:]]
    return Options(
        tuple(texts), at, tuple(texts.index(text) for text in nearly), tuple(texts.index(text) for text in wholly)
    )


def _near(question: Question, pool: Pool) -> Iterator[str]:
    """Slightly wrong: another value of the same slot beside the answer, the answer with one thing changed, or a value
    of the same slot elsewhere."""
    pair, row = question.pair, question.row
    if pair.family == "command":
        yield from reversed(_by_likeness(question))
        return
    beside = [as_option(value, pair.family) for value in pair.siblings]
    yield from _shuffled(
        row, (v for v in beside if form(question.record, pair, v) == form(question.record, pair, question.gold))
    )
    yield from (changed for changed in altered(question.gold, pair.family, row) if _untold(question, changed))
    if ":" in pair.slot:
        for value in _from_place(row, pool.by_slot.get(pair.slot, [])):
            if value.group != question.record.group and _untold(question, value.value):
                yield value.value


def _far(question: Question, pool: Pool) -> Iterator[str]:
    """Completely wrong: of the same form, from another group and topic, and nowhere in the parent's text; of commands,
    those for other ends that look least like the right one."""
    if question.pair.family == "command":
        # The question names the program, so a command of another program would give the right one away: a guesser that
        # counted shared words got 77% of such items. What the same program does for other ends is as wrong.
        yield from _by_likeness(question)
        return
    values = pool.by_form.get(form(question.record, question.pair, question.gold), [])
    asked = set(stems(question.pair.question)) if question.pair.family in _SPEAKING else set()
    for value in _from_place(question.row, values):
        if value.group == question.record.group or value.topic == question.topic:
            continue
        if not _as_long(question.gold, value.value):
            continue
        # An answer that speaks of what was asked may be right elsewhere, and so here.
        if not asked.intersection(stems(value.value)) and _untold(question, value.value):
            yield value.value


def _by_likeness(question: Question) -> list[str]:
    """The commands beside the right one, those that share least with it first."""
    gold = set(_normal(question.gold).split())

    def likeness(value: str) -> tuple[float, str]:
        words = set(_normal(value).split())
        return len(words & gold) / max(1, len(words | gold)), stable_hash(question.row, value)

    return sorted({as_option(value, "command") for value in question.pair.siblings}, key=likeness)


def _from_place(row: str, values: list[Value]) -> Iterator[Value]:
    # Values lie on a ring by their hashes and an item starts at its own: a value more or less touches few items.
    start = bisect_left(values, stable_hash(row), key=lambda value: value.rank)
    yield from values[start:]
    yield from values[:start]


def _shuffled(row: str, values: Iterable[str]) -> list[str]:
    return sorted(set(values), key=lambda value: stable_hash(row, value))


def _take(question: Question, candidates: Iterator[str], n: int, taken: list[str], longer: int) -> list[str]:
    """The first `n` that can stand beside those taken, those that bring the lengths nearer to the aim first."""
    chosen: list[str] = []
    waiting: list[str] = []
    for value in candidates:
        if len(chosen) == n or len(waiting) >= 12 * n:
            break
        if not _fits(question.gold, value, [*taken, *waiting]):
            continue
        have = sum(len(text) > len(question.gold) for text in taken[1:])
        if (len(value) > len(question.gold)) == (have < longer):
            chosen.append(value)
            taken.append(value)
        else:
            waiting.append(value)
    while len(chosen) < n and waiting:
        value = waiting.pop(0)
        chosen.append(value)
        taken.append(value)
    return chosen


def _fits(gold: str, value: str, taken: list[str]) -> bool:
    if not value or not _as_long(gold, value):
        return False
    normal, right = f" {_normal(value)} ", f" {_normal(gold)} "
    if normal in right or right in normal:
        return False
    return all(_normal(text) != normal.strip() and text != value for text in taken)


def _as_long(gold: str, value: str) -> bool:
    return MIN_RATIO <= max(len(value), _SHORT) / max(len(gold), _SHORT) <= MAX_RATIO


def _untold(question: Question, value: str) -> bool:
    return f" {_normal(value)} " not in question.told
