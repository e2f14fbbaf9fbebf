"""Exact agreement of an answer's numbers, units, names and codes with the sentences that it is from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from corpusforge.generate.verify.claims import Claim, Sentence
from corpusforge.generate.verify.figures import Figure
from corpusforge.generate.verify.problem import Problem
from corpusforge.generate.verify.view import RowView
from corpusforge.generate.verify.words import Word, content

_REACH = 4
_BETWEEN = 4
_DIGITS = re.compile(r"\d+(?:\.\d+)*")


def numbers(view: RowView, claims: Sequence[Claim]) -> Iterator[Problem]:
    """Numbers that the source does not hold, holds with another unit, or says of another thing."""
    asked = [figure for sentence in view.asked for figure in sentence.figures]
    for claim in claims:
        told = [figure for sentence in claim.source for figure in sentence.figures] + asked
        inside = {digits for one in claim.source for word in one.words if word.code for digits in _digits(word)}
        for figure in claim.said.figures:
            if figure.soft:
                continue
            same = [other for other in told if figure.agrees(other)]
            if not same and figure.value not in inside:
                other_unit = any(figure.value == other.value for other in told)
                yield Problem("unit-not-in-source" if other_unit else "number-not-in-source", 0, 1)
            elif figure.dimension and not any(other.dimension for other in same) and not _named(view, claim, figure):
                yield Problem("unit-not-in-source", 0, 1)
            elif figure.counted and not figure.dimension and _of_another(figure, claim.source):
                yield Problem("number-not-in-source", 0, 1, {"other-thing": 1})
            elif _elsewhere(claim, figure.at, figure):
                yield Problem("number-not-in-source", 0, 1, {"other-place": 1})


def _digits(word: Word) -> list[str]:
    return _DIGITS.findall(word.text)


def _named(view: RowView, claim: Claim, figure: Figure) -> bool:
    """Whether a unit that no number of the source has stands there as a word, such as in a table's head."""
    unit = claim.said.words[figure.at + 1].stem if figure.at + 1 < len(claim.said.words) else ""
    return not unit or unit in view.known or unit in view.given or figure.dimension not in ("time", "bytes")


def _of_another(figure: Figure, source: Sequence[Sentence]) -> bool:
    """Whether the source counts the same thing by another number, and nowhere by this one."""
    near = other = False
    for sentence in source:
        places = [at for at, word in enumerate(sentence.words) if word.stem == figure.counted]
        for one in sentence.figures:
            if any(abs(place - one.at) <= _REACH for place in places):
                if figure.agrees(one):
                    near = True
                elif not one.soft and one.counted == figure.counted:
                    other = True
    return other and not near


def names(view: RowView, claims: Sequence[Claim]) -> Iterator[Problem]:
    """Codes, commands, paths, placeholders and names that are not in the sentences the claim is from, or stand where
    the source has another one."""
    for claim in claims:
        told = claim.told | view.given
        codes = {word.lower for sentence in claim.source for word in sentence.words}
        codes.update(word.lower for sentence in view.asked for word in sentence.words)
        for at, word in enumerate(claim.said.words):
            if word.code:
                if word.lower not in codes and not _part_of(word.lower, codes):
                    yield Problem("code-not-in-source", 0, 1)
                    continue
            elif not is_name(word, claim.said):
                continue
            elif word.stem not in told and not _part_of(word.lower, codes):
                yield Problem("name-not-in-source", 0, 1)
                continue
            if _elsewhere(claim, at):
                yield Problem("code-not-in-source" if word.code else "name-not-in-source", 0, 1, {"other-place": 1})


def is_name(word: Word, sentence: Sentence) -> bool:
    """Whether a word is written as a name where a common word would not be."""
    if not word.capital or word.numeric or not content(word, sentence.lexicon):
        return False
    words = sentence.words
    shouted = sum(one.text.isupper() and len(one.text) > 1 for one in words) > 0.5 * len(words)
    loud = len(word.text) > 1 and word.text.isupper()
    return not shouted and (loud or not word.opens)


def _marked(word: Word, sentence: Sentence) -> bool:
    return word.code or word.numeric or is_name(word, sentence)


def _elsewhere(claim: Claim, at: int, figure: Figure | None = None) -> bool:
    """Whether the source has the words around a name or number too, but around another name or number.

    The words are the nearest of content on both sides that are no names themselves, at most four words from it.
    """
    said = claim.said
    before, after = _beside(said, at, -1), _beside(said, at, 1)
    if not before or not after:
        return False
    stem = said.words[at].stem
    mine = said.all_stems
    held = other = False
    for sentence in (claim.twin,) if claim.twin is not None else claim.source:
        words = sentence.words
        for first, word in enumerate(words):
            if word.stem != before:
                continue
            last = next(
                (k for k in range(first + 1, min(first + 2 + _BETWEEN, len(words))) if words[k].stem == after), 0
            )
            between = words[first + 1 : last]
            told = figure is not None and any(figure.agrees(one) for one in sentence.figures if first < one.at < last)
            if told or stem in {one.stem for one in between} or word.stem == stem:
                held = True
            elif any(_marked(one, sentence) and one.stem not in mine for one in between):
                other = True
    return other and not held


def _beside(sentence: Sentence, at: int, step: int) -> str:
    for distance in range(1, _BETWEEN + 1):
        place = at + step * distance
        if not 0 <= place < len(sentence.words):
            return ""
        word = sentence.words[place]
        if content(word, sentence.lexicon) and not _marked(word, sentence):
            return word.stem
    return ""


def _part_of(code: str, codes: set[str]) -> bool:
    """Whether a code is written as a piece of a longer one, or is put together from pieces that are there."""
    bare = code.strip("\"'`()[]{}<>,;:.")
    if len(bare) < 2:
        return bare in codes or not bare
    piece = re.compile(rf"(?<![^\W_]){re.escape(bare)}(?![^\W_])")
    if any(piece.search(one) for one in codes if len(one) >= len(bare)):
        return True
    parts = [part for part in re.split(r"[\s/=_()\[\]:;,&#]+", bare) if part]
    return len(parts) > 1 and all(part in codes for part in parts)
