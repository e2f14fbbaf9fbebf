"""Builds one multiple-choice item: the right answer, slightly and completely wrong ones, each checked to be false."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, islice
from typing import TYPE_CHECKING, Any

from corpusforge.generate.lazily import lazily
from corpusforge.generate.mcq_commands import as_command, by_likeness, commands_beside, fitting_lengths
from corpusforge.generate.mcq_cues import NO_CUE, Cues, normal_of, words_of
from corpusforge.generate.mcq_pool import Pool, Value
from corpusforge.generate.mcq_slots import altered, as_option, form, shape, stems
from corpusforge.generate.phrasings import templates
from corpusforge.generate.qa_pair import Pair
from corpusforge.generate.rows import make_row
from corpusforge.generate.sentences import normalised
from corpusforge.record import Record, stable_hash

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LETTERS = "ABCDEFGH"
MOST_SETS = 8
_SPEAKING = frozenset({"faq", "gold", "definition", "entry"})


class Told:
    """A text as its words, so that what it says can be looked up; read when first asked."""

    def __init__(self, text: str) -> None:
        self._raw = text
        self._known: dict[str, bool] = {}
        self._strange: dict[tuple[int, str, str], NDArray[np.bool_]] = {}

    @lazily
    def _text(self) -> str:
        return f" {normalised(self._raw)} "

    @lazily
    def _words(self) -> frozenset[str]:
        return frozenset(self._text.split())

    def __contains__(self, value: str) -> bool:
        known = self._known.get(value)
        if known is None:
            words, normal = words_of(value), normal_of(value)
            # Most values have a word that the text lacks; only for others of several words a long text is read.
            lone = len(words) == 1 and " " not in normal
            known = self._known[value] = words <= self._words and (lone or f" {normal} " in self._text)
        return known

    def strange(self, values: list[Value], group: str, topic: str) -> NDArray[np.bool_]:
        """Which values of a pool's list the text does not say and are of another group and topic: once for all that is
        asked of it. The pool holds its lists, so that none of them is another's."""
        import numpy as np

        known = self._strange.get((id(values), group, topic))
        if known is None:
            known = np.array([v.group != group and v.topic != topic and v.value not in self for v in values], np.bool_)
            self._strange[id(values), group, topic] = known
        return known


@dataclass(frozen=True)
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

    @lazily
    def asked(self) -> frozenset[str]:
        """The stems of what is asked."""
        return frozenset(stems(self.pair.question))


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
    beside: list[str] = []
    changed: list[str] = []
    slightly: Iterable[str]
    if question.pair.family == "command":
        found = commands_beside(question)
        enough = len({as_command(value).normal for value in found}) - near
        if enough < far:
            return "no-near-distractor" if enough < 0 else "no-far-distractor"
        beside = by_likeness(question, found)
        fits = _Fitting(question, beside)
        slightly = reversed(beside)
    else:
        fits = _Fitting(question)
        changed = _changes(question, question.gold)
        slightly = _near(question, pool, changed)
    nearly = list(islice(combinations(fits.first(slightly, ()), near), MOST_SETS))
    if not nearly:
        return "no-near-distractor"
    made = frozenset(changed)
    distant = _Distant(question, pool, fits, beside, near, far)
    cues: Cues | None = None
    best: tuple[float, tuple[str, ...], tuple[str, ...]] | None = None
    for chosen in nearly:
        for wholly in distant.sets(chosen, paired=not made.isdisjoint(chosen)):
            if cues is None:
                cues = Cues(question, near + far)
                if beside and cues.hopeless(beside):
                    return "overlap-cue"
            limit = NO_CUE if best is None else best[0]
            cost = cues.cost([*chosen, *wholly], limit)
            if cost < limit:
                best = (cost, chosen, wholly)
                if not cost:
                    break
        if best is not None and best[0] < 0.5:
            break
    if best is None:
        return "overlap-cue" if cues else "no-far-distractor"
    _, near_texts, far_texts = best
    wrong = sorted([*near_texts, *far_texts], key=lambda text: stable_hash(question.row, "place", text))
    texts = [*wrong[:at], question.gold, *wrong[at:]]
    return Options(
        tuple(texts),
        at,
        tuple(texts.index(text) for text in near_texts),
        tuple(texts.index(text) for text in far_texts),
    )


class _Fitting:
    """Which texts can stand beside the right answer of one question; each text is looked at once."""

    def __init__(self, question: Question, known: Iterable[str] = ()) -> None:
        """`known` can stand beside it."""
        self._normal = normal_of(question.gold)
        self._padded = f" {self._normal} "
        self._low, self._high = fitting_lengths(question.gold)
        self._fits = dict.fromkeys(known, True)

    def __call__(self, value: str) -> bool:
        """Whether a text can stand beside the right answer."""
        fit = self._fits.get(value)
        if fit is None:
            fit = self._fits[value] = self._look(value)
        return fit

    def _look(self, value: str) -> bool:
        if not value or not self._low <= len(value) <= self._high:
            return False
        normal = normal_of(value)
        return f" {normal} " not in self._padded and self._padded not in f" {normal} "

    def first(self, candidates: Iterable[str], taken: Iterable[str], most: int = 8) -> list[str]:
        """The first candidates that can stand beside the right answer, those taken and each other."""
        found: list[str] = []
        normals = {self._normal, *map(normal_of, taken)}
        known = self._fits.get
        for value in candidates:
            fit = known(value)
            if (self(value) if fit is None else fit) and (normal := normal_of(value)) not in normals:
                normals.add(normal)
                found.append(value)
                if len(found) == most:
                    break
        return found


class _Distant:
    """What completely wrong options of one question are drawn from: found once for all its slightly wrong ones.

    For a command these are the others of its program, `beside` it.
    """

    def __init__(
        self, question: Question, pool: Pool, fits: _Fitting, beside: Sequence[str], near: int, far: int
    ) -> None:
        self._question, self._pool, self._fits, self._beside = question, pool, fits, beside
        self._far, self._most = far, near + far
        self._alike: dict[bool, list[list[tuple[str, str]]]] = {}
        self._looked_at: dict[bool, int] = {True: 0, False: 0}

    @lazily
    def _values(self) -> list[Value]:
        """The values of the pool that could be wholly wrong."""
        return _far(self._question, self._pool, 12 * MOST_SETS)

    @lazily
    def _places(self) -> dict[tuple[str, str], list[str]]:
        places: dict[tuple[str, str], list[str]] = {}
        for value in self._values:
            places.setdefault((value.group, value.slot), []).append(value.value)
        return places

    @lazily
    def _others(self) -> list[str]:
        # As many more as the slightly wrong ones may take away.
        return self._fits.first(self._beside, (), 8 + self._most - self._far)

    def sets(self, near: tuple[str, ...], *, paired: bool) -> Iterator[tuple[str, ...]]:
        """Sets of completely wrong options. As the right answer has a slightly wrong one like it, so has a completely
        wrong one another like it, else who sees that two options are alike need only choose between these: of one place
        in the corpus, or, where the slightly wrong option is the right one changed (`paired`), changed in the same way.
        """
        first, far = self._fits.first, self._far
        taken = [normal_of(text) for text in near]
        if self._question.pair.family == "command":
            # The question names the program, so a command of another program would give the right one away: a guesser
            # that counted shared words got 77% of such items. What the same program does for other ends is as wrong.
            others = [text for text in self._others if normal_of(text) not in taken][:8]
            yield from islice(combinations(others, far), 4 * MOST_SETS)
            return
        made = 0
        for alike in self._families(paired=paired):
            if alike[0][1] in taken:
                continue
            texts = [text for text, normal in alike if normal not in taken][:far]
            if far > 2 and len(texts) >= 2:
                texts = first([*texts[:2], *(other.value for other in self._values)], near, far)
            if len(texts) == far:
                yield tuple(texts)
                made += 1
                if made == MOST_SETS:
                    return
        if not made:
            texts = first((value.value for value in self._values), near, 3 * far)
            yield from islice(combinations(texts, far), MOST_SETS)

    def _families(self, *, paired: bool) -> Iterator[list[tuple[str, str]]]:
        """Each value that can stand beside the right answer with some that are like it, as (text, normal)."""
        found = self._alike.setdefault(paired, [])
        at = 0
        while at < len(found) or self._one_more(found, paired=paired):
            yield found[at]
            at += 1

    def _one_more(self, found: list[list[tuple[str, str]]], *, paired: bool) -> bool:
        # Most questions are content with the first few.
        for at in range(self._looked_at[paired], len(self._values)):
            self._looked_at[paired] = at + 1
            value = self._values[at]
            if not self._fits(value.value):
                continue
            like = self._like(value, paired=paired)
            texts = self._fits.first(chain((value.value,), like), (), self._most)
            if texts and texts[0] == value.value:
                found.append([(text, normal_of(text)) for text in texts])
                return True
        return False

    def _like(self, value: Value, *, paired: bool) -> Iterable[str]:
        """What is like a value: itself changed, or another value of its place."""
        if paired:
            return _changes(self._question, value.value)
        own = value.value
        return (text for text in self._places[value.group, value.slot] if text != own)


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


def _far(question: Question, pool: Pool, most: int) -> list[Value]:
    """Completely wrong: of the same form, from another group and topic, and nowhere in the parent's text; values of the
    same slot first; at most `most`."""
    alike = form(question.record, question.pair, question.gold)
    asked = question.asked if question.pair.family in _SPEAKING else frozenset()
    found: dict[str, Value] = {}
    own, group = question.topic, question.record.group
    low, high = fitting_lengths(question.gold)
    for values in (pool.of_slot(question.pair.slot, alike), pool.by_form.get(alike, [])):
        if not values:
            continue
        lengths = pool.lengths(values)
        usable = question.told.strange(values, group, own) & (lengths >= low) & (lengths <= high)
        for value in pool.drawn(values, question.row, usable):
            text = value.value
            # An answer that speaks of what was asked may be right elsewhere, and so here.
            if text not in found and (not asked or asked.isdisjoint(stems(text))):
                found[text] = value
                if len(found) == most:
                    return list(found.values())
    return list(found.values())


def _untold(question: Question, value: str) -> bool:
    return value not in question.told
