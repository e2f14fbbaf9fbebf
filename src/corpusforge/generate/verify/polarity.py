"""Agreement of negation: what the source denies the answer must not state, nor deny what the source states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from corpusforge.generate.phrasings import resource
from corpusforge.generate.verify.claims import Claim, Sentence
from corpusforge.generate.verify.problem import Problem
from corpusforge.generate.verify.view import RowView
from corpusforge.generate.verify.words import Word, content, stem

_REACH = 3


def polarity(view: RowView, claims: Sequence[Claim]) -> Iterator[Problem]:
    """A word that one side denies and the other does not, or a word whose opposite stands in its place."""
    for claim in claims:
        if not claim.source:
            continue
        denied, stated = _sides(claim.said, skip_first=True)
        source_denied: set[str] = set()
        source_stated: set[str] = set()
        source_cues = 0
        for sentence in claim.source:
            no, yes = _sides(sentence)
            source_denied |= no
            source_stated |= yes
            source_cues += any(_denies(word, sentence) for word in sentence.words)
        asked = frozenset().union(*(_sides(sentence)[0] for sentence in view.asked))
        added = {one for one in denied - source_denied - asked if one in source_stated}
        lost = {one for one in stated & source_denied - source_stated if one not in denied}
        both = denied & source_denied
        nowhere = denied and not source_cues and not asked and not denied & _denied_in(view)
        if ((added or lost) and not both) or nowhere:
            yield Problem("negation-differs", 0, 1)
        elif _opposed(claim, view):
            yield Problem("opposite-of-source", 0, 1)


def _denied_in(view: RowView) -> frozenset[str]:
    """What the whole passage denies."""
    return frozenset().union(*(_sides(sentence)[0] for sentence in view.source))


def _denies(word: Word, sentence: Sentence) -> bool:
    return not word.joined and word.lower in sentence.lexicon.negations


def _sides(sentence: Sentence, *, skip_first: bool = False) -> tuple[set[str], set[str]]:
    """The stems that a sentence denies, the next three behind a negation within its clause, and all other stems."""
    denied: set[str] = set()
    stated: set[str] = set()
    left = 0
    for at, word in enumerate(sentence.words):
        if _denies(word, sentence) and not (skip_first and at == 0 and word.lower == "no" and word.breaks):
            # `not only` and `no more than` deny nothing.
            after = sentence.words[at + 1].lower if at + 1 < len(sentence.words) else ""
            left = 0 if after in ("only", "more", "less", "fewer", "later") else _REACH
            if word.breaks:
                left = 0
            continue
        if content(word, sentence.lexicon) or (left and not word.numeric and word.lower in _LIGHT):
            (denied if left else stated).add(word.stem)
            left = max(0, left - 1)
        if word.breaks:
            left = 0
    return denied, stated


# Verbs without content of their own that can be all that a negation denies.
_LIGHT = frozenset({"have", "do", "be", "want", "like", "need", "work"})


def _opposed(claim: Claim, view: RowView) -> bool:
    """Whether a word of the claim is nowhere in its source, but its opposite is."""
    told = claim.told
    for word in claim.said.words:
        for other in _opposites().get(word.lower, ()):
            if word.stem not in told and word.stem not in view.given and stem(other) in told:
                return stem(other) not in claim.said.all_stems
    return False


@cache
def _opposites() -> dict[str, tuple[str, ...]]:
    import yaml

    pairs = yaml.safe_load(resource("alterations").read_text(encoding="utf-8"))["pairs"]
    both: dict[str, set[str]] = {}
    for first, second in pairs:
        a, b = first.split(), second.split()
        # Of two phrases with a word in common the others are the opposites: left side, right side.
        for one, other in zip(a, b, strict=False):
            if one != other:
                both.setdefault(one, set()).add(other)
                both.setdefault(other, set()).add(one)
    return {word: tuple(sorted(others)) for word, others in sorted(both.items())}
