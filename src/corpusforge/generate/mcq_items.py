"""Builds one multiple-choice item: the right answer, slightly and completely wrong ones, each checked to be false."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations, islice
from typing import Any

from corpusforge.generate.mcq_cues import EVERYTHING, NO_CUE, Cues, normal_of, words_of
from corpusforge.generate.mcq_pool import Pool, Value
from corpusforge.generate.mcq_slots import altered, as_option, form, shape, stems
from corpusforge.generate.phrasings import templates
from corpusforge.generate.qa_pair import Pair
from corpusforge.generate.rows import make_row
from corpusforge.generate.sentences import likeness, normalised
from corpusforge.record import Record, stable_hash

LETTERS = "ABCDEFGH"
MIN_RATIO = 0.5
MAX_RATIO = 2.0
MOST_SETS = 8
_SHORT = 8
# `{{path}}` stands for what the user puts in; `{{[-l|--list]}}` are two ways to write an option.
_ARGUMENT = re.compile(r"\{\{(?!\[)[^}]*\}\}")
# Which of several protocols is meant no question says.
_SCHEME = re.compile(r"\b[a-z]+://")
_CLUSTER = re.compile(r"(?<![\w-])-([A-Za-z]{1,4})(?![\w-])")
_PART = re.compile(r"[\w%.+/]+")
_SPEAKING = frozenset({"faq", "gold", "definition", "entry"})


class Told:
    """A text as its words, so that what it says can be looked up; read when first asked."""

    def __init__(self, text: str) -> None:
        self._raw = text
        self._text = ""
        self._words: frozenset[str] = frozenset()

    def __contains__(self, value: str) -> bool:
        if not self._text:
            self._text = f" {normalised(self._raw)} "
            self._words = frozenset(self._text.split())
        # Most values have a word that the text lacks; only for the others a long text is read.
        return words_of(value) <= self._words and f" {normal_of(value)} " in self._text


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

    Of the wrong options at hand those are taken that leave the fewest cues: see `Cues`.
    """
    gold = question.gold
    fits = _Fitting(question)
    beside: list[str] = []
    changed: list[str] = []
    slightly: Iterable[str]
    if question.pair.family == "command":
        beside = _by_likeness(question)
        slightly = reversed(beside)
    else:
        changed = _changes(question, gold)
        slightly = _near(question, pool, changed)
    nearly = list(islice(combinations(fits.first(slightly, []), near), MOST_SETS))
    if not nearly:
        return "no-near-distractor"
    made = frozenset(changed)
    distant, cues = _Distant(question, pool, fits, beside), Cues(question, near + far)
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


class _Fitting:
    """Which texts can stand beside the right answer of one question; each text is looked at once."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._fits: dict[str, bool] = {}
        self._gold = normal_of(question.gold)

    def first(self, candidates: Iterable[str], taken: Iterable[str], most: int = 8) -> list[str]:
        """The first candidates that can stand beside the right answer, those taken and each other."""
        found: list[str] = []
        normals = {self._gold, *map(normal_of, taken)}
        fits = self._fits
        for value in candidates:
            fit = fits.get(value)
            if fit is None:
                fit = fits[value] = _fits(self._question, value)
            if fit and (normal := normal_of(value)) not in normals:
                normals.add(normal)
                found.append(value)
                if len(found) == most:
                    break
        return found


@dataclass(frozen=True)
class _Distant:
    """What completely wrong options of one question are drawn from: found once for all its slightly wrong ones.

    For a command these are the others of its program, `beside` it.
    """

    question: Question
    pool: Pool
    fits: _Fitting
    beside: Sequence[str]

    @property
    def values(self) -> Iterator[Value]:
        """The values of the pool that could be wholly wrong; each is looked for when first asked for."""
        at = 0
        while at < len(self._found) or self._one_more():
            yield self._found[at]
            at += 1

    def _one_more(self) -> bool:
        for value in self._source:
            self._found.append(value)
            return True
        return False

    @cached_property
    def _source(self) -> Iterator[Value]:
        return islice(_far(self.question, self.pool), 12 * MOST_SETS)

    @cached_property
    def _found(self) -> list[Value]:
        return []

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
            self._changed[value.value] = _changes(self.question, value.value)
        return self._changed[value.value]


def _far_sets(distant: _Distant, far: int, near: Sequence[str], *, paired: bool) -> Iterator[tuple[str, ...]]:
    """Sets of completely wrong options. As the right answer has a slightly wrong one like it, so has a completely wrong
    one another like it, else who sees that two options are alike need only choose between these: of one place in the
    corpus, or, where the slightly wrong option is the right one changed (`paired`), changed in the same way."""
    question, first = distant.question, distant.fits.first
    if question.pair.family == "command":
        # The question names the program, so a command of another program would give the right one away: a guesser that
        # counted shared words got 77% of such items. What the same program does for other ends is as wrong.
        yield from islice(combinations(first(distant.beside, near), far), 4 * MOST_SETS)
        return
    made = 0
    for value in distant.values:
        like = distant.like(value, paired=paired)
        texts = first([value.value, *like], near, far)
        if far > 2 and len(texts) >= 2:
            texts = first([*texts[:2], *(other.value for other in distant.values)], near, far)
        if len(texts) == far and texts[0] == value.value:
            yield tuple(texts)
            made += 1
            if made == MOST_SETS:
                return
    if not made:
        texts = first((value.value for value in distant.values), near, 3 * far)
        yield from islice(combinations(texts, far), MOST_SETS)


def _near(question: Question, pool: Pool, changed: Sequence[str]) -> Iterator[str]:
    """Slightly wrong: another value of the same slot beside the answer, the answer with one thing changed, or a value
    of the same slot elsewhere."""
    pair, row = question.pair, question.row
    alike = shape(question.gold)
    beside = {value for value in (as_option(value, pair.family) for value in pair.siblings) if shape(value) == alike}
    yield from sorted(beside, key=lambda value: stable_hash(row, value))
    yield from changed
    if ":" in pair.slot:
        for value in pool.drawn(pool.by_slot.get(pair.slot, []), row):
            if value.group != question.record.group and _untold(question, value.value):
                yield value.value


def _changes(question: Question, value: str) -> list[str]:
    """A value with one thing changed, where the parent's text does not say that too."""
    return [text for text in altered(value, question.pair.family, question.row) if _untold(question, text)]


def _far(question: Question, pool: Pool) -> Iterator[Value]:
    """Completely wrong: of the same form, from another group and topic, and nowhere in the parent's text; values of the
    same slot first."""
    alike = form(question.record, question.pair, question.gold)
    asked = frozenset(stems(question.pair.question)) if question.pair.family in _SPEAKING else None
    seen: set[str] = set()
    own, group = question.topic, question.record.group
    low, high = _lengths(question.gold)
    for values in (pool.of_slot(question.pair.slot, alike), pool.by_form.get(alike, [])):
        for value in pool.drawn(values, question.row):
            text = value.value
            if text in seen or value.group == group or value.topic == own:
                continue
            seen.add(text)
            # An answer that speaks of what was asked may be right elsewhere, and so here.
            if low <= len(text) <= high and (not asked or asked.isdisjoint(stems(text))) and _untold(question, text):
                yield value


def _by_likeness(question: Question) -> list[str]:
    """The commands beside the right one, those that share least with it first."""
    gold = words_of(question.gold)
    beside = [as_option(value, "command") for value in question.pair.siblings]
    found = {value: likeness(words_of(value), gold) for value in beside}
    often = Counter(found.values())

    def rank(value: str) -> tuple[float, str]:
        # Only among equals a hash decides.
        return found[value], stable_hash(question.row, value) if often[found[value]] > 1 else ""

    return sorted(found, key=rank)


def _fits(question: Question, value: str) -> bool:
    gold = question.gold
    low, high = _lengths(gold)
    if not value or not low <= len(value) <= high:
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
        if EVERYTHING.search(value) and not EVERYTHING.search(gold):
            return False
    normal, right = f" {normal_of(value)} ", f" {normal_of(gold)} "
    return normal not in right and right not in normal


@lru_cache(maxsize=1 << 14)
def _command_words(command: str) -> frozenset[str]:
    """The words of a command without arguments to be filled in; letters of options set together stand alone."""
    words = _PART.findall(_ARGUMENT.sub(" ", _SCHEME.sub(" ", command)))
    letters = [letter for cluster in _CLUSTER.findall(command) for letter in cluster]
    return frozenset([*(word for word in words if f"-{word}" not in command.split()), *letters])


@lru_cache(maxsize=1 << 14)
def _parts(command: str) -> frozenset[str]:
    return frozenset(_PART.findall(command))


def _lengths(gold: str) -> tuple[float, float]:
    """The least and the greatest length of a wrong option."""
    right = max(len(gold), _SHORT)
    least = MIN_RATIO * right
    return (least if least > _SHORT else 0), MAX_RATIO * right


def _untold(question: Question, value: str) -> bool:
    return value not in question.told
