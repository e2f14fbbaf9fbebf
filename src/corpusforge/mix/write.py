"""Writes a mix: plans each output, takes the chosen records from the shards, and writes them in one global order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusforge.errors import NotConserved
from corpusforge.mix.plan import LeafPlan, MixPlan
from corpusforge.mix.rows import make_row, schema
from corpusforge.mix.shuffle import position
from corpusforge.mix.sort import OutputFile, Sorter
from corpusforge.mix.stock import LeftOut, Stock, plan_output, read_stock
from corpusforge.mix.tree import leaves
from corpusforge.mix_tree import OutputTree
from corpusforge.record import SYNTHETIC, Record
from corpusforge.shards import from_row

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from corpusforge.recipe import Recipe

SHARD_BYTES = 256_000_000
_BATCH_ROWS = 512


@dataclass(frozen=True, slots=True)
class MixSpec:
    """What to mix: the trees of the outputs, the seed of choice and order, and characters of text in one file."""

    completion: OutputTree | None
    instruct: OutputTree | None
    seed: int
    shard_bytes: int = SHARD_BYTES

    def outputs(self) -> tuple[OutputTree, ...]:
        """The outputs that are wanted."""
        return tuple(tree for tree in (self.completion, self.instruct) if tree is not None)


@dataclass(frozen=True, slots=True)
class OutputReport:
    """One output as written: its plan, files, the largest record of each leaf, and rows it could not draw from."""

    plan: MixPlan
    files: tuple[OutputFile, ...]
    largest: Mapping[str, int]
    left_out: LeftOut

    def to_json(self) -> dict[str, Any]:
        """As it stands in the manifest. Amounts are tokens; shares are of the whole output, from 0 to 1."""
        return {
            "wanted_tokens": self.plan.total,
            "got_tokens": self.plan.tokens,
            "rows": self.plan.rows,
            "unit": "tokens",
            "max_epochs": float(self.plan.max_epochs),
            "binding": self.plan.binding.name,
            "leaves": [self._leaf(leaf) for leaf in self.plan.leaves],
            "left_out": {"unnamed": self.left_out.unnamed, "formless": self.left_out.formless},
            "files": [file.to_json() for file in self.files],
        }

    def _leaf(self, leaf: LeafPlan) -> dict[str, Any]:
        return {
            "path": list(leaf.path),
            "share_wanted": leaf.wanted / max(1, self.plan.total),
            "share_got": leaf.got / max(1, self.plan.tokens),
            "wanted": leaf.wanted,
            "got": leaf.got,
            "have": leaf.have,
            "epochs": float(leaf.epochs),
            "records": leaf.rows,
            "largest_record": self.largest[leaf.name],
            "synthetic": leaf.name in SYNTHETIC,
        }


def build_mix(shards: Sequence[Path], recipe: Recipe, out: Path) -> dict[str, Any]:
    """Write the outputs of a recipe into `out`; what the manifest says of them."""
    reports = write_mix(shards, MixSpec(recipe.completion, recipe.instruct, recipe.spec.seed), out)
    return {name: report.to_json() for name, report in reports.items()}


def write_mix(shards: Sequence[Path], spec: MixSpec, out: Path) -> dict[str, OutputReport]:
    """Write `out/completion/` and `out/instruct/` from record shards; a report for each.

    The bytes written depend on the records, the trees and the seed, not on how the records are spread over shards.
    Memory is bounded by one bucket of rows and 32 bytes a record. Raises InfeasibleMix, and StepFailed for records
    without token counts or with equal ids.
    """
    planned: list[tuple[OutputTree, dict[str, Stock], LeftOut, MixPlan]] = []
    for tree in spec.outputs():
        named = [leaf.name for _, leaf in leaves(tree.root)]
        stocks, left_out = read_stock(shards, tree.name, named, spec.seed)
        planned.append((tree, stocks, left_out, plan_output(tree, stocks)))
    reports: dict[str, OutputReport] = {}
    for tree, stocks, left_out, plan in planned:
        files = _write_output(shards, tree, stocks, plan, spec, out)
        largest = {name: stock.largest for name, stock in stocks.items()}
        reports[tree.name] = OutputReport(plan, tuple(files), largest, left_out)
    return reports


def _write_output(
    shards: Sequence[Path], tree: OutputTree, stocks: Mapping[str, Stock], plan: MixPlan, spec: MixSpec, out: Path
) -> list[OutputFile]:
    chosen = _chosen(stocks, plan, len(shards))
    # A token is one byte at least (tokenizer `bytes`) and about four in English: too many buckets only cost files.
    expected = 4 * plan.tokens
    with Sorter(out / tree.name, schema(tree.name), expected_bytes=expected, shard_bytes=spec.shard_bytes) as sorter:
        for path, (rows, times) in zip(shards, chosen, strict=True):
            for record, of in _records(path, rows, times):
                row, size = make_row(record, tree.name)
                for repeat in range(of):
                    sorter.add({**row, "repeat": repeat}, position(spec.seed, record.id, repeat, of), size)
        files = sorter.finish()
    written = (sum(file.rows for file in files), sum(file.tokens for file in files))
    if written != (plan.rows, plan.tokens):
        what = f"planned {plan.rows} rows with {plan.tokens} tokens, but wrote {written[0]} with {written[1]}."
        raise NotConserved(what, where=f"mix.{tree.name}")
    return files


def _chosen(
    stocks: Mapping[str, Stock], plan: MixPlan, shards: int
) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """For each shard the rows to take, ascending, and how many times to take each."""
    import numpy as np

    parts: list[npt.NDArray[np.int64]] = [np.empty((0, 3), dtype=np.int64)]
    for leaf in plan.leaves:
        stock, draw = stocks[leaf.name], leaf.draw
        times = np.full(len(stock.tokens), draw.passes, dtype=np.int64)
        times[: draw.prefix] += 1
        parts.append(np.stack([stock.shard, stock.row, times], axis=1)[times > 0])
    table = np.concatenate(parts)
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    bounds = np.searchsorted(table[:, 0], np.arange(shards + 1))
    return [(table[a:b, 1], table[a:b, 2]) for a, b in pairwise(bounds.tolist())]


def _records(path: Path, rows: npt.NDArray[np.int64], times: npt.NDArray[np.int64]) -> Iterator[tuple[Record, int]]:
    """The chosen records of a shard with their times; only they become Python objects."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not len(rows):
        return
    start = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            a, b = np.searchsorted(rows, (start, start + batch.num_rows))
            if a < b:
                for row, of in zip(batch.take(pa.array(rows[a:b] - start)).to_pylist(), times[a:b], strict=True):
                    yield from_row(row), int(of)
            start += batch.num_rows
