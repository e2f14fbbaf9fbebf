"""Proposes pairs of records that may be duplicates, from sketches and samples of their n-grams, and compares them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corpusforge.curate.clusters import candidate_pairs
from corpusforge.curate.dedup_table import Candidates, roomy
from corpusforge.curate.dedup_verify import Compared, compare
from corpusforge.curate.shingles import Ragged, shingles_of
from corpusforge.curate.sketch import Bands, band_keys, choose_bands
from corpusforge.curate.template import Template, text_parts, words_in

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    Index = NDArray[np.int64]

# Of records with a tenth of their words changed, 0.35 of the n-grams are left in common.
LOOSE, LOOSE_RECALL = 0.35, 0.97
NEAR_RECALL = 0.999
TRIPLES = 0.45
# Every eighth n-gram, by its hash, stands for a record that may be contained in another.
_SAMPLED = 8
_BLOCK_WORDS = 1 << 22
_BLOCK_PAIRS = 1 << 18


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of record numbers (low, high), shape (pairs, 2), ascending, and what comparing their words gave."""

    records: Index
    compared: Compared
    template: int


def propose_and_compare(
    table: Candidates, unique: NDArray[np.bool_], *, n: int, similarity: float, boilerplate: int, contained: bool
) -> Pairs | None:
    """All pairs among the records that `unique` marks that may be alike, compared word by word; None if there are none.

    There are three sketches: of what is a record's own, cut to find pairs of which a tenth of the words was changed;
    and, for records with template text, of everything, cut to find pairs at `similarity`, and of the word triples of
    what is their own, which may be short. With `contained`, records whose
    sampled n-grams lie in another one are proposed as well.
    """
    import numpy as np

    wanted = unique & (table.rows["words_n"].to_numpy() >= n)
    template = _template(table, wanted, n, boilerplate)
    folder = table.surveys[0].path.parent
    own = _Keys(len(wanted), choose_bands(LOOSE, LOOSE_RECALL), folder)
    whole = _Keys(len(wanted), choose_bands(similarity, NEAR_RECALL), folder)
    triples = _Keys(len(wanted), choose_bands(TRIPLES, NEAR_RECALL), folder)
    samples: list[tuple[NDArray[np.uint64], Index]] = []
    for numbers, words in table.words(wanted):
        shingles = shingles_of(words, n)
        common, mine = text_parts(template.common(shingles.values), shingles)
        personal = shingles.only(mine)
        own.add(numbers, personal)
        some = np.flatnonzero(shingles.counts(common) > 0)
        if len(some):
            whole.add(numbers[some], shingles.take(some))
            marks, some_words = Ragged(mine, shingles.offsets).take(some), words.take(some)
            rest = some_words.only(words_in(marks.values, marks, some_words, n))
            triples.add(numbers[some], shingles_of(rest, 3))
        if contained:
            drawn = np.flatnonzero(personal.values % np.uint64(_SAMPLED) == 0)
            samples.append((personal.values[drawn], numbers[personal.owners[drawn]]))
    found = [own.pairs(), whole.pairs(), triples.pairs(), *([_sharing_samples(samples)] if samples else [])]
    pairs = np.unique(np.concatenate(found), axis=0)
    if not len(pairs):
        return None
    parts = [_compared(table, block, template, n) for block in _blocks(pairs, table.rows["words_n"].to_numpy())]
    return Pairs(pairs, Compared.joined(parts), len(template))


def _template(table: Candidates, wanted: NDArray[np.bool_], n: int, boilerplate: int) -> Template:
    template = Template(int(table.rows["words_n"].to_numpy()[wanted].sum()), boilerplate)
    for _, words in table.words(wanted):
        template.look(shingles_of(words, n).values)
    if template.suspects:
        for _, words in table.words(wanted):
            template.count(shingles_of(words, n))
    template.finish()
    return template


class _Keys:
    """The band keys of some records, one row a band; many lie in a temporary file."""

    def __init__(self, records: int, bands: Bands, folder: Path) -> None:
        import numpy as np

        self._bands = bands
        self._covered = np.zeros(records, np.bool_)
        self._keys = roomy(bands.count * records, folder).reshape(bands.count, records)

    def add(self, numbers: Index, shingles: Ragged) -> None:
        """Sketch these records; one without any n-gram is left out."""
        import numpy as np

        some = np.flatnonzero(shingles.sizes > 0)
        if len(some):
            if len(some) < len(numbers):
                numbers, shingles = numbers[some], shingles.take(some)
            self._covered[numbers] = True
            self._keys[:, numbers] = band_keys(shingles, self._bands).T

    def pairs(self) -> Index:
        """The records that meet in a band."""
        import numpy as np

        return candidate_pairs(self._keys, np.flatnonzero(self._covered))


def _sharing_samples(samples: list[tuple[NDArray[np.uint64], Index]]) -> Index:
    """Pairs of records where one shares at least half of its sampled n-grams with the other."""
    import numpy as np
    import polars as pl

    frame = pl.DataFrame(
        {
            "hash": np.concatenate([hashes for hashes, _ in samples]),
            "record": np.concatenate([records for _, records in samples]),
        }
    ).unique()
    sizes = frame.group_by("record").len("size")
    # An n-gram in many records is no one's own, so that these groups are small.
    met = frame.join(frame, on="hash").filter(pl.col("record") < pl.col("record_right"))
    pairs = met.group_by("record", "record_right").len("shared")
    pairs = pairs.join(sizes, on="record").join(sizes, left_on="record_right", right_on="record", suffix="_right")
    pairs = pairs.filter(2 * pl.col("shared") >= pl.min_horizontal("size", "size_right")).sort("record", "record_right")
    return pairs.select("record", "record_right").to_numpy().astype(np.int64)


def _blocks(pairs: Index, sizes: Index) -> Iterator[Index]:
    """The pairs in runs whose records' words fit into memory together."""
    import numpy as np

    volume = np.cumsum(sizes[pairs].sum(axis=1)) // _BLOCK_WORDS
    number = np.arange(len(pairs)) // _BLOCK_PAIRS
    cuts = np.flatnonzero((np.diff(volume) > 0) | (np.diff(number) > 0)) + 1
    yield from np.split(pairs, cuts)


def _compared(table: Candidates, pairs: Index, template: Template, n: int) -> Compared:
    import numpy as np

    met = np.zeros(len(table.rows), np.bool_)
    met[pairs] = True
    numbers, values, sizes = [], [], [np.zeros(1, np.int64)]
    for part, words in table.words(met):
        numbers.append(part)
        values.append(words.values)
        sizes.append(words.sizes)
    place = np.zeros(len(met), np.int64)
    place[np.concatenate(numbers)] = np.arange(int(met.sum()))
    joined = Ragged(np.concatenate(values), np.cumsum(np.concatenate(sizes)))
    return compare(place[pairs], joined, template, n)
