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
from corpusforge.mix.shuffle import sample_key
from corpusforge.mix.tree import leaves
from corpusforge.mix_tree import OutputTree
from corpusforge.record import SYNTHETIC

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

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
    values = {name: array("q") for name in named}
    left_out = LeftOut()
    for number, path in enumerate(shards):
        for row, identity, name, tokens in _rows(path, form, named, left_out):
            if tokens < 0:
                what = "a record has no token count."
                raise StepFailed(what, where=path.name, hint="Run the stage tokens before mix.")
            keys[name].append(sample_key(seed, identity))
            values[name].extend((tokens, number, row))
    stocks: dict[str, Stock] = {}
    for name in named:
        order = np.argsort(np.asarray(keys[name], dtype=np.uint64))
        ordered = np.asarray(keys.pop(name), dtype=np.uint64)[order]
        if bool((ordered[1:] == ordered[:-1]).any()):
            raise StepFailed("two records have the same id.", where=f"mix: {name}", hint="Ids must be unique.")
        table = np.asarray(values.pop(name), dtype=np.int64).reshape(-1, 3)[order]
        stocks[name] = Stock(table[:, 0], table[:, 1], table[:, 2])
    return stocks, left_out


def _rows(path: Path, form: Form, named: Collection[str], left_out: LeftOut) -> Iterator[tuple[int, str, str, int]]:
    import pyarrow.parquet as pq

    start = 0
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            columns = file.read_row_group(group, columns=_COLUMNS).to_pydict()
            # The count of a record's other form stands in meta, which is only read where it is needed.
            other = any(own_form_of(kind) != form for kind in set(columns["kind"]))
            metas = file.read_row_group(group, columns=["meta"]).column("meta").to_pylist() if other else None
            zipped = zip(*(columns[name] for name in _COLUMNS), strict=True)
            for index, (identity, source, kind, side, tokens) in enumerate(zipped):
                if side != "train":
                    continue
                name = leaf_name(source, kind)
                if name not in named:
                    left_out.unnamed[name] = left_out.unnamed.get(name, 0) + 1
                elif own_form_of(kind) == form:
                    yield start + index, identity, name, tokens
                elif metas is not None and (count := _other(metas[index], form)) is not None:
                    yield start + index, identity, name, count
                else:
                    left_out.formless[name] = left_out.formless.get(name, 0) + 1
            start += len(columns["id"])


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
