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
# Verbs without content of their own that can be all that a negation denies.
_LIGHT = frozenset({"have", "do", "be", "want", "like", "need", "work"})
# `not only` and `no more than` deny nothing.
_NOT_DENIED = frozenset({"only", "more", "less", "fewer", "later"})


def polarity(view: RowView, claims: Sequence[Claim]) -> Iterator[Problem]:
    """A word that one side denies and the other does not, or a word whose opposite stands in its place."""
    for claim in claims:
        if not claim.source:
            continue
        if claim.twin is not None and _cues(claim.said) != _cues(claim.twin):
            yield Problem("negation-differs", _cues(claim.said), _cues(claim.twin))
        elif _denies_stated(claim, view) or _states_denied(claim):
            yield Problem("negation-differs", 0, 1)
        elif _opposed(claim, view):
            yield Problem("opposite-of-source", 0, 1)


def _denies_stated(claim: Claim, view: RowView) -> bool:
    """Whether the claim denies what the source states, or denies though the source denies nothing at all."""
    asked = frozenset().union(*(denied(sentence)[0] for sentence in view.asked))
    told: set[str] = set(asked)
    stated: set[str] = set()
    for sentence in claim.source:
        one = denied(sentence)
        told |= one[0]
        stated |= one[1]
    quiet = not told and not any(_cues(sentence) for sentence in (*claim.source, *view.asked))
    own = claim.said
    for scope in _scopes(own):
        if scope & told:
            continue
        if scope & stated or (quiet and not any(_cues(sentence) for sentence in view.source)):
            return True
    return False


def _states_denied(claim: Claim) -> bool:
    """Whether the claim states what its source only denies: most of a negation's words, none of them denied here."""
    no, yes = denied(claim.said)
    stated = frozenset().union(*(denied(sentence)[1] for sentence in claim.source))
    for sentence in claim.source:
        for scope in _scopes(sentence):
            repeated = scope & yes
            if repeated - stated and not scope & no and len(repeated) >= max(1, len(scope) - 1):
                return True
    return False


def denied(sentence: Sentence) -> tuple[frozenset[str], frozenset[str]]:
    """The stems that a sentence denies, up to three behind a negation within its clause, and all other stems."""
    no = frozenset().union(*_scopes(sentence))
    yes = frozenset(word.stem for word, inside in _walk(sentence) if not inside)
    return no, yes


def _scopes(sentence: Sentence) -> list[frozenset[str]]:
    """For each negation the stems that it denies."""
    scopes: dict[int, set[str]] = {}
    for word, inside in _walk(sentence):
        if inside:
            scopes.setdefault(inside, set()).add(word.stem)
    return [frozenset(scope) for _, scope in sorted(scopes.items())]


def _walk(sentence: Sentence) -> Iterator[tuple[Word, int]]:
    """The words of content, each with the number of the negation that denies it, 0 for none."""
    left = number = 0
    for at, word in enumerate(sentence.words):
        if _denies(sentence, at):
            number += 1
            left = 0 if word.breaks else _REACH
            continue
        if content(word, sentence.lexicon) or (left and word.lower in _LIGHT):
            yield word, number if left else 0
            left = max(0, left - 1)
        if word.breaks:
            left = 0


def _denies(sentence: Sentence, at: int) -> bool:
    word = sentence.words[at]
    if word.joined or word.code or word.lower not in sentence.lexicon.negations:
        return False
    after = sentence.words[at + 1].lower if at + 1 < len(sentence.words) else ""
    # `No, ...` answers; it denies nothing that follows.
    return after not in _NOT_DENIED and not (at == 0 and word.lower == "no" and word.breaks)


def _cues(sentence: Sentence) -> int:
    return sum(_denies(sentence, at) for at in range(len(sentence.words)))


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
        # Of two phrases with a word in common the others are the opposites: left side, right side.
        for one, other in zip(first.split(), second.split(), strict=False):
            if one != other:
                both.setdefault(one, set()).add(other)
                both.setdefault(other, set()).add(one)
    return {word: tuple(sorted(others)) for word, others in sorted(both.items())}
