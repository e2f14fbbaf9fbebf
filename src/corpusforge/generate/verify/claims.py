"""Lays an answer beside its source: each sentence of the answer with the few sentences that it can have come from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from corpusforge.generate.sentences import sentences
from corpusforge.generate.verify.figures import Figure, figures
from corpusforge.generate.verify.lexicon import Lexicon
from corpusforge.generate.verify.words import Word, content, cut

MOST_SENTENCES = 5
_MARK = re.compile(r"(?m)^[ \t]*(?:[-*+•]|\d{1,3}[.)]|#{1,6})[ \t]+")


@dataclass(frozen=True)
class Sentence:
    """A sentence as words; `proof` tells whether it lies in the evidence rather than around it."""

    words: tuple[Word, ...]
    lexicon: Lexicon
    proof: bool = True

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of its words of content."""
        return frozenset(word.stem for word in self.words if content(word, self.lexicon))

    @cached_property
    def figures(self) -> list[Figure]:
        """Its numbers."""
        return figures(self.words, self.lexicon)

    @cached_property
    def all_stems(self) -> frozenset[str]:
        """The stems of all its words."""
        return frozenset(word.stem for word in self.words)


@dataclass(frozen=True)
class Claim:
    """One sentence of an answer, and the sentences of the source that say most of it (best first; maybe none)."""

    said: Sentence
    source: tuple[Sentence, ...] = field(default=())

    @cached_property
    def twin(self) -> Sentence | None:
        """The one sentence of the source that says the same in nearly the same words, where there is one."""
        best = self.source[0] if self.source else None
        if best is None or not self.said.stems:
            return None
        both = len(self.said.stems & best.stems)
        return best if both >= max(2, 0.8 * len(self.said.stems), 0.75 * len(best.stems)) else None

    @cached_property
    def told(self) -> frozenset[str]:
        """All stems of the sentences that it is laid beside."""
        return frozenset().union(*(sentence.all_stems for sentence in self.source))


def split(text: str, lexicon: Lexicon, *, proof: bool = True) -> list[Sentence]:
    """The sentences of a text, lines apart, without the marks of lists and headings."""
    text = _MARK.sub("", text)
    found: list[Sentence] = []
    for start, end in _lines(text):
        for first, last in sentences(text, start, end):
            words = cut(text[first:last])
            if words:
                found.append(Sentence(tuple(words), lexicon, proof))
    return found


def _lines(text: str) -> Iterator[tuple[int, int]]:
    # Hard-wrapped prose goes on over a line break; a line that ends a sentence, and one before a gap, does not.
    start = 0
    for match in re.finditer(r"\n", text):
        at = match.start()
        rest = text[at + 1 : at + 60]
        goes_on = text[start:at].rstrip()[-1:].isalnum() and rest[:1].islower()
        if not goes_on:
            yield start, at
            start = at + 1
    yield start, len(text)


def lay(said: Sequence[Sentence], source: Sequence[Sentence]) -> list[Claim]:
    """Each sentence of the answer with the sentences of the source that share most with it, at most five.

    A further one must add two stems, or one and be a neighbour: else a number or name from elsewhere would bring its
    own sentence along.
    """
    claims: list[Claim] = []
    for sentence in said:
        left = set(sentence.stems)
        chosen: list[int] = []
        while len(chosen) < min(MOST_SENTENCES, len(source)):
            gains = [(len(left & one.stems), one.proof, -len(one.stems), -at) for at, one in enumerate(source)]
            best = max(range(len(source)), key=gains.__getitem__)
            beside = any(abs(best - other) == 1 for other in chosen)
            if gains[best][0] < (2 if chosen and not beside else 1):
                near = [at for other in chosen for at in (other - 1, other + 1) if 0 <= at < len(source)]
                near = [at for at in near if left & source[at].stems]
                if not near:
                    break
                best = near[0]
            chosen.append(best)
            left -= source[best].stems
        if not chosen and not sentence.stems:
            chosen = [at for at, one in enumerate(source) if one.proof][:MOST_SENTENCES] or list(range(len(source)))[:1]
        claims.append(Claim(sentence, tuple(source[at] for at in chosen)))
    return claims
