"""The records that dedup decides on, as columns in the order in which they are preferred."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corpusforge.curate.shingles import Ragged

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from corpusforge.stage import SourceFacts, Survey

_ROLE_RANK = {"domain": 0, "labelled": 1, "public": 2}
_COLUMNS = ["id", "group", "date", "chars", "words", "shingles_n", "exact"]


@dataclass(frozen=True, slots=True)
class Candidates:
    """All surveyed records; row k of `rows` is record number k, and low numbers are kept before high ones.

    `rows` has the survey's columns and `shard` (number in `surveys`, which are sorted by name), `row` (position in the
    shard) and `group_number`; `groups` are the group ids in ascending order.
    """

    surveys: Sequence[Survey]
    rows: pl.DataFrame
    groups: list[str]

    def shingles(
        self, wanted: NDArray[np.bool_], column: str = "shingles"
    ) -> Iterator[tuple[NDArray[np.int64], Ragged]]:
        """Shard by shard, the shingles of the records that `wanted` marks, with the numbers of these records.

        `column` may be `places` instead: the word at which each shingle begins. One shard is in memory at a time.
        """
        import numpy as np
        import pyarrow.parquet as pq

        shard_of = self.rows["shard"].to_numpy()
        row_of = self.rows["row"].to_numpy()
        by_shard = np.flatnonzero(wanted)
        by_shard = by_shard[np.lexsort((row_of[by_shard], shard_of[by_shard]))]
        bounds = np.searchsorted(shard_of[by_shard], np.arange(len(self.surveys) + 1))
        for number, survey in enumerate(self.surveys):
            numbers = by_shard[bounds[number] : bounds[number + 1]]
            if len(numbers):
                lists = pq.read_table(survey.path, columns=[column]).column(0).combine_chunks()
                values = lists.values.to_numpy()
                offsets = lists.offsets.to_numpy()
                yield numbers, take(Ragged(values, offsets), row_of[numbers])


def take(shingles: Ragged, rows: NDArray[np.int64]) -> Ragged:
    """Some rows of a ragged table, in the order asked for."""
    import numpy as np

    sizes = np.diff(shingles.offsets)[rows]
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    position = np.arange(int(offsets[-1])) + np.repeat(shingles.offsets[rows] - offsets[:-1], sizes)
    return Ragged(shingles.values[position], offsets)


def load(surveys: Sequence[Survey], sources: Mapping[str, SourceFacts], keep_first: Sequence[str]) -> Candidates:
    """Read all surveys but their shingles.

    Preferred are, in this order: sources named in `keep_first`, domain before labelled before public sources, the
    newest date, the longest text, the smallest id.
    """
    import polars as pl

    ordered = sorted(surveys, key=lambda survey: survey.shard)
    frames = []
    for number, survey in enumerate(ordered):
        facts = sources.get(survey.source)
        rank = keep_first.index(survey.source) if survey.source in keep_first else len(keep_first)
        frames.append(
            pl.read_parquet(survey.path, columns=_COLUMNS, glob=False)
            .with_row_index("row")
            .with_columns(
                pl.col("row").cast(pl.Int64),
                pl.lit(number, pl.Int64).alias("shard"),
                pl.lit(rank * 3 + (_ROLE_RANK[facts.role] if facts else 0), pl.Int64).alias("rank"),
            )
        )
    rows = pl.concat(frames).sort(
        ["rank", "date", "chars", "id", "shard", "row"], descending=[False, True, True, False, False, False]
    )
    groups = rows["group"].unique().sort()
    numbered = rows["group"].cast(pl.Enum(groups)).to_physical().cast(pl.Int64).alias("group_number")
    return Candidates(ordered, rows.with_columns(numbered), groups.to_list())
