"""Proves that nothing of the hold-out is in training: by id, by runs of words, and by near-duplicate search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from corpusforge.curate.holdout_copies import Text, copies
from corpusforge.errors import StepFailed
from corpusforge.record import SYNTHETIC, Record
from corpusforge.shards import Shard, read_records, read_table

HINT = "A stage after holdout changed group, parents, side or text."
_BATCH = 2_000
COPY = 0.8


def check_sides(shards: Sequence[Shard]) -> dict[str, int]:
    """Prove that no group and no parent stands on both sides. Raises StepFailed with the ids otherwise."""
    from corpusforge.curate.holdout_check import side_violations

    held: set[str] = set()

    def rows() -> Iterator[tuple[str, str, Sequence[str], str]]:
        for shard in shards:
            with pq.ParquetFile(shard.path) as file:
                for batch in file.iter_batches(columns=["id", "group", "parents", "side"]):
                    for row in batch.to_pylist():
                        if row["side"] == "holdout":
                            held.add(row["group"])
                        yield row["id"], row["group"], row["parents"], row["side"]

    violations = side_violations(rows())
    if violations:
        what = f"{len(violations)} groups or parents are on both sides of the split, such as {violations[0]}."
        raise StepFailed(what, where="holdout", hint=HINT)
    return {"holdout_groups": len(held), "violations": 0}


def check_copies(shards: Sequence[Shard], steps: Sequence[Mapping[str, Any]], runs: Path | None) -> dict[str, int]:
    """Prove that no training record or row repeats the hold-out: no run of words that decontamination forbids, no
    near-duplicate text, no question in almost the same words.

    `steps` are the manifest's: each search is made where the recipe has the stage that should leave nothing to find,
    with that stage's settings, and told as `searched_<what>`; what is boilerplate there is boilerplate here. `runs` is
    decontamination's table. Raises StepFailed with ids and counts, never text. Memory: 8 bytes for each word of the
    hold-out and 3 kB for each of its rows.
    """
    settings = {step["stage"]: step["settings"] for step in steps}
    told: dict[str, int] = {}
    found: list[str] = []
    if runs is not None and "decontaminate" in settings and settings["decontaminate"]["holdout"]:
        repeats = _runs(shards, runs, settings["decontaminate"]["min_overlap"])
        told["searched_runs"] = 1
        found += [f"{one} shares a run of words with the hold-out" for one in repeats]
    if "dedup" in settings and "holdout" in settings:
        common = settings.get("decontaminate", {}).get("common", 10)
        least = max(COPY, float(settings["dedup"]["similarity"]))
        told["searched_copies"] = 1
        near = copies(_texts(shards, "holdout"), lambda: _texts(shards, "train"), least, common)
        found += [f"{one.id} is a near-duplicate of {one.held}, which is held out" for one in near]
    if "alike" in settings:
        from corpusforge.generate.held_questions import repeated_questions

        told["searched_questions"] = 1
        asked = repeated_questions(
            _rows(shards, "holdout"), _rows(shards, "train"), float(settings["alike"]["similarity"])
        )
        found += [f"{row} asks what {held} asks, which is held out" for row, held in asked]
    if found:
        what = f"{len(found)} training records repeat the hold-out, such as: {found[0]}."
        raise StepFailed(what, where="holdout", hint=HINT)
    return told


def _runs(shards: Sequence[Shard], runs: Path, overlap: float) -> list[str]:
    """Ids of training records and rows that repeat a run of the hold-out which is no boilerplate."""
    import pyarrow.compute as pc

    from corpusforge.curate.leakage import LeakIndex

    table = read_table(runs)
    table = table.filter(pc.equal(table["origin"], "holdout"))
    if not table.num_rows:
        return []
    index = LeakIndex(table)
    found: list[str] = []
    rows = _columns(shards, "train")
    while batch := list(islice(rows, _BATCH)):
        leaks = index.leaks([text for _, _, text, _ in batch])
        found += [batch[place][0] for place, leak in leaks.items() if leak.covered >= overlap]
    return sorted(found)


def _columns(shards: Sequence[Shard], side: str) -> Iterator[tuple[str, str, str, str]]:
    """Id, group, text and kind of the records of a side."""
    for shard in shards:
        with pq.ParquetFile(shard.path) as file:
            for batch in file.iter_batches(columns=["id", "group", "text", "kind", "side"], batch_size=512):
                for row in batch.to_pylist():
                    if row["side"] == side:
                        yield row["id"], row["group"], row["text"], row["kind"]


def _texts(shards: Sequence[Shard], side: str) -> Iterator[Text]:
    """The texts that were not made here: rows hold their parents' words, and their questions are compared."""
    return (Text(i, g, text) for i, g, text, kind in _columns(shards, side) if kind not in SYNTHETIC)


def _rows(shards: Sequence[Shard], side: str) -> Iterable[Record]:
    for shard in shards:
        yield from (record for record in read_records(shard.path) if record.kind in SYNTHETIC and record.side == side)
