"""Searches finished training records for near-duplicates of held-out ones: a proof beside ids and runs of words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corpusforge.curate.batches import in_batches
from corpusforge.curate.shingles import BATCH_CHARS, Ragged, shingles_of, word_hashes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from corpusforge.curate.shingles import Hashes

NGRAM = 5
SKETCH = 32
# Of pairs at the threshold the share of a sketch that is met varies; what is proposed is compared in full.
PROPOSED = 0.6
LEAST_SHINGLES = 8


@dataclass(frozen=True, slots=True)
class Text:
    """A record as the search sees it: its id, its group, and its text."""

    id: str
    group: str
    text: str


@dataclass(frozen=True, slots=True)
class Copy:
    """A training record that is a near-duplicate of a held-out one, and how alike they are (Jaccard of 5-grams)."""

    id: str
    held: str
    similarity: float


def copies(held: Iterable[Text], training: Callable[[], Iterable[Text]], similarity: float, common: int) -> list[Copy]:
    """Every training record that is at least so alike to a held-out record, in the order of ids.

    Boilerplate makes no copy: a 5-gram in more than `common` training records does not count, and what is left of a
    held-out record must be 8 or more of them. `training` is read twice. Memory: 8 bytes for each word of the hold-out,
    and what is proposed.
    """
    import numpy as np

    texts = list(held)
    shingles, owners = _of_all([text.text for text in texts])
    if not len(shingles):
        return []
    known, inverse = np.unique(shingles, return_inverse=True)
    order, owner, least = _sketches(inverse, owners, len(texts))
    spread = np.zeros(len(known), np.int32)
    proposed: dict[str, set[int]] = {}
    for text, own in _shingled(training()):
        place = np.minimum(np.searchsorted(known, own), len(known) - 1)
        met = place[known[place] == own]
        if not len(met):
            continue
        spread[met] += 1
        hits = np.bincount(owner[_within(order, met)], minlength=len(texts))
        near = np.flatnonzero((hits > 0) & (hits >= PROPOSED * least))
        if len(near):
            proposed[text.id] = set(near.tolist())
    if not proposed:
        return []
    rare = spread[inverse] <= common
    bounds = np.searchsorted(owners, np.arange(len(texts) + 1))
    parts = {k: slice(bounds[k], bounds[k + 1]) for k in set().union(*proposed.values())}
    sets = {k: frozenset(inverse[part][rare[part]].tolist()) for k, part in parts.items()}
    usual = known[spread > common]
    found: list[Copy] = []
    for text, own in _shingled(text for text in training() if text.id in proposed):
        mine = own[~np.isin(own, usual)]
        place = np.minimum(np.searchsorted(known, mine), len(known) - 1)
        met = frozenset(place[known[place] == mine].tolist())
        for k in sorted(proposed[text.id]):
            both = len(met & sets[k])
            score = both / max(1, len(mine) + len(sets[k]) - both)
            if len(sets[k]) >= LEAST_SHINGLES and score >= similarity:
                found.append(Copy(text.id, texts[k].id, round(score, 4)))
    return sorted(found, key=lambda copy: (copy.id, copy.held))


def _of_all(texts: Sequence[str]) -> tuple[Hashes, NDArray[np.int64]]:
    """The distinct shingles of each text, and the number of the text that each belongs to."""
    import numpy as np

    values, owners = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for number, (_, own) in enumerate(_shingled(Text(str(k), "", text) for k, text in enumerate(texts))):
        values.append(own)
        owners.append(np.full(len(own), number, np.int64))
    return np.concatenate(values), np.concatenate(owners)


def _shingled(texts: Iterable[Text]) -> Iterator[tuple[Text, Hashes]]:
    """Each text with the distinct shingles of its words, in ascending order."""
    import numpy as np

    for batch in in_batches(texts, lambda text: len(text.text), BATCH_CHARS):
        words = word_hashes([text.text for text in batch])
        counts = np.bincount(words.text_of, minlength=len(batch))
        offsets = np.zeros(len(batch) + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        runs = shingles_of(Ragged(words.hashes, offsets), NGRAM)
        for k, text in enumerate(batch):
            yield text, np.unique(runs.values[runs.offsets[k] : runs.offsets[k + 1]])


def _sketches(
    inverse: NDArray[np.int64], owners: NDArray[np.int64], texts: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The smallest shingles of each text: their numbers in ascending order, their texts, and how many each text has."""
    import numpy as np

    places = np.lexsort((inverse, owners))
    first = np.searchsorted(owners[places], np.arange(texts))
    rank = np.arange(len(places)) - first[owners[places]]
    chosen = places[rank < SKETCH]
    numbers, owner = inverse[chosen], owners[chosen]
    by_number = np.argsort(numbers, kind="stable")
    return numbers[by_number], owner[by_number], np.bincount(owner, minlength=texts)


def _within(order: NDArray[np.int64], met: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places in `order` that hold one of the numbers `met`."""
    import numpy as np

    start, end = np.searchsorted(order, met), np.searchsorted(order, met, side="right")
    sizes = end - start
    before = np.repeat(start - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
    return np.asarray(before + np.arange(int(sizes.sum())))
