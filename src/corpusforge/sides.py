"""Proves that nothing of the hold-out is in training: by id, by runs of words, and by near-duplicate search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from corpusforge.curate.decontaminate import DecontaminateSettings
from corpusforge.curate.holdout_copies import Text, copies
from corpusforge.curate.leakage import LeakIndex, evidence
from corpusforge.errors import StepFailed
from corpusforge.record import SYNTHETIC, Record
from corpusforge.shards import Shard, read_records, read_table

HINT = "A stage after holdout changed group, parents, side or text"
LACKING = ", or the recipe lacks one that takes repeats out: {}."
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
        raise StepFailed(what, where="holdout", hint=f"{HINT}.")
    return {"holdout_groups": len(held), "violations": 0}


def check_copies(shards: Sequence[Shard], steps: Sequence[Mapping[str, Any]], runs: Path | None) -> dict[str, int]:
    """Prove that no training record or row repeats the hold-out: no run of words that decontamination forbids, no
    near-duplicate text, no question in almost the same words.

    `steps` are the manifest's. Runs and near-duplicates are searched wherever something is held out, with the settings
    of the stage that should leave nothing to find (`decontaminate`, `dedup`), or with its defaults where the recipe
    lacks it; `decontaminate: {holdout: false}` leaves runs out. Questions are searched where the recipe has `alike`.
    Each is told as `searched_<what>`; what is boilerplate there is boilerplate here. `runs` is decontamination's table.
    Raises StepFailed with ids and counts, never text. Memory: 8 bytes for each word of the hold-out, 100 where runs
    are counted here, and 3 kB for each of its rows.
    """
    settings = {step["stage"]: step["settings"] for step in steps}
    held = any(map(_holds_out, shards))
    lacking = [name for name in ("dedup", "decontaminate") if held and name not in settings]
    defaults = DecontaminateSettings()
    common = int(settings.get("decontaminate", {}).get("common", defaults.common))
    told: dict[str, int] = {}
    found: list[str] = []
    if "decontaminate" in lacking:
        repeats = _runs(shards, forbidden_runs(shards, defaults.ngram, common), defaults.min_overlap)
        told["searched_runs"] = 1
        found += [f"{one} shares a run of words with the hold-out" for one in repeats]
    elif runs is not None and "decontaminate" in settings and settings["decontaminate"]["holdout"]:
        repeats = _runs(shards, read_table(runs), settings["decontaminate"]["min_overlap"])
        told["searched_runs"] = 1
        found += [f"{one} shares a run of words with the hold-out" for one in repeats]
    if held or ("dedup" in settings and "holdout" in settings):
        least = max(COPY, float(settings.get("dedup", {}).get("similarity", COPY)))
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
        more = LACKING.format(", ".join(lacking)) if lacking else "."
        raise StepFailed(what, where="holdout", hint=f"{HINT}{more}")
    return told


def _holds_out(shard: Shard) -> bool:
    """Whether a record of a shard is held out; reads its sides alone."""
    with pq.ParquetFile(shard.path) as file:
        return any("holdout" in batch.column(0).unique().to_pylist() for batch in file.iter_batches(columns=["side"]))


def forbidden_runs(shards: Sequence[Shard], ngram: int, common: int) -> pa.Table:
    """The runs of `ngram` words of held-out texts in at most `common` groups of the corpus, as decontamination tells
    them: `hash`, `words`, `origin`. What is in more groups is boilerplate."""
    import numpy as np

    hashes, words = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint8)]
    for _, texts in _batches(shards, "holdout"):
        own = evidence(texts, ngram)
        hashes.append(own.hashes)
        words.append(own.words)
    known, first = np.unique(np.concatenate(hashes), return_index=True)
    lengths = np.concatenate(words)[first]
    rare = np.ones(len(known), bool)
    # A run and a group in one number: groups are numbered as they come, fewer than 2**32.
    seen = np.zeros(0, np.uint64)
    numbers: dict[str, int] = {}
    for side in ("holdout", "train") if len(known) else ():
        for groups, texts in _batches(shards, side):
            owners = np.array([numbers.setdefault(group, len(numbers)) for group in groups], np.uint64)
            own = evidence(texts, ngram)
            place = np.minimum(np.searchsorted(known, own.hashes), len(known) - 1)
            met = (known[place] == own.hashes) & rare[place]
            pairs = place[met].astype(np.uint64) << np.uint64(32) | owners[own.text_of[met]]
            if not len(pairs):
                continue
            seen = np.union1d(seen, pairs)
            counts = np.bincount((seen >> np.uint64(32)).astype(np.int64), minlength=len(known))
            rare &= counts <= common
            # What is boilerplate by now stays so, and is forgotten.
            seen = seen[rare[(seen >> np.uint64(32)).astype(np.int64)]]
    return pa.table({"hash": known[rare], "words": lengths[rare], "origin": ["holdout"] * int(rare.sum())})


def _batches(shards: Sequence[Shard], side: str) -> Iterator[tuple[list[str], list[str]]]:
    """Groups and texts of a side's records that were not made here."""
    rows = _texts(shards, side)
    while batch := list(islice(rows, _BATCH)):
        yield [text.group or text.id for text in batch], [text.text for text in batch]


def _runs(shards: Sequence[Shard], table: pa.Table, overlap: float) -> list[str]:
    """Ids of training records and rows that repeat a run of the hold-out which is no boilerplate."""
    import pyarrow.compute as pc

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
