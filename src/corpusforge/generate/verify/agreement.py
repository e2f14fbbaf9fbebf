"""Exact agreement of an answer's numbers, units, names and codes with the sentences that it is from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from corpusforge.generate.verify.claims import Claim, Sentence
from corpusforge.generate.verify.figures import Figure
from corpusforge.generate.verify.problem import Problem
from corpusforge.generate.verify.view import RowView
from corpusforge.generate.verify.words import Word, content

_REACH = 4


def numbers(view: RowView, claims: Sequence[Claim]) -> Iterator[Problem]:
    """Numbers that the source does not hold, hold with another unit, or say of another thing."""
    asked = [figure for sentence in view.asked for figure in sentence.figures]
    for claim in claims:
        told = [figure for sentence in claim.source for figure in sentence.figures] + asked
        for figure in claim.said.figures:
            if figure.soft:
                continue
            same = [other for other in told if figure.agrees(other)]
            if not same:
                other_unit = any(figure.value == other.value for other in told)
                yield Problem("unit-not-in-source" if other_unit else "number-not-in-source", 0, 1)
            elif figure.dimension and not any(other.dimension for other in same) and not _named(view, claim, figure):
                yield Problem("unit-not-in-source", 0, 1)
            elif figure.counted and not figure.dimension and _of_another(figure, claim.source):
                yield Problem("number-not-in-source", 0, 1, {"of": "another thing"})


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
    """Codes, commands, paths, placeholders and names that are not in the sentences the claim is from."""
    for claim in claims:
        told = claim.told | view.given
        codes = {word.lower for sentence in claim.source for word in sentence.words}
        codes.update(word.lower for sentence in view.asked for word in sentence.words)
        for word in claim.said.words:
            if word.code:
                if word.lower not in codes and not _part_of(word.lower, codes):
                    yield Problem("code-not-in-source", 0, 1)
            elif _name(word, claim) and word.stem not in told and not _part_of(word.lower, codes):
                yield Problem("name-not-in-source", 0, 1)


def _name(word: Word, claim: Claim) -> bool:
    """Whether a word is written as a name where a common word would not be."""
    if not word.capital or word.numeric or not content(word, claim.said.lexicon):
        return False
    loud = len(word.text) > 1 and word.text.isupper()
    shouted = sum(one.text.isupper() and len(one.text) > 1 for one in claim.said.words) > 0.5 * len(claim.said.words)
    return (loud and not shouted) or (not word.opens and not shouted)


def _part_of(code: str, codes: set[str]) -> bool:
    """Whether a code is written as a piece of a longer one, or a longer one of its pieces: `apt` of `sudo-apt`."""
    bare = code.strip("\"'`()[]{}<>,;:.")
    if len(bare) < 3:
        return bare in codes
    return any(bare in one for one in codes if len(one) > len(bare)) or all(
        piece in codes for piece in bare.replace("/", " ").replace("=", " ").replace("_", " ").split() or [bare]
    )
