"""Finds and scores the pairs of records that may be near duplicates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corpusforge.curate.clusters import candidate_pairs
from corpusforge.curate.dedup_table import Candidates, take
from corpusforge.curate.dedup_verify import PASSAGE, longest_passage, overlap
from corpusforge.curate.shingles import Ragged
from corpusforge.curate.sketch import Bands, Frequency, band_keys, choose_bands

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LINK_RECALL = 0.98
NEAR_RECALL = 0.999


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of record numbers (low, high), shape (pairs, 2), with their similarity and what follows from it."""

    records: NDArray[np.int64]
    similarity: NDArray[np.float64]
    near: NDArray[np.bool_]
    linked: NDArray[np.bool_]
    notes: dict[str, Any]


@dataclass(slots=True)
class _Keys:
    """Band keys of some records, collected shard by shard."""

    numbers: NDArray[np.int64]
    keys: NDArray[np.uint32]
    rows: int

    @classmethod
    def collect(cls, parts: list[tuple[NDArray[np.int64], NDArray[np.uint32]]], rows: int) -> _Keys:
        import numpy as np

        # In the order of preference, so that no result depends on how records are spread over shards.
        numbers = np.concatenate([numbers for numbers, _ in parts])
        order = np.argsort(numbers)
        return cls(numbers[order], np.concatenate([keys for _, keys in parts])[order], rows)

    def estimate(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Similarity as the sketches see it: the share of equal bands is about similarity ** rows; 0 if not covered."""
        import numpy as np

        out = np.zeros(len(pairs))
        if len(self.numbers):
            place = np.minimum(np.searchsorted(self.numbers, pairs), len(self.numbers) - 1)
            covered = np.flatnonzero((self.numbers[place] == pairs).all(axis=1))
            for begin in range(0, len(covered), 65_536):
                some = covered[begin : begin + 65_536]
                equal = self.keys[place[some, 0]] == self.keys[place[some, 1]]
                out[some] = equal.mean(axis=1) ** (1 / self.rows)
        return out


def compare(
    table: Candidates, unique: NDArray[np.bool_], *, similarity: float, link: float, boilerplate: int, verify: bool
) -> Pairs:
    """All pairs among the records that `unique` marks that share a band of their sketches, and their similarity.

    There are two sketches: of the shingles that are not boilerplate, cut to find pairs down to `link`, and, for records
    that contain boilerplate, of everything, cut to find pairs at `similarity`. With `verify` each pair's sets are
    compared exactly; without, the better of the two sketches' estimates stands.
    """
    import numpy as np

    count = table.rows["shingles_n"].to_numpy()
    wanted = unique & (count > 0)
    frequency = Frequency(int(count[wanted].sum()))
    for _, shingles in table.shingles(wanted):
        frequency.add(shingles.values)
    cuts = choose_bands(min(link, similarity), LINK_RECALL), choose_bands(similarity, NEAR_RECALL)
    sketches = _sketches(table, wanted, frequency, boilerplate, cuts)
    packed = np.concatenate([candidate_pairs(sketch.keys, sketch.numbers) for sketch in sketches])
    pairs = np.unique(packed, axis=0)
    notes: dict[str, Any] = {"candidates": len(pairs), "pairs_verified": len(pairs) if verify else 0}
    if not verify:
        scores = np.maximum(*(sketch.estimate(pairs) for sketch in sketches))
        return Pairs(pairs, scores, scores >= similarity, scores >= min(link, similarity), notes)
    met = np.zeros(len(unique), bool)
    met[pairs.ravel()] = True
    numbers, joined = _joined(table.shingles(met))
    place = np.zeros(len(unique), np.int64)
    place[numbers] = np.arange(len(numbers))
    common = frequency.above(joined.values, boilerplate)
    places = _joined(table.shingles(met, "places"))[1].values.astype(np.uint32)
    passages = longest_passage(common, joined, places) >= PASSAGE
    result = overlap(place[pairs], joined, common, passages)
    near, linked = result.near(similarity, link), result.linked(similarity, link)
    notes["pairs_alike_by_template"] = int(((result.full >= similarity) & ~near).sum())
    return Pairs(pairs, result.full, near, linked, notes)


def _sketches(
    table: Candidates, wanted: NDArray[np.bool_], frequency: Frequency, boilerplate: int, cuts: tuple[Bands, Bands]
) -> tuple[_Keys, _Keys]:
    import numpy as np

    link_bands, near_bands = cuts
    none = np.zeros(0, np.int64)
    own = [(none, np.zeros((0, link_bands.count), np.uint32))]
    whole = [(none, np.zeros((0, near_bands.count), np.uint32))]
    for numbers, shingles in table.shingles(wanted):
        common = frequency.above(shingles.values, boilerplate)
        commons = np.concatenate(([0], np.cumsum(common)))[shingles.offsets]
        stripped = Ragged(shingles.values[~common], shingles.offsets - commons)
        some = np.flatnonzero(np.diff(stripped.offsets) > 0)
        own.append((numbers[some], band_keys(take(stripped, some), link_bands)))
        templated = np.flatnonzero(np.diff(commons) > 0)
        whole.append((numbers[templated], band_keys(take(shingles, templated), near_bands)))
    return _Keys.collect(own, link_bands.rows), _Keys.collect(whole, near_bands.rows)


def _joined(parts: Iterable[tuple[NDArray[np.int64], Ragged]]) -> tuple[NDArray[np.int64], Ragged]:
    import numpy as np

    numbers, values, sizes = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)], [np.zeros(1, np.int64)]
    for part, shingles in parts:
        numbers.append(part)
        values.append(shingles.values)
        sizes.append(np.diff(shingles.offsets))
    return np.concatenate(numbers), Ragged(np.concatenate(values), np.cumsum(np.concatenate(sizes)))
