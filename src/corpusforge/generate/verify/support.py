"""Lexical support: no stretch of an answer may be made of words that its source does not use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from corpusforge.generate.verify.claims import Claim
from corpusforge.generate.verify.problem import Problem
from corpusforge.generate.verify.view import RowView
from corpusforge.generate.verify.words import content

UNSUPPORTED = 1.0
NEARBY = 0.4
SUPPORTED = -0.8
LONGEST = 2.5


def support(view: RowView, claims: Sequence[Claim], longest: float = LONGEST) -> Iterator[Problem]:
    """The heaviest stretch of unsupported words: +1 for a word that the passage lacks, +0.4 for one that stands
    elsewhere in it, -0.8 for one of the sentences that the claim is from, the question or the title."""
    worst = 0.0
    for claim in claims:
        weight = 0.0
        told = claim.told | view.given
        for word in claim.said.words:
            if not content(word, claim.said.lexicon):
                continue
            if word.stem in told:
                weight = max(0.0, weight + SUPPORTED)
            else:
                weight += NEARBY if word.stem in view.known else UNSUPPORTED
            worst = max(worst, weight)
    if worst >= longest:
        yield Problem("unsupported", round(worst, 2), longest)


def share(view: RowView, claims: Sequence[Claim]) -> float:
    """The share of the answer's words of content that its source, question or title use; 1 where there are none."""
    total = held = 0
    for claim in claims:
        told = claim.told | view.given
        for word in claim.said.words:
            if content(word, claim.said.lexicon):
                total += 1
                held += word.stem in told
    return held / total if total else 1.0
