"""What a question asks, as hashes: shingles of its content words, and marks in which two questions may not differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from corpusforge.generate.verify.claims import Sentence
from corpusforge.generate.verify.figures import figures
from corpusforge.generate.verify.lexicon import Lexicon, lexicon
from corpusforge.generate.verify.scope import cues
from corpusforge.generate.verify.words import Word, content, cut

if TYPE_CHECKING:
    from corpusforge.record import Record

# `How` and `what` ask for the same thing in other words; these do not.
_ASKING = frozenset({"why", "when", "where", "who", "whose"})
_ANY = frozenset(
    """how do does i can what is are the a an to of for in on my me you your tell about explain should know this that
    which there it be meant by and or with way steps step give want need would like could please done""".split()  # noqa: SIM905
)
MOST_STEMS = 400
MOST_CHARS = 3_000
FEW = 3


@dataclass(frozen=True, slots=True)
class Marks:
    """A question's view for comparing.

    `shingles`: hashes of its content stems and of their neighbouring pairs. `stems`: of the content stems alone.
    `significant`: one hash of its numbers, codes, negations, scope and kind; `exact`: of
    all words where there are few of content, else 0: `logger` is not `log`. `answer`: of the answer's stems.
    """

    shingles: frozenset[int]
    stems: frozenset[int]
    significant: int
    exact: int
    answer: frozenset[int]


def marks(row: Record) -> Marks:
    """The marks of a row's question and answer."""
    words = lexicon(row.language)
    asked = cut(str(row.meta.get("question") or "")[:MOST_CHARS])
    stems = [word.stem for word in asked if content(word, words)][:MOST_STEMS]
    pairs = [f"{first} {second}" for first, second in pairwise(stems)]
    answered = [
        word.stem
        for word in cut(str(row.meta.get("answer") or "")[:MOST_CHARS])
        if content(word, words) or word.numeric
    ]
    return Marks(
        frozenset(map(hashed, (*stems, *pairs))),
        frozenset(map(hashed, stems)),
        hashed("\n".join(_significant(asked, words))),
        hashed("\n".join(_written(asked))) if len(stems) <= FEW else 0,
        frozenset(map(hashed, answered[:MOST_STEMS])),
    )


def _written(asked: list[Word]) -> list[str]:
    return sorted({word.lower.removesuffix("s") for word in asked if word.lower not in _ANY})


def _significant(asked: list[Word], words: Lexicon) -> list[str]:
    found = {f"={figure.value} {figure.dimension}" for figure in figures(asked, words) if not figure.soft}
    for word in asked:
        if word.code:
            # `-r` is not `-R`.
            found.add(f"`{word.text}")
        elif not word.joined and word.lower in words.negations:
            found.add("!")
        elif word.lower in _ASKING:
            found.add(f"?{word.lower}")
    found.update(f"~{name}" for name, _ in cues(Sentence(tuple(asked), words)) if name not in ("can", "should", "must"))
    return sorted(found)


def jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    """Common members over all members; 1 for two empty sets."""
    both = len(one & other)
    return both / (len(one) + len(other) - both) if one or other else 1.0


@lru_cache(maxsize=1 << 18)
def hashed(text: str) -> int:
    """A text as a 32-bit number, the same everywhere."""
    import xxhash

    return xxhash.xxh3_64_intdigest(text) >> 32


def same(one: Marks, other: Marks, similarity: float, *, answers: bool) -> float | None:
    """How alike two questions are if they ask the same, else None.

    They must agree in every significant mark. Where each has a content word that the other lacks, or where `answers`
    says that the question is only an instruction, the answers must be alike too: a template differs in one word.
    """
    if one.significant != other.significant or one.exact != other.exact:
        return None
    score = jaccard(one.shingles, other.shingles)
    if score < similarity:
        return None
    replaced = one.stems - other.stems and other.stems - one.stems
    if (replaced or answers) and jaccard(one.answer, other.answer) < similarity:
        return None
    # Slow keys and sticky keys are turned on by the same steps: the answers name what the questions differ in.
    if replaced and (one.stems ^ other.stems) & (one.answer | other.answer):
        return None
    return score


def packed(values: Iterable[int]) -> list[int]:
    """Hashes in order, for a table."""
    return sorted(values)
