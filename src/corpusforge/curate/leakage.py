"""Finds runs of words that a text shares with the hold-out or with a benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corpusforge.curate.shingles import Words, batches, mix, word_hashes

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from corpusforge.curate.shingles import Hashes

SHORTEST = 8
_CHAIN = 0xD6E8FEB86659FD93
_FILTER_BITS = 24


@dataclass(frozen=True, slots=True)
class Evidence:
    """What proves a leak of some texts: the hash of a run, its length in words, and the number of its text."""

    hashes: Hashes
    words: NDArray[np.uint8]
    text_of: NDArray[np.int64]


def evidence(texts: Iterable[str], ngram: int) -> Evidence:
    """All word n-grams of each text; of a shorter text of at least eight words, the whole text as one run.

    Case, punctuation and operators make no difference: who repeats an exam may set it in other signs.
    """
    import numpy as np

    hashes: list[Hashes] = [np.zeros(0, np.uint64)]
    lengths = [np.zeros(0, np.uint8)]
    text_of = [np.zeros(0, np.int64)]
    done = 0
    for batch in batches(texts):
        words = word_hashes(batch, operators=False)
        counts = np.bincount(words.text_of, minlength=len(batch))
        for length, starts, runs in _runs(words, range(min(SHORTEST, ngram), ngram + 1)):
            numbers = words.text_of[starts]
            keep = slice(None) if length == ngram else counts[numbers] == length
            hashes.append(runs[keep])
            text_of.append(numbers[keep] + done)
            lengths.append(np.full(len(hashes[-1]), length, np.uint8))
        done += len(batch)
    return Evidence(np.concatenate(hashes), np.concatenate(lengths), np.concatenate(text_of))


def spread(found: Evidence, owner_of: NDArray[np.int64]) -> tuple[Hashes, NDArray[np.uint8], NDArray[np.int64]]:
    """Each distinct run in ascending order of its hash, its length, and how many owners (groups, items) it occurs in.

    `owner_of[k]` is the owner of text k.
    """
    import numpy as np

    owners = owner_of[found.text_of]
    order = np.lexsort((owners, found.hashes))
    hashes, owners = found.hashes[order], owners[order]
    new = np.ones(len(hashes), bool)
    new[1:] = hashes[1:] != hashes[:-1]
    fresh = new.copy()
    fresh[1:] |= owners[1:] != owners[:-1]
    first = np.flatnonzero(new)
    counts = np.add.reduceat(fresh, first, dtype=np.int64) if len(first) else np.zeros(0, np.int64)
    return hashes[first], found.words[order][first], counts


def _runs(words: Words, lengths: Sequence[int]) -> Iterator[tuple[int, NDArray[np.int64], Hashes]]:
    """For each length (ascending) where its runs start and their hashes; a run lies within one text."""
    import numpy as np

    chain = words.hashes.copy()
    for step in range(1, (max(lengths) if lengths else 0) + 1):
        if step > 1:
            if len(chain) < 2:
                return
            chain = chain[:-1] * np.uint64(_CHAIN) + words.hashes[step - 1 :]
        if step in lengths:
            starts = np.flatnonzero(words.text_of[: len(chain)] == words.text_of[step - 1 :])
            yield step, starts, mix(chain[starts] + np.uint64(step))


@dataclass(frozen=True, slots=True)
class Leak:
    """How much of a text is shared: runs found per origin, and the share of its words that lie in such runs."""

    hits: dict[str, int]
    covered: float


class LeakIndex:
    """All runs that must not be trained on, from a table of `hash`, `words` (length) and `origin`."""

    def __init__(self, table: pa.Table) -> None:
        import numpy as np

        self._origins: list[str] = sorted(set(table["origin"].to_pylist()))
        hashes = table["hash"].to_numpy()
        lengths = table["words"].to_numpy()
        origins = np.searchsorted(np.array(self._origins, object), np.array(table["origin"].to_pylist(), object))
        self._runs = {
            (length, number): np.sort(hashes[(lengths == length) & (origins == number)])
            for length in sorted(set(lengths.tolist()))
            for number in range(len(self._origins))
        }
        self._lengths = sorted(set(lengths.tolist()))
        # Nearly all of a corpus is in no benchmark; one look into a bit table is ten times cheaper than a search.
        self._maybe = np.zeros(1 << _FILTER_BITS, bool)
        self._maybe[hashes >> np.uint64(64 - _FILTER_BITS)] = True

    def leaks(self, texts: list[str]) -> dict[int, Leak]:
        """The texts that share a run, by their position in `texts`."""
        import numpy as np

        words = word_hashes(texts, operators=False)
        border = np.zeros(len(words.hashes) + 1, np.int64)
        hits: dict[int, dict[str, int]] = {}
        for length, all_starts, all_runs in _runs(words, self._lengths):
            maybe = self._maybe[all_runs >> np.uint64(64 - _FILTER_BITS)]
            starts, runs = all_starts[maybe], all_runs[maybe]
            for number, origin in enumerate(self._origins):
                known = self._runs[length, number]
                if not len(known) or not len(runs):
                    continue
                hit = starts[known[np.minimum(np.searchsorted(known, runs), len(known) - 1)] == runs]
                np.add.at(border, hit, 1)
                np.add.at(border, hit + length, -1)
                texts_hit, counts = np.unique(words.text_of[hit], return_counts=True)
                for text, count in zip(texts_hit.tolist(), counts.tolist(), strict=True):
                    per_origin = hits.setdefault(text, {})
                    per_origin[origin] = per_origin.get(origin, 0) + count
        covered = np.cumsum(border[:-1]) > 0
        inside = np.bincount(words.text_of[covered], minlength=len(texts))
        total = np.bincount(words.text_of, minlength=len(texts))
        return {text: Leak(hits[text], float(inside[text] / total[text])) for text in sorted(hits)}
