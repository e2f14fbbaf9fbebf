"""Compares proposed pairs of records word by word: a sketch may propose, only the texts themselves decide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING

from corpusforge.curate.dedup_index import NUMBER, SIGN
from corpusforge.curate.shingles import Ragged, shingles_of
from corpusforge.curate.template import Template, text_parts, words_in

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Marks = NDArray[np.bool_]
    Index = NDArray[np.int64]

# An n-gram of a pair is compared by 44 bits of its hash beside the pair's number: of 1e7 pairs of a thousand words one
# sees one n-gram too many in common.
_HASH_BITS = 44
_CHUNK = 1 << 18
# Texts with fewer n-grams in common are neither alike nor edits of each other; what they lack need not be counted.
WORTH_COUNTING = 0.25
MOST_EDITS = 0.2


@dataclass(frozen=True, slots=True)
class Compared:
    """What the words of each pair (left, right) say; one value a pair.

    `full` and `own` are the Jaccard similarity of all distinct n-grams and of those that are no template text;
    `own_shared` counts the latter that both have, `own_size` the fewer of the two records', and `smaller_left` says
    whose. `changed` is the share of the longer record's words that only one of the two has, counted as often as they
    occur; `own_missing` the share of a record's own words that the other lacks, of the two records the larger.
    `other_template` says that each has template text where the other has other template text. `telling` says that
    numbers, codes and negations make out at least half of the words that only one has, `inside_telling` that they do of
    the smaller record's; `exchanged` that each has a number that the other lacks. `plain` marks pairs without template
    text, `passages` those where a record has text of its own; `words` is the length of the shorter record.
    """

    full: Floats
    own: Floats
    own_shared: Index
    own_size: Index
    smaller_left: Marks
    changed: Floats
    own_missing: Floats
    other_template: Marks
    telling: Marks
    exchanged: Marks
    inside_telling: Marks
    plain: Marks
    passages: Marks
    words: Index

    @classmethod
    def joined(cls, parts: list[Compared]) -> Compared:
        """Several blocks of pairs as one; at least one must be given."""
        import numpy as np

        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def compare(pairs: Index, words: Ragged, template: Template, n: int) -> Compared:
    """Compare pairs of texts of `words` (words as in the index), shape (pairs, 2)."""
    import numpy as np

    shingles = shingles_of(words, n)
    common, own = text_parts(template.common(shingles.values), shingles)
    everything = _sets(shingles)
    left, right = pairs.T
    shared = _shared(everything, pairs)
    full = shared / np.maximum(everything.sizes[left] + everything.sizes[right] - shared, 1)
    plain = (shingles.counts(common) == 0)[pairs].all(axis=1)
    templated = np.flatnonzero(~plain)
    beside = everything if not len(templated) else _sets(shingles.only(own))
    own_shared = shared.copy()
    own_shared[templated] = _shared(beside, pairs[templated])
    own_counts = beside.sizes
    counted = full >= WORTH_COUNTING
    other_template = np.zeros(len(pairs), np.bool_)
    doubtful = templated[counted[templated]]
    if len(doubtful):
        frames = _sets(shingles.only(common))
        other_template[doubtful] = _other_template(everything, frames, shared[doubtful], pairs[doubtful])
    bags = _Difference.of((words, words), pairs, counted & ~other_template)
    changed = bags.only.max(axis=1) / np.maximum(words.sizes[pairs].max(axis=1), 1)
    own_missing = np.where(plain, 0.0, 1.0)
    doubtful = doubtful[~other_template[doubtful] & ((changed[doubtful] <= MOST_EDITS) | (full[doubtful] >= 0.5))]
    if len(doubtful):
        lone = np.asarray((own_counts[pairs[doubtful]] == 0).any(axis=1))
        personal = words.only(words_in(own, shingles, words, n))
        # What a record has of its own may lie in the other beside its template text, or, if that is all, anywhere.
        beyond = words.only(words_in(~common, shingles, words, n))
        for rows, others in ((doubtful[lone], words), (doubtful[~lone], beyond)):
            all_rows = np.ones(len(rows), np.bool_)
            missing = _Difference.of((personal, others), pairs[rows], all_rows).only[:, 0]
            back = _Difference.of((others, personal), pairs[rows], all_rows).only[:, 1]
            # Many edits in a row make template text look like a passage; the texts as wholes still differ in few words.
            lost = np.minimum(np.stack([missing, back], axis=1), bags.only[rows])
            own_missing[rows] = (lost / np.maximum(personal.sizes[pairs[rows]], 1)).max(axis=1)
    smaller_left = own_counts[left] < own_counts[right]
    inside, rows = np.where(smaller_left, 0, 1), np.arange(len(pairs))
    return Compared(
        full=full,
        own=own_shared / np.maximum(own_counts[left] + own_counts[right] - own_shared, 1),
        own_shared=own_shared,
        own_size=np.minimum(own_counts[left], own_counts[right]),
        smaller_left=smaller_left,
        changed=changed,
        own_missing=own_missing,
        other_template=other_template,
        exchanged=bags.numbers.min(axis=1) > 0,
        telling=(bags.telling.max(axis=1) > 0) & (2 * bags.telling.max(axis=1) >= bags.only.max(axis=1)),
        inside_telling=(bags.telling[rows, inside] > 0) & (2 * bags.telling[rows, inside] >= bags.only[rows, inside]),
        plain=plain,
        passages=np.asarray((own_counts[pairs] > 0).any(axis=1)),
        words=words.sizes[pairs].min(axis=1),
    )


def _other_template(everything: Ragged, common: Ragged, shared: Index, pairs: Index) -> Marks:
    """Which pairs are put together from different macros.

    An edit in template text leaves new n-grams in its place; another macro leaves n-grams that are template text too.
    """
    import numpy as np

    shared_common = _shared(common, pairs)
    only_common = common.sizes[pairs] - shared_common[:, None]
    only_new = everything.sizes[pairs] - common.sizes[pairs] - (shared - shared_common)[:, None]
    surplus = only_common - only_new[:, ::-1]
    return np.asarray(((only_common > 0) & (3 * surplus > only_common)).all(axis=1))


@dataclass(frozen=True, slots=True)
class _Difference:
    """For each pair and side the words that the other side lacks, how many of them are significant, and are numbers."""

    only: Index
    telling: Index
    numbers: Index

    @classmethod
    def of(cls, sides: tuple[Ragged, Ragged], pairs: Index, counted: Marks) -> _Difference:
        """Count the pairs that are marked; in others all words of both sides shall be words that the other lacks."""
        import numpy as np

        sizes = np.stack([sides[0].sizes[pairs[:, 0]], sides[1].sizes[pairs[:, 1]]], axis=1)
        only, telling, numbers = sizes, np.zeros_like(sizes), np.zeros_like(sizes)
        chosen = np.flatnonzero(counted)
        for begin, end in _chunks(sizes[chosen].sum(axis=1)):
            rows = chosen[begin:end]
            keys = []
            for side, words in enumerate(sides):
                text = words.take(pairs[rows, side])
                keys.append((text.owners << 33) | (text.values.astype(np.int64) << 1) | side)
            key = np.concatenate(keys)
            key.sort()
            if not len(key):
                only[rows] = 0
                continue
            first = np.flatnonzero(np.concatenate(([True], (key[1:] >> 1) != (key[:-1] >> 1))))
            rights = np.add.reduceat(key & 1, first)
            lefts = np.diff(first, append=len(key)) - rights
            owner, word = key[first] >> 33, key[first] >> 1
            for side, surplus in enumerate((np.maximum(lefts - rights, 0), np.maximum(rights - lefts, 0))):
                only[rows, side] = np.bincount(owner, surplus, len(rows))
                telling[rows, side] = np.bincount(owner, surplus * (word & (NUMBER | SIGN) != 0), len(rows))
                numbers[rows, side] = np.bincount(owner, surplus * (word & NUMBER != 0), len(rows))
        return cls(only, telling, numbers)


def _sets(shingles: Ragged) -> Ragged:
    """Each text's distinct n-grams, ascending, as numbers of `_HASH_BITS` bits."""
    import numpy as np

    owners = shingles.owners.astype(np.uint64)
    keys = (owners << np.uint64(_HASH_BITS)) | (shingles.values >> np.uint64(64 - _HASH_BITS))
    keys.sort()
    fresh = np.ones(len(keys), np.bool_)
    fresh[1:] = keys[1:] != keys[:-1]
    keys = keys[fresh]
    texts = np.arange(len(shingles.offsets), dtype=np.uint64) << np.uint64(_HASH_BITS)
    return Ragged(keys & np.uint64((1 << _HASH_BITS) - 1), np.searchsorted(keys, texts))


def _shared(sets: Ragged, pairs: Index) -> Index:
    """How many values the two sets of each pair have in common."""
    import numpy as np

    out = np.zeros(len(pairs), np.int64)
    for begin, end in _chunks(sets.sizes[pairs].sum(axis=1)):
        keys = []
        for side in (0, 1):
            text = sets.take(pairs[begin:end, side])
            keys.append((text.owners.astype(np.uint64) << np.uint64(_HASH_BITS)) | text.values)
        key = np.sort(np.concatenate(keys))
        twice = key[1:][key[1:] == key[:-1]] >> np.uint64(_HASH_BITS)
        out[begin:end] = np.bincount(twice.astype(np.int64), minlength=end - begin)
    return out


def _chunks(volume: Index) -> Iterator[tuple[int, int]]:
    """Cuts pairs of so many values each so that the values of a part stay far from filling the memory."""
    import numpy as np

    cuts = np.flatnonzero(np.diff(np.cumsum(volume) // _CHUNK)) + 1
    for begin, end in pairwise([0, *cuts.tolist(), len(volume)]):
        # The number of a pair in its part has 20 bits beside its hash.
        for start in range(begin, end, 1 << 19):
            yield start, min(end, start + (1 << 19))
