"""Builds one multiple-choice item: the right answer, slightly and completely wrong ones, each checked to be false."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations, islice
from typing import Any

from corpusforge.generate.mcq_pool import Pool, Value
from corpusforge.generate.mcq_slots import altered, as_option, form, stems
from corpusforge.generate.phrasings import templates
from corpusforge.generate.qa_pair import Pair
from corpusforge.generate.rows import make_row
from corpusforge.generate.sentences import likeness, normalised
from corpusforge.record import Record, stable_hash

LETTERS = "ABCDEFGH"
MIN_RATIO = 0.5
MAX_RATIO = 2.0
NO_CUE = 10.0
MOST_SETS = 8
NONE_LONGER = 70
OVERLAP = 0.15
LIKENESS = 0.9
# How much sooner a value is drawn that is the right option of another item.
ASKED_FIRST = 2
_SHORT = 8
_GOLDEN, _WHOLE = 0x9E3779B97F4A7C15, (1 << 64) - 1
# `{{path}}` stands for what the user puts in; `{{[-l|--list]}}` are two ways to write an option.
_ARGUMENT = re.compile(r"\{\{(?!\[)[^}]*\}\}")
# Which of several protocols is meant no question says.
_SCHEME = re.compile(r"\b[a-z]+://")
_CLUSTER = re.compile(r"(?<![\w-])-([A-Za-z]{1,4})(?![\w-])")
_EVERYTHING = re.compile(r"(?:^|[\s\[|{])(?:-a|-A|-{1,2}(?:all|everything|full|complete)\b)")
_PART = re.compile(r"[\w%.+/]+")
_normal = lru_cache(maxsize=1 << 16)(normalised)
_SPEAKING = frozenset({"faq", "gold", "definition", "entry"})


class Told:
    """A text as its words, so that what it says can be looked up."""

    def __init__(self, text: str) -> None:
        self._text = f" {normalised(text)} "
        self._words = frozenset(self._text.split())

    def __contains__(self, value: str) -> bool:
        # Most values have a word that the text lacks; only for the others a long text is read.
        return _words(value) <= self._words and f" {_normal(value)} " in self._text


@dataclass(frozen=True, slots=True)
class Question:
    """An item to be made: its row id, the pair it is from, the right option, and the parent's text for the checks."""

    row: str
    pair: Pair
    gold: str
    record: Record
    told: Told

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


def item(question: Question, found: Options, identity: str, meta: Mapping[str, Any]) -> Record:
    """An item as a record, its options behind letters; `meta` tells where it is from."""
    asked = question.pair.question
    lettered = [f"{letter}. {text}" for letter, text in zip(LETTERS, found.texts, strict=False)]
    user = templates("mcq")["choose"].phrase(question.row, question=asked, options="\n".join(lettered))
    told = {
        "question": asked,
        "answer": found.texts[found.gold],
        "options": list(found.texts),
        "gold": found.gold,
        "near": list(found.near),
        "far": list(found.far),
    }
    right = lettered[found.gold]
    return make_row(question.record, "mcq", identity, user=user, assistant=right, meta={**meta, **told})


def topic(record: Record) -> str:
    """A record's topic: its title, else its group."""
    return normalised(record.title) or record.group


def options(question: Question, pool: Pool, near: int, far: int, at: int) -> Options | str:
    """The options of an item with the right one at place `at`, or the reason why there are not enough wrong ones.

    Of the wrong options at hand those are taken that leave the fewest cues: see `_Cues`.
    """
    gold = question.gold
    beside = list(_near(question, pool))
    nearly = list(islice(combinations(_fitting(question, (text for text, _ in beside), []), near), MOST_SETS))
    if not nearly:
        return "no-near-distractor"
    made = frozenset(text for text, changed in beside if changed)
    distant, cues = _Distant(question, pool), _Cues(question, near + far)
    best: tuple[float, tuple[str, ...], tuple[str, ...]] | None = None
    enough = False
    for chosen in nearly:
        for wholly in _far_sets(distant, far, chosen, paired=bool(made.intersection(chosen))):
            enough = True
            limit = NO_CUE if best is None else best[0]
            cost = cues.cost([*chosen, *wholly], limit)
            if cost < limit:
                best = (cost, chosen, wholly)
            if best is not None and not best[0]:
                break
        if best is not None and best[0] < 0.5:
            break
    if best is None:
        return "overlap-cue" if enough else "no-far-distractor"
    _, near_texts, far_texts = best
    wrong = sorted([*near_texts, *far_texts], key=lambda text: stable_hash(question.row, "place", text))
    texts = [*wrong[:at], gold, *wrong[at:]]
    return Options(
        tuple(texts),
        at,
        tuple(texts.index(text) for text in near_texts),
        tuple(texts.index(text) for text in far_texts),
    )


class _Cues:
    """How much the looks of the options of one question tell.

    Places of the right one among all are drawn evenly for each item: by length, by likeness to the others and by words
    that others lack; the cost is the distance from them. NO_CUE is added where the right one alone repeats most of the
    question, except in as many items as chance would have it.
    """

    def __init__(self, question: Question, wrong: int) -> None:
        row, self._gold = question.row, question.gold
        draw = int(stable_hash(row, "longer"), 16) % 100
        # Few items have enough wrong options that are shorter, so no longer one is aimed at more often than it is met.
        self._longer = 0 if draw < NONE_LONGER else 1 + (draw - NONE_LONGER) * wrong // (100 - NONE_LONGER)
        self._liker = int(stable_hash(row, "likeness"), 16) % (wrong + 1)
        self._own = int(stable_hash(row, "own"), 16) % (wrong + 1)
        self._chance = int(stable_hash(row, "overlap"), 16) % (4 * (wrong + 1)) == 0
        self._words = _words(question.gold)
        # No wrong option may give everything; where the right one does, that would tell it.
        self._everything = question.pair.family == "command" and bool(_EVERYTHING.search(question.gold))
        # How often a command's words stand in its neighbours: those of the right one must not be the rarest.
        told = (question.gold, *question.pair.siblings) if question.pair.family == "command" else ()
        self._beside = Counter(word for text in told for word in _words(text))
        self._asked = set(stems(question.pair.question))
        self._shared: dict[str, int] = {}
        self._alike: dict[tuple[str, str], float] = {}
        self._common: dict[frozenset[str], float] = {}

    def cost(self, wrong: Sequence[str], limit: float) -> float:
        """The cost of these wrong options beside the right one; `limit` or more where it is not below that."""
        gold = len(self._gold)
        longer = abs(sum([len(text) >= gold for text in wrong]) - self._longer)
        shared = [self._of_question(text) for text in (self._gold, *wrong)]
        alone = shared[0] > max(shared[1:]) or (self._everything and not any(map(_EVERYTHING.search, wrong)))
        # Seldom has a wrong one more words of the question; as many is what can be had.
        fewer = sum([one < shared[0] for one in shared[1:]])
        told = OVERLAP * fewer + (NO_CUE if alone and not self._chance else 0)
        # Most sets cost too much before the dearest part is counted; each part only adds.
        if longer + told >= limit:
            return limit
        sets = [self._words, *map(_words, wrong)]
        if self._beside:
            own = [self._commonness(one) for one in sets]
        else:
            own = [float(len(one.difference(*(sets[:k] + sets[k + 1 :])))) for k, one in enumerate(sets)]
        rarer = abs(sum([one >= own[0] for one in own[1:]]) - self._own)
        if longer + LIKENESS * rarer + told >= limit:
            return limit
        return longer + LIKENESS * (abs(self._likers((self._gold, *wrong), sets) - self._liker) + rarer) + told

    def _commonness(self, words: frozenset[str]) -> float:
        found = self._common.get(words)
        if found is None:
            found = self._common[words] = -sum([self._beside[word] for word in words]) / max(1, len(words))
        return found

    def _likers(self, texts: Sequence[str], sets: Sequence[frozenset[str]]) -> int:
        """How many wrong options are more like the others than the right one is."""
        alike = self._alike
        sums = []
        for one, words in zip(texts, sets, strict=True):
            total = 0.0
            for other, others in zip(texts, sets, strict=True):
                found = alike.get((one, other))
                if found is None:
                    found = alike[one, other] = likeness(words, others)
                total += found
            sums.append(total)
        return sum([one > sums[0] + 0.01 for one in sums[1:]])

    def _of_question(self, text: str) -> int:
        if text not in self._shared:
            self._shared[text] = len(self._asked.intersection(stems(text)))
        return self._shared[text]


@lru_cache(maxsize=1 << 15)
def _words(text: str) -> frozenset[str]:
    return frozenset(_normal(text).split())


def _fitting(question: Question, candidates: Iterable[str], taken: Sequence[str], most: int = 8) -> list[str]:
    """The first candidates that can stand beside the right answer and each other."""
    found: list[str] = []
    for value in candidates:
        if _fits(question, value, [question.gold, *taken, *found]):
            found.append(value)
            if len(found) == most:
                break
    return found


@dataclass(frozen=True)
class _Distant:
    """What completely wrong options of one question are drawn from: found once for all its slightly wrong ones."""

    question: Question
    pool: Pool

    @cached_property
    def values(self) -> list[Value]:
        return list(islice(_far(self.question, self.pool), 12 * MOST_SETS))

    @cached_property
    def beside(self) -> list[str]:
        """For a command: those of the same program."""
        return _by_likeness(self.question)

    @cached_property
    def _places(self) -> dict[tuple[str, str], list[str]]:
        places: dict[tuple[str, str], list[str]] = {}
        for value in self.values:
            places.setdefault((value.group, value.slot), []).append(value.value)
        return places

    @cached_property
    def _changed(self) -> dict[str, list[str]]:
        return {}

    def like(self, value: Value, *, paired: bool) -> list[str]:
        """What is like a value: itself changed, or another value of its place."""
        if not paired:
            return [text for text in self._places[value.group, value.slot] if text != value.value]
        if value.value not in self._changed:
            made = altered(value.value, self.question.pair.family, self.question.row)
            self._changed[value.value] = [text for text in made if _untold(self.question, text)]
        return self._changed[value.value]


def _far_sets(distant: _Distant, far: int, near: Sequence[str], *, paired: bool) -> Iterator[tuple[str, ...]]:
    """Sets of completely wrong options. As the right answer has a slightly wrong one like it, so has a completely wrong
    one another like it, else who sees that two options are alike need only choose between these: of one place in the
    corpus, or, where the slightly wrong option is the right one changed (`paired`), changed in the same way."""
    question = distant.question
    if question.pair.family == "command":
        # The question names the program, so a command of another program would give the right one away: a guesser that
        # counted shared words got 77% of such items. What the same program does for other ends is as wrong.
        yield from islice(combinations(_fitting(question, distant.beside, near), far), 4 * MOST_SETS)
        return
    values = distant.values
    made = 0
    for value in values:
        like = distant.like(value, paired=paired)
        texts = _fitting(question, [value.value, *like], near, far)
        if far > 2 and len(texts) >= 2:
            texts = _fitting(question, [*texts[:2], *(other.value for other in values)], near, far)
        if len(texts) == far and texts[0] == value.value:
            yield tuple(texts)
            made += 1
            if made == MOST_SETS:
                return
    if not made:
        texts = _fitting(question, (value.value for value in values), near, 3 * far)
        yield from islice(combinations(texts, far), MOST_SETS)


def _near(question: Question, pool: Pool) -> Iterator[tuple[str, bool]]:
    """Slightly wrong: another value of the same slot beside the answer, the answer with one thing changed (True), or a
    value of the same slot elsewhere."""
    pair, row = question.pair, question.row
    if pair.family == "command":
        yield from ((value, False) for value in reversed(_by_likeness(question)))
        return
    beside = [as_option(value, pair.family) for value in pair.siblings]
    alike = form(question.record, pair, question.gold)
    yield from ((value, False) for value in _shuffled(row, beside) if form(question.record, pair, value) == alike)
    yield from ((text, True) for text in altered(question.gold, pair.family, row) if _untold(question, text))
    if ":" in pair.slot:
        for value in _drawn(row, pool.by_slot.get(pair.slot, [])):
            if value.group != question.record.group and _untold(question, value.value):
                yield value.value, False


def _far(question: Question, pool: Pool) -> Iterator[Value]:
    """Completely wrong: of the same form, from another group and topic, and nowhere in the parent's text; values of the
    same slot first."""
    alike = form(question.record, question.pair, question.gold)
    same_slot = [value for value in pool.by_slot.get(question.pair.slot, []) if value.form == alike]
    asked = set(stems(question.pair.question)) if question.pair.family in _SPEAKING else set()
    seen: set[str] = set()
    own = question.topic
    for values in (same_slot, pool.by_form.get(alike, [])):
        for value in _drawn(question.row, values):
            if value.group == question.record.group or value.topic == own or value.value in seen:
                continue
            seen.add(value.value)
            # An answer that speaks of what was asked may be right elsewhere, and so here.
            fits = _as_long(question.gold, value.value) and not asked.intersection(stems(value.value))
            if fits and _untold(question, value.value):
                yield value


def _by_likeness(question: Question) -> list[str]:
    """The commands beside the right one, those that share least with it first."""
    gold = _words(question.gold)

    def rank(value: str) -> tuple[float, str]:
        return likeness(_words(value), gold), stable_hash(question.row, value)

    return sorted({as_option(value, "command") for value in question.pair.siblings}, key=rank)


def _drawn(row: str, values: list[Value]) -> Iterator[Value]:
    """The values in an order of the row's own.

    A value comes first for as many rows as any other, so that how often an option stands in the set tells nothing (on a
    ring of hashes, one behind a gap came first for many); what is right elsewhere and so stands in the set anyway comes
    first for more rows, or it would be wrong more often than right. A value more or less touches few items.
    """
    own = int(stable_hash(row), 16)

    def place(value: Value) -> int:
        # Multiplicative hashing: the high bits of the product, of which each depends on all bits of both hashes.
        mixed = ((int(value.rank, 16) ^ own) * _GOLDEN & _WHOLE) >> 8
        return mixed // ASKED_FIRST if value.asked else mixed

    yield from sorted(values, key=place)


def _shuffled(row: str, values: Iterable[str]) -> list[str]:
    return sorted(set(values), key=lambda value: stable_hash(row, value))


def _fits(question: Question, value: str, taken: Sequence[str]) -> bool:
    gold = question.gold
    if not value or not _as_long(gold, value):
        return False
    if question.pair.family == "command":
        right_words, wrong_words = _command_words(gold), _command_words(value)
        if _parts(gold) <= _parts(value):
            return False
        # What does the same and something more is right as well: cancel ID, cancel --verbose ID. What lacks something
        # is left out too, else the right one would be the one that says most.
        if right_words <= wrong_words or wrong_words <= right_words:
            return False
        # What gives everything gives what is asked, too.
        if _EVERYTHING.search(value) and not _EVERYTHING.search(gold):
            return False
    normal, right = f" {_normal(value)} ", f" {_normal(gold)} "
    if normal in right or right in normal:
        return False
    return all(_normal(text) != normal.strip() and text != value for text in taken)


@lru_cache(maxsize=1 << 14)
def _command_words(command: str) -> frozenset[str]:
    """The words of a command without arguments to be filled in; letters of options set together stand alone."""
    words = _PART.findall(_ARGUMENT.sub(" ", _SCHEME.sub(" ", command)))
    letters = [letter for cluster in _CLUSTER.findall(command) for letter in cluster]
    return frozenset([*(word for word in words if f"-{word}" not in command.split()), *letters])


@lru_cache(maxsize=1 << 14)
def _parts(command: str) -> frozenset[str]:
    return frozenset(_PART.findall(command))


def _as_long(gold: str, value: str) -> bool:
    return MIN_RATIO <= max(len(value), _SHORT) / max(len(gold), _SHORT) <= MAX_RATIO


def _untold(question: Question, value: str) -> bool:
    return value not in question.told
