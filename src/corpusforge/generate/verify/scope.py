"""Agreement of scope: how much, how many and how surely (all, only, must, may, at least) as the source says it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from corpusforge.generate.verify.claims import Claim, Sentence
from corpusforge.generate.verify.problem import Problem
from corpusforge.generate.verify.view import RowView
from corpusforge.generate.verify.words import content

_REACH = 3
# `You can click` says no more than `click`, and one may leave out that something must or always does happen.
_FREE = frozenset({"can"})
_KEPT = frozenset({"only", "at least", "at most", "except", "never", "may", "some", "more", "less"})
Cue = tuple[str, frozenset[str]]


def scope(view: RowView, claims: Sequence[Claim]) -> Iterator[Problem]:
    """A scope that the source does not give to the same words, or that the answer leaves out where it matters."""
    asked = {name for sentence in view.asked for name, _ in cues(sentence)}
    for claim in claims:
        if not claim.source:
            continue
        said = cues(claim.said)
        if claim.twin is not None:
            mine, own = Counter(n for n, _ in said), Counter(n for n, _ in cues(claim.twin))
            if {n for n in mine | own if mine[n] != own[n]} - _FREE - {"should"}:
                yield Problem("scope-differs", 0, 1, {"same-sentence": 1})
                return
        told = [cue for sentence in claim.source for cue in cues(sentence)]
        classes = {name for name, _ in told} | asked
        for name, around in said:
            beside = {other for other, anchors in told if anchors & around}
            if name in beside or (name in _FREE and not beside - _FREE - {"all", "some"}):
                continue
            if name not in classes or (beside and name not in _FREE and not _loose(name, told, around)):
                yield Problem("scope-differs", 0, 1)
                return
        names = {name for name, _ in said}
        for name, around in told:
            kept = len(around & claim.said.stems)
            if name in _KEPT - names and len(around) >= 2 and kept == len(around):
                yield Problem("scope-differs", 0, 1, {"missing": 1})
                return


def _loose(name: str, told: Sequence[Cue], around: frozenset[str]) -> bool:
    """Whether the source has this scope on words that the answer does not repeat: then they may be its other words."""
    return any(other == name and not anchors - around for other, anchors in told)


def cues(sentence: Sentence) -> list[Cue]:
    """The scope words of a sentence by class, each with the stems of the content around it: up to three behind it in
    its clause, or those before it where it ends the clause."""
    lexicon, words = sentence.lexicon, sentence.words
    found: list[Cue] = []
    at = 0
    while at < len(words):
        size = 0
        if not words[at].joined and not words[at].code:
            for n in range(min(lexicon.longest_scope, len(words) - at), 0, -1):
                if tuple(word.lower for word in words[at : at + n]) in lexicon.scope:
                    size = n
                    break
        if not size:
            at += 1
            continue
        name = lexicon.scope[tuple(word.lower for word in words[at : at + size])]
        found.append((name, _around(sentence, at, at + size)))
        at += size
    return found


def _around(sentence: Sentence, start: int, end: int) -> frozenset[str]:
    words = sentence.words
    stems: list[str] = []
    if not words[end - 1].breaks:
        for word in words[end:]:
            if content(word, sentence.lexicon) or word.numeric:
                stems.append(word.stem)
            if len(stems) == _REACH or word.breaks:
                break
    if not stems:
        for word in reversed(words[:start]):
            if word.breaks:
                break
            if content(word, sentence.lexicon) or word.numeric:
                stems.append(word.stem)
            if len(stems) == _REACH:
                break
    return frozenset(stems)
