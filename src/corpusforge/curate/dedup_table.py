"""The records that dedup decides on, as columns in the order in which they are preferred."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from corpusforge.curate.shingles import Ragged

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from corpusforge.stage import SourceFacts, Survey

Preference = Literal["source", "newest", "longest"]
_ROLE_RANK = {"domain": 0, "labelled": 1, "public": 2}
_COLUMNS = ["id", "group", "date", "version", "chars", "exact", "words_n"]
CHUNK_WORDS = 1 << 16
_IN_MEMORY = 1 << 28


@dataclass(frozen=True, slots=True)
class Candidates:
    """All surveyed records; row k of `rows` is record number k, and low numbers are kept before high ones.

    `rows` has the survey's columns and `shard` (number in `surveys`, which are sorted by name), `row` (position in the
    shard), `source`, its `kind`, and `group_number`; `groups` are the group ids in ascending order. The words of record
    k are `flat[starts[k]:]`, as many as `rows` says; they lie shard after shard.
    """

    surveys: Sequence[Survey]
    rows: pl.DataFrame
    groups: list[str]
    flat: NDArray[np.uint32]
    starts: NDArray[np.int64]

    def words(self, wanted: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], Ragged]]:
        """The numbers and words of the records that `wanted` marks, some 65,536 words at a time, shard after shard."""
        import numpy as np

        sizes = self.rows["words_n"].to_numpy()
        numbers = np.flatnonzero(wanted)
        numbers = numbers[np.argsort(self.starts[numbers], kind="stable")]
        # Small enough that numpy works inside the cache.
        cuts = np.flatnonzero(np.diff(np.cumsum(sizes[numbers]) // CHUNK_WORDS)) + 1
        for some in np.split(numbers, cuts) if len(numbers) else []:
            first = self.starts[some[0]]
            last = self.starts[some[-1]] + sizes[some[-1]]
            starts = self.starts[some] - first
            if last - first == sizes[some].sum():
                yield some, Ragged(self.flat[first:last], np.append(starts, last - first))
            else:
                offsets = np.zeros(len(some) + 1, np.int64)
                np.cumsum(sizes[some], out=offsets[1:])
                place = np.arange(int(offsets[-1])) + np.repeat(starts - offsets[:-1], sizes[some])
                yield some, Ragged(self.flat[first:last][place], offsets)


def load(
    surveys: Sequence[Survey],
    sources: Mapping[str, SourceFacts],
    keep_first: Sequence[str],
    prefer: Sequence[Preference],
) -> Candidates:
    """Read all surveys but their words.

    Records are preferred by what `prefer` names, in its order, then by the smallest id. By `source`: those named in
    `keep_first`, then domain before labelled before public; by `newest`: their date; by `longest`: their characters.
    """
    import polars as pl

    ordered = sorted(surveys, key=lambda survey: survey.shard)
    frames = []
    for number, survey in enumerate(ordered):
        facts = sources.get(survey.source)
        rank = keep_first.index(survey.source) if survey.source in keep_first else len(keep_first)
        frames.append(
            pl.read_parquet(survey.path, columns=list(_COLUMNS), glob=False)
            .with_row_index("row")
            .with_columns(
                pl.col("row").cast(pl.Int64),
                pl.lit(number, pl.Int64).alias("shard"),
                pl.lit(rank * 3 + (_ROLE_RANK[facts.role] if facts else 0), pl.Int64).alias("rank"),
                pl.lit(facts.kind if facts else "public").alias("kind"),
                pl.lit(survey.source).alias("source"),
            )
        )
    by = {"source": ("rank", False), "newest": ("date", True), "longest": ("chars", True)}
    order = [*(by[name] for name in prefer), ("id", False), ("shard", False), ("row", False)]
    rows = pl.concat(frames).sort([name for name, _ in order], descending=[falling for _, falling in order])
    groups = rows["group"].unique().sort()
    numbered = rows["group"].cast(pl.Enum(groups)).to_physical().cast(pl.Int64).alias("group_number")
    flat, starts = _flat_words(ordered, rows)
    return Candidates(ordered, rows.with_columns(numbered), groups.to_list(), flat, starts)


def _flat_words(surveys: Sequence[Survey], rows: pl.DataFrame) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """All words in one array, beyond 256 MiB in a temporary file beside the surveys, and where each record's begin."""
    import numpy as np
    import pyarrow.parquet as pq

    sizes = rows["words_n"].to_numpy()
    by_shard = np.lexsort((rows["row"].to_numpy(), rows["shard"].to_numpy()))
    starts = np.zeros(len(sizes), np.int64)
    starts[by_shard] = np.cumsum(sizes[by_shard]) - sizes[by_shard]
    flat = roomy(int(sizes.sum()), surveys[0].path.parent)
    done = 0
    for survey in surveys:
        lists = pq.read_table(survey.path, columns=["words"], use_threads=False).column(0).combine_chunks()
        _, offsets, data = lists.buffers()
        ends = np.frombuffer(offsets, np.int64)[lists.offset :][: len(lists) + 1]
        size = int(ends[-1] - ends[0]) // 4
        if size:
            flat[done : done + size] = np.frombuffer(data, "<u4")[ends[0] // 4 :][:size]
        done += size
    return flat, starts


def roomy(count: int, folder: Path) -> NDArray[np.uint32]:
    """Room for this many numbers: in memory, or beyond 256 MiB in a temporary file that nobody else sees."""
    import numpy as np

    if 4 * count <= _IN_MEMORY:
        return np.zeros(count, np.uint32)
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, np.uint32, "w+", shape=(count,))
