"""Searches finished training rows for questions of the hold-out in almost the same words."""

from __future__ import annotations

from collections.abc import Iterable

from corpusforge.generate.alike import BANDS, PERMUTATIONS, minhash, task_of, tells
from corpusforge.generate.question_marks import Marks, marks
from corpusforge.record import Record


def repeated_questions(held: Iterable[Record], training: Iterable[Record], similarity: float) -> list[tuple[str, str]]:
    """The training rows that ask what a held-out row asks, as (id, id of the held-out row), in the order of ids.

    The same comparison as the stage `alike` makes across the split. Memory: about 3 kB for each held-out row.
    """
    from datasketch import MinHashLSH

    index = MinHashLSH(num_perm=PERMUTATIONS, params=BANDS)
    known: list[tuple[str, str, Marks]] = []
    for row in held:
        own = marks(row)
        index.insert(len(known), minhash(own.shingles), check_duplication=False)
        known.append((row.id, task_of(row), own))
    found: list[tuple[str, str]] = []
    for row in training if known else ():
        own = marks(row)
        for place in sorted(index.query(minhash(own.shingles))):
            identity, task, other = known[place]
            if tells(own, task_of(row), other, task, similarity) is not None:
                found.append((row.id, identity))
                break
    return sorted(found)
