"""Checks of one multiple-choice item: one right option, the others false, and only knowledge tells them apart."""

from __future__ import annotations

from collections.abc import Iterator

from corpusforge.generate.sentences import normalised
from corpusforge.generate.verify.claims import Sentence, split
from corpusforge.generate.verify.problem import Problem
from corpusforge.generate.verify.view import RowView

LENGTH_RATIO = 2.5
SHORT = 12


def option_problems(view: RowView) -> Iterator[Problem]:
    """Options that are malformed, equal, told apart by looks, or true by the passage."""
    meta = view.row.meta
    options, gold = meta.get("options"), meta.get("gold")
    if (
        not isinstance(options, list)
        or len(options) < 2
        or not all(isinstance(option, str) and option.strip() for option in options)
        or not isinstance(gold, int)
        or isinstance(gold, bool)
        or not 0 <= gold < len(options)
        or options[gold].strip() != view.answer.strip()
    ):
        yield Problem("structure", 0, 1)
        return
    wrong = [index for index in range(len(options)) if index != gold]
    named = [*_listed(meta.get("near")), *_listed(meta.get("far"))]
    if named and sorted(named) != wrong:
        yield Problem("structure", 0, 1)
        return
    cuts = [split(option, view.lexicon) for option in options]
    if _some_equal(options, cuts):
        yield Problem("equal-options", 0, 1)
    yield from _cues(view, options, gold)
    for index in wrong:
        if _true_by(view, options[index], options[gold]):
            yield Problem("distractor-true", 0, 1, {"option": index})
            break


def _listed(value: object) -> list[int]:
    return [one for one in value if isinstance(one, int)] if isinstance(value, list) else []


def _some_equal(options: list[str], cuts: list[list[Sentence]]) -> bool:
    """Whether two options say the same: the same words, or the same number in another way of writing."""
    normal = [normalised(option) or option for option in options]
    if len(set(normal)) < len(normal):
        return True
    for first in range(len(options)):
        for second in range(first + 1, len(options)):
            a = [figure for sentence in cuts[first] for figure in sentence.figures if not figure.soft]
            b = [figure for sentence in cuts[second] for figure in sentence.figures if not figure.soft]
            if a and len(a) == len(b) and all(x.agrees(y) for x, y in zip(a, b, strict=True)):
                rest = [frozenset().union(*(s.stems for s in cuts[k])) for k in (first, second)]
                values = {str(figure.value) for figure in a} | {str(figure.value) for figure in b}
                units = any(figure.dimension for figure in (*a, *b))
                if rest[0] - values == rest[1] - values or (units and len(rest[0] ^ rest[1]) <= 2):
                    return True
    return False


def _cues(view: RowView, options: list[str], gold: int) -> Iterator[Problem]:
    lengths = [max(len(option), SHORT) for option in options]
    others = [length for index, length in enumerate(lengths) if index != gold]
    if lengths[gold] > LENGTH_RATIO * max(others):
        yield Problem("length-cue", round(lengths[gold] / max(others), 2), LENGTH_RATIO)
    elif LENGTH_RATIO * lengths[gold] < min(others):
        yield Problem("length-cue", round(min(others) / lengths[gold], 2), LENGTH_RATIO)
    if any(_all_of_them(option) for option in options):
        yield Problem("position-cue", 0, 1)


def _all_of_them(option: str) -> bool:
    normal = normalised(option)
    return normal.startswith(("all of the above", "none of the above", "both a and", "all of these", "none of these"))


def _true_by(view: RowView, option: str, gold: str) -> bool:
    """Whether a wrong option passes as an answer: it stands in the evidence itself, or agrees with it in all."""
    proof = f" {normalised(view.evidence)} "
    wrong, right = f" {normalised(option)} ", f" {normalised(gold)} "
    if wrong.strip() and wrong in proof:
        # What stands within the right answer's own evidence beside it is another of its values.
        return wrong not in right
    return False
