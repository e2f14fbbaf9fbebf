"""Turns packed sequences into the rows that other trainers read: labels, positions, and numbers of documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

IGNORED = -100
# One row of a row group of packed files, with the length that sequences are packed to and the id behind their ends.
Rows = Callable[["pa.Table", int, int], "pa.Table"]


def whole_sequences(table: pa.Table, length: int, fill: int) -> pa.Table:
    """A row a sequence with all that is known: `labels` are the ids, or -100 where a token weighs nothing in the loss;
    `position_ids` restart at each document.
    """
    import pyarrow as pa

    sequences = _Sequences(table)
    return pa.table(
        {
            "source": table["source"],
            "input_ids": table["input_ids"],
            "labels": sequences.spread(sequences.labels),
            "position_ids": sequences.spread(sequences.positions),
            "seq_lengths": table["seq_lengths"],
            "loss_weights": table["loss_weights"],
            "ids": table["ids"],
            "repeats": table["repeats"],
        }
    )


def trl_sequences(table: pa.Table, length: int, fill: int) -> pa.Table:
    """A row a sequence with the columns that TRL's collator reads; it makes positions from `seq_lengths`."""
    return whole_sequences(table, length, fill).select(["source", "input_ids", "labels", "seq_lengths"])


def numbered_sequences(table: pa.Table, length: int, fill: int) -> pa.Table:
    """A row a sequence, filled to `length`: `attention_mask` numbers its documents from 1 and is 0 in the filling, as
    LLaMA-Factory's neat packing has it.
    """
    import numpy as np
    import pyarrow as pa

    sequences = _Sequences(table)
    n = len(sequences.ends)
    at = np.repeat(np.arange(n) * length - sequences.begins, sequences.ends - sequences.begins)
    places = at + np.arange(len(sequences.ids))
    numbers = np.repeat(sequences.number, sequences.sizes)

    def filled(values: npt.NDArray[Any], filling: int) -> pa.Array:
        flat = np.full(n * length, filling, dtype=np.int32)
        flat[places] = values
        return _lists(np.arange(n + 1) * length, flat)

    return pa.table(
        {
            "input_ids": filled(sequences.ids, fill),
            "attention_mask": filled(numbers, 0),
            "position_ids": filled(sequences.positions, 0),
            "labels": filled(sequences.labels, IGNORED),
        }
    )


def single_documents(table: pa.Table, length: int, fill: int) -> pa.Table:
    """A row a document (or piece of one that fills a sequence), in the same order; `attention_mask` is 1 throughout."""
    import numpy as np
    import pyarrow as pa

    sequences = _Sequences(table)
    bounds = np.concatenate([[0], np.cumsum(sequences.sizes)])
    return pa.table(
        {
            "input_ids": _lists(bounds, sequences.ids),
            "attention_mask": _lists(bounds, np.ones(len(sequences.ids), dtype=np.int32)),
            "labels": _lists(bounds, sequences.labels),
        }
    )


def fractions(table: pa.Table) -> int:
    """Tokens whose weight in the loss is neither 0 nor 1."""
    import numpy as np

    weights = table["loss_weights"].combine_chunks().flatten().to_numpy()
    return int(np.count_nonzero((weights != 0) & (weights != 1)))


def learned(table: pa.Table) -> int:
    """Labels that are not ignored."""
    import numpy as np

    return int(np.count_nonzero(table["labels"].combine_chunks().flatten().to_numpy() != IGNORED))


ROWS: Mapping[str, Rows] = {
    "datasets": whole_sequences,
    "trl": trl_sequences,
    "llama-factory": numbered_sequences,
    "axolotl": single_documents,
}


class _Sequences:
    """A row group as flat arrays: n tokens (`ids`, `labels`, `positions`), `sizes` of k pieces with their `number` in
    their sequence from 1, and where each sequence `begins` and `ends` among the tokens.
    """

    def __init__(self, table: pa.Table) -> None:
        import numpy as np

        self._tokens = table["input_ids"].combine_chunks()
        bounds = _bounds(self._tokens)
        self.begins, self.ends = bounds[:-1], bounds[1:]
        self.ids: npt.NDArray[np.int32] = self._tokens.flatten().to_numpy()
        weights = table["loss_weights"].combine_chunks().flatten().to_numpy()
        self.labels = np.where(weights != 0, self.ids, np.int32(IGNORED))
        lengths = table["seq_lengths"].combine_chunks()
        self.sizes = lengths.flatten().to_numpy()
        pieces = _bounds(lengths)
        self.number = np.arange(len(self.sizes)) - np.repeat(pieces[:-1], np.diff(pieces)) + 1
        firsts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        self.positions = (np.arange(len(self.ids)) - np.repeat(firsts, self.sizes)).astype(np.int32)

    def spread(self, values: npt.NDArray[Any]) -> pa.Array:
        """Flat values of tokens as lists of sequences."""
        import numpy as np

        return _lists(np.concatenate([[0], self.ends]), values)


def _bounds(lists: Any) -> npt.NDArray[np.int64]:
    import numpy as np
    import pyarrow.compute as pc

    return np.concatenate([[0], np.cumsum(pc.list_value_length(lists).to_numpy())])


def _lists(bounds: npt.NDArray[Any], values: npt.NDArray[Any]) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    return pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), pa.array(values.astype(np.int32)))
