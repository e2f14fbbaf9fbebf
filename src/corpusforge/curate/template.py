"""Finds the word n-grams that so many records share that they are template text, and marks what is a record's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corpusforge.curate.shingles import Ragged

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from corpusforge.curate.shingles import Hashes

    Marks = NDArray[np.bool_]

PASSAGE = 12
_TEMPLATE = 3
_HELD = 4_000_000


class Template:
    """The n-grams in more than `limit` distinct records, exactly, found in two passes of bounded memory.

    First all n-grams are counted by the top bits of their hash alone, some six to a counter, in a table of at most
    512 MiB; then those whose counter went over the limit, a few of a hundred, by themselves and once a record.
    """

    def __init__(self, words: int, limit: int) -> None:
        import numpy as np

        self._shift = np.uint64(64 - min(27, max(16, words.bit_length() - 3)))
        self._limit = limit
        self._counts = np.zeros(1 << (64 - int(self._shift)), np.uint32)
        self._hot = np.zeros(0, np.bool_)
        self._values = np.zeros(0, np.uint64)
        self._records = np.zeros(0, np.int64)
        self._held: list[tuple[Hashes, NDArray[np.int64]]] = []

    def look(self, shingles: Hashes) -> None:
        """First pass: n-grams of whole records, each as often as it occurs."""
        import numpy as np

        np.add.at(self._counts, shingles >> self._shift, np.uint32(1))

    @property
    def suspects(self) -> bool:
        """Whether any counter of the first pass went over the limit."""
        return bool((self._counts > self._limit).any())

    def count(self, shingles: Ragged) -> None:
        """Second pass, over the same records: count what may be common once a record."""
        import numpy as np

        if not len(self._hot):
            self._hot = self._counts > self._limit
            self._counts = np.zeros(0, np.uint32)
        some = np.flatnonzero(self._hot[shingles.values >> self._shift])
        if not len(some):
            return
        values, owners = shingles.values[some], np.searchsorted(shingles.offsets, some, side="right")
        order = np.lexsort((owners, values))
        values, owners = values[order], owners[order]
        fresh = np.ones(len(values), np.bool_)
        fresh[1:] = (values[1:] != values[:-1]) | (owners[1:] != owners[:-1])
        self._held.append(_summed(values[fresh], np.ones(int(fresh.sum()), np.int64)))
        if sum(len(held) for held, _ in self._held) > _HELD:
            self._merge()

    def finish(self) -> None:
        """Keep what is common and nothing else."""
        import numpy as np

        self._merge()
        self._values = self._values[self._records > self._limit]
        self._records = np.zeros(0, np.int64)
        self._counts = np.zeros(0, np.uint32)
        # Small enough for the cache, large enough that few n-grams meet one by chance.
        bits = min(24, max(16, len(self._values).bit_length() + 5))
        self._shift = np.uint64(64 - bits)
        self._hot = np.zeros(1 << bits, np.bool_)
        self._hot[self._values >> self._shift] = True

    def common(self, shingles: Hashes) -> Marks:
        """Which of these n-grams are template text."""
        import numpy as np

        out: Marks = self._hot[shingles >> self._shift]
        some = np.flatnonzero(out)
        if len(some):
            wanted = shingles[some]
            place = np.minimum(np.searchsorted(self._values, wanted), len(self._values) - 1)
            out[some] = self._values[place] == wanted
        return out

    def __len__(self) -> int:
        return len(self._values)

    def _merge(self) -> None:
        import numpy as np

        values = np.concatenate([self._values, *(values for values, _ in self._held)])
        records = np.concatenate([self._records, *(records for _, records in self._held)])
        order = np.argsort(values)
        self._values, self._records = _summed(values[order], records[order])
        self._held.clear()


def text_parts(common: Marks, shingles: Ragged) -> tuple[Marks, Marks]:
    """Which n-grams are template text, and which are a record's own, from those that are in many records.

    A phrase of the language is in many records too ("at the end of the"): template text takes a run of `_TEMPLATE` such
    n-grams. Own is a run of at least `PASSAGE` without any: a shorter one in between is the template with a word
    changed, or a name in it. A record without any template text is its own altogether.
    """
    import numpy as np

    if not common.any():
        return common, ~common
    template = common & (_run_lengths(common, shingles) >= _TEMPLATE)
    plain = np.repeat(shingles.counts(template) == 0, shingles.sizes)
    return template, ~template & (plain | (_run_lengths(template, shingles) >= PASSAGE))


def _run_lengths(marks: Marks, shingles: Ragged) -> NDArray[np.int64]:
    """For each n-gram how many in a row have the same mark, within its text."""
    import numpy as np

    begins = np.zeros(len(marks), np.bool_)
    begins[shingles.offsets[:-1][shingles.sizes > 0]] = True
    begins[1:] |= marks[1:] != marks[:-1]
    first = np.flatnonzero(begins)
    length = np.diff(first, append=len(marks))
    return np.repeat(length, length)


def words_in(marks: Marks, shingles: Ragged, words: Ragged, n: int) -> Marks:
    """Which words lie in an n-gram of these marks."""
    import numpy as np

    starts = shingles.offsets[:-1][shingles.owners]
    place = (np.arange(len(marks)) - starts + words.offsets[:-1][shingles.owners])[marks]
    out = np.zeros(len(words.values), np.bool_)
    for step in range(n):
        out[place + step] = True
    return out


def _summed(values: Hashes, records: NDArray[np.int64]) -> tuple[Hashes, NDArray[np.int64]]:
    import numpy as np

    first = np.ones(len(values), np.bool_)
    first[1:] = values[1:] != values[:-1]
    places = np.flatnonzero(first)
    return values[places], np.add.reduceat(records, places) if len(places) else records
