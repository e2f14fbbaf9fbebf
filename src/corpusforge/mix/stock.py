"""What the shards hold for a mix: each leaf's records in stable order, read from ids and token counts alone."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from corpusforge.errors import StepFailed
from corpusforge.mix.plan import MixPlan, Problem, Rows, Supply, Total, plan_mix
from corpusforge.mix.render import Form, own_form_of, tokens_key
from corpusforge.mix.shuffle import sample_keys
from corpusforge.mix.tree import leaves
from corpusforge.mix_tree import OutputTree
from corpusforge.record import SYNTHETIC

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

_COLUMNS = ["id", "source", "kind", "side", "tokens"]


@dataclass(frozen=True, slots=True)
class Stock:
    """One leaf's records in stable order: tokens of each, and where it lies (number of the shard, row in it)."""

    tokens: npt.NDArray[np.int64]
    shard: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]

    @property
    def largest(self) -> int:
        """Tokens of the largest record."""
        return int(self.tokens.max()) if len(self.tokens) else 0


@dataclass(slots=True)
class LeftOut:
    """Training rows that an output does not draw from, and why: no line names them, or they lack its form."""

    unnamed: dict[str, int] = field(default_factory=dict)
    formless: dict[str, int] = field(default_factory=dict)


def leaf_name(source: str, kind: str) -> str:
    """The leaf that a record belongs to: its kind if it is synthetic, else its source."""
    return kind if kind in SYNTHETIC else source


def read_stock(
    shards: Sequence[Path], form: Form, named: Collection[str], seed: int
) -> tuple[dict[str, Stock], LeftOut]:
    """The stock of every named leaf, held-out rows left aside; memory is about 32 bytes a record.

    Raises StepFailed for a record that was not counted and for two records with one id.
    """
    import numpy as np

    keys = {name: array("Q") for name in named}
    values: dict[str, list[npt.NDArray[np.int64]]] = {name: [] for name in named}
    left_out = LeftOut()
    for number, path in enumerate(shards):
        for name, identities, tokens, rows in _records(path, form, named, left_out):
            if len(tokens) and int(tokens.min()) < 0:
                what = "a record has no token count."
                raise StepFailed(what, where=path.name, hint="Run the stage tokens before mix.")
            keys[name].extend(sample_keys(seed, identities))
            values[name].append(np.stack([tokens, np.full(len(tokens), number, dtype=np.int64), rows], axis=1))
    stocks: dict[str, Stock] = {}
    for name in named:
        order = np.argsort(np.asarray(keys[name], dtype=np.uint64))
        ordered = np.asarray(keys.pop(name), dtype=np.uint64)[order]
        if bool((ordered[1:] == ordered[:-1]).any()):
            raise StepFailed("two records have the same id.", where=f"mix: {name}", hint="Ids must be unique.")
        table = np.concatenate([np.empty((0, 3), dtype=np.int64), *values.pop(name)])[order]
        stocks[name] = Stock(table[:, 0], table[:, 1], table[:, 2])
    return stocks, left_out


def _records(
    path: Path, form: Form, named: Collection[str], left_out: LeftOut
) -> Iterator[tuple[str, list[str], npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """For a leaf and a row group at a time: ids, tokens in the form, and rows of the shard. By whole columns, since a
    mix is looked at more often than it is written."""
    import numpy as np
    import pyarrow.parquet as pq

    start = 0
    with pq.ParquetFile(path, read_dictionary=["source", "kind", "side"]) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=_COLUMNS)
            (sources, source), (kinds, kind), (sides, side) = (_words(table, key) for key in ("source", "kind", "side"))
            train = np.asarray([one == "train" for one in sides], dtype=bool)[side]
            # Through lists: to_numpy imports pandas, which takes longer than most mixes.
            identities, tokens = table["id"].to_pylist(), np.asarray(table["tokens"].to_pylist(), dtype=np.int64)
            metas: list[str] | None = None
            for a, b in sorted(set(zip(source[train].tolist(), kind[train].tolist(), strict=True))):
                rows = np.nonzero(train & (source == a) & (kind == b))[0]
                name = leaf_name(sources[a], kinds[b])
                if name not in named:
                    left_out.unnamed[name] = left_out.unnamed.get(name, 0) + len(rows)
                    continue
                sizes = tokens[rows]
                if own_form_of(kinds[b]) != form:
                    # The count of a record's other form stands in meta, which is only read where it is needed.
                    metas = file.read_row_group(group, columns=["meta"])["meta"].to_pylist() if metas is None else metas
                    counts = [(row, _other(metas[row], form)) for row in rows.tolist()]
                    known = [(row, count) for row, count in counts if count is not None]
                    if missing := len(counts) - len(known):
                        left_out.formless[name] = left_out.formless.get(name, 0) + missing
                    rows = np.asarray([row for row, _ in known], dtype=np.int64)
                    sizes = np.asarray([count for _, count in known], dtype=np.int64)
                yield name, [identities[row] for row in rows.tolist()], sizes, rows + start
            start += table.num_rows


def _words(table: pa.Table, column: str) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The words of a column and, for each row, the number of its word."""
    import numpy as np

    words: list[str] = []
    numbers: list[npt.NDArray[np.int64]] = []
    for chunk in table[column].chunks:
        # A chunk may have its own dictionary.
        numbers.append(np.asarray(chunk.indices.to_pylist(), dtype=np.int64) + len(words))
        words.extend(chunk.dictionary.to_pylist())
    return words, np.concatenate(numbers) if numbers else np.empty(0, dtype=np.int64)


def _other(meta: str, form: Form) -> int | None:
    key = tokens_key(form)
    if key not in meta:
        return None
    values: dict[str, Any] = orjson.loads(meta)
    count = values.get(key)
    return int(count) if isinstance(count, int) else None


def plan_output(tree: OutputTree, stocks: Mapping[str, Stock]) -> MixPlan:
    """The plan of one output from its stock. Raises InfeasibleMix."""
    supplies = [Supply.of(name, stock.tokens.tolist()) for name, stock in stocks.items()]
    return plan_mix(tree.root, _total(tree), tree.max_epochs, supplies, f"mix.{tree.name}")


def problem_of_output(tree: OutputTree, supplies: Mapping[str, Supply]) -> Problem:
    """What one output asks of what each leaf has."""
    return Problem(tree.root, _total(tree), tree.max_epochs, supplies)


def _total(tree: OutputTree) -> Total:
    return "all" if tree.total is None else Rows(tree.total) if tree.unit == "rows" else tree.total


def plan_outputs(shards: Sequence[Path], trees: Sequence[OutputTree], seed: int) -> dict[str, MixPlan]:
    """The plans of some outputs without writing them: what a look at other ratios needs."""
    plans: dict[str, MixPlan] = {}
    for tree in trees:
        named = [leaf.name for _, leaf in leaves(tree.root)]
        plans[tree.name] = plan_output(tree, read_stock(sorted(shards), tree.name, named, seed)[0])
    return plans
