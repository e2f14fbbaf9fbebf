"""Takes out of training what repeats the hold-out or a benchmark word for word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pydantic import Field

from corpusforge.curate.batches import in_batches
from corpusforge.curate.benchmark_items import benchmark_items
from corpusforge.curate.leakage import LeakIndex, evidence, spread
from corpusforge.curate.shares import Share
from corpusforge.curate.shingles import BATCH_CHARS
from corpusforge.errors import UsageError
from corpusforge.record import Dropped, Record
from corpusforge.stage import Decision, Item, Stage, StageContext, StageSettings, Survey

if TYPE_CHECKING:
    import pyarrow as pa

HOLDOUT = "holdout"


class DecontaminateSettings(StageSettings):
    """What training records must not repeat."""

    ngram: int = Field(13, ge=8, le=50, description="Words in a row that count as a repetition.")
    against: tuple[str, ...] = Field((), description="Benchmark files (.jsonl, .json, .txt, .md, also .gz).")
    holdout: bool = Field(True, description="Compare with the hold-out.")
    min_overlap: Share = Field(
        0.0, ge=0, le=1, description="Drop a record only if at least this share of its words is repeated; 0%: any run."
    )
    common: int = Field(
        10,
        ge=1,
        description="A run in more groups (or more items of a benchmark) than this is boilerplate, not a leak.",
    )


class Decontaminate(Stage):
    """Drops training records that share a run of `ngram` words with a held-out record or a benchmark item.

    Groups never cross the split, so every held-out record is of another group. A held-out record or benchmark text of
    8 words or more, but fewer than `ngram`, counts as one run. Boilerplate is no leak: a run of the hold-out in more
    than `common` groups of the corpus, or a run in more than `common` items of its benchmark. Groups are counted
    within shards: one that spans two counts twice; where one group of a shard has a run, it counts only if held out.
    """

    name = "decontaminate"
    version = 2
    file_settings = ("against",)
    Settings = DecontaminateSettings

    def survey(self, records: Iterable[Record], ctx: StageContext) -> pa.Table:
        """The runs of held-out records, and those in two or more groups of the shard, with their number of groups."""
        import numpy as np
        import pyarrow as pa

        groups: dict[str, int] = {}
        owner_of: list[int] = []
        held: list[bool] = []

        def texts() -> Iterator[str]:
            for record in records:
                owner_of.append(groups.setdefault(record.group or record.id, len(groups)))
                held.append(record.side == HOLDOUT)
                yield record.text if ctx.settings.holdout else ""

        found = evidence(texts(), ctx.settings.ngram)
        hashes, words, counts = spread(found, np.array(owner_of, np.int64))
        is_held = np.isin(hashes, found.hashes[np.array(held, bool)[found.text_of]])
        keep = is_held | (counts > 1)
        return pa.table(
            {
                "hash": pa.array(hashes[keep]),
                "words": pa.array(words[keep]),
                "groups": pa.array(counts[keep]),
                "held": pa.array(is_held[keep]),
            }
        )

    def decide(self, surveys: Sequence[Survey], ctx: StageContext) -> Decision:
        """One table of all runs that must not be trained on. Memory: about 50 bytes for each run that is surveyed.

        Raises UsageError for a benchmark file that cannot be read or holds nothing of 8 words.
        """
        import polars as pl

        frames = [_empty()]
        notes: dict[str, Any] = {}
        if ctx.settings.holdout and surveys:
            runs = pl.concat([pl.read_parquet(survey.path, glob=False) for survey in surveys])
            total = runs.group_by("hash").agg(pl.col("words").first(), pl.col("groups").sum(), pl.col("held").any())
            held = total.filter(pl.col("held"))
            leaks = held.filter(pl.col("groups") <= ctx.settings.common)
            notes[HOLDOUT] = {"runs": len(leaks), "boilerplate": len(held) - len(leaks)}
            frames.append(leaks.select("hash", "words", pl.lit(HOLDOUT).alias("origin")))
        for name, path in _benchmarks(ctx):
            frame, notes[name] = _benchmark(name, path, ctx)
            frames.append(frame)
        shared = pl.concat(frames).sort("origin", "words", "hash")
        return Decision(shared=shared.to_arrow(compat_level=pl.CompatLevel.oldest()), notes=notes)

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Drop training records that repeat a run; held-out records pass."""
        if ctx.shared is None or not ctx.shared.num_rows:
            yield from records
            return
        index = LeakIndex(ctx.shared)
        for batch in in_batches(records, lambda record: len(record.text), BATCH_CHARS):
            yield from _checked(batch, index, ctx)


def _checked(batch: list[Record], index: LeakIndex, ctx: StageContext) -> Iterator[Item]:
    leaks = index.leaks(["" if record.side == HOLDOUT else record.text for record in batch])
    for position, record in enumerate(batch):
        leak = leaks.get(position)
        if leak is None or leak.covered < ctx.settings.min_overlap:
            yield record
            continue
        for origin in leak.hits:
            ctx.count(record.source, f"contaminated:{origin}")
        origin = max(sorted(leak.hits), key=lambda name: leak.hits[name])
        detail = {"benchmark": origin, "hits": leak.hits[origin]}
        yield Dropped(record, "contaminated", leak.covered, ctx.settings.min_overlap, detail)


def _empty() -> Any:
    import polars as pl

    return pl.DataFrame(schema={"hash": pl.UInt64, "words": pl.UInt8, "origin": pl.String})


def _benchmarks(ctx: StageContext) -> list[tuple[str, Path]]:
    """Each benchmark's name and file: the file's name, without suffixes where they tell nothing, behind as many of its
    folders as tell it from the others; never where the workspace lies.
    """
    files = [PurePosixPath(entry) for entry in dict.fromkeys(ctx.settings.against)]
    stems = [file.with_name(file.name.split(".")[0]) for file in files]
    chosen = [stem if stems.count(stem) == 1 else file for file, stem in zip(files, stems, strict=True)]
    return [(_told_apart(name, chosen), Path(file)) for file, name in zip(files, chosen, strict=True)]


def _told_apart(path: PurePosixPath, among: Sequence[PurePosixPath]) -> str:
    """The shortest end of a path that no other path ends in."""
    tails = (path.parts[-size:] for size in range(1, len(path.parts) + 1))
    others = [other.parts for other in among if other != path]
    alone = (tail for tail in tails if tail != (HOLDOUT,) and all(other[-len(tail) :] != tail for other in others))
    return "/".join(next(alone, path.parts))


def _benchmark(name: str, path: Path, ctx: StageContext) -> tuple[Any, dict[str, int]]:
    import numpy as np
    import polars as pl

    items = benchmark_items(path)
    hashes, words, counts = spread(evidence(items, ctx.settings.ngram), np.arange(len(items)))
    if not len(hashes):
        raise UsageError(f"benchmark {name} has no text of 8 words or more.", where="decontaminate")
    keep = counts <= ctx.settings.common
    frame = pl.DataFrame({"hash": hashes[keep], "words": words[keep]}).with_columns(pl.lit(name).alias("origin"))
    return frame, {"items": len(items), "runs": int(keep.sum()), "boilerplate": int((~keep).sum())}
