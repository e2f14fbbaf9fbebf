"""Tokens on their way to packed files: kept on disk in the order of the mix, gathered in the order of training."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from corpusforge.mix.packed_bins import Packing
from corpusforge.mix.packed_documents import Document
from corpusforge.mix.packed_tokens import Tokens
from corpusforge.mix.sort import OutputFile
from corpusforge.shards import commit, sha256_file

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

FILE_TOKENS = 64_000_000
_GROUP_ROWS = 64


@dataclass(slots=True)
class Documents:
    """Tokenised documents in their order: what is known of each, and where its tokens begin in `tokens` and `roles`."""

    ids: list[str]
    source: list[str]
    repeat: array[int]
    sizes: array[int]
    bytes: array[int]
    first: array[int]
    tokens: npt.NDArray[np.int32]
    roles: npt.NDArray[np.int8]


class Scratch:
    """Takes documents one by one; their tokens go to two files in `folder`, five bytes each, and a record's repeats
    share them. Used as a context.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = (folder / "ids.bin", folder / "roles.bin")
        self._files = [path.open("wb") for path in self._paths]
        self._places: dict[str, int] = {}
        self._ids: list[str] = []
        self._source: list[str] = []
        self._counts = (array("i"), array("q"), array("q"), array("q"))
        self._written = 0

    def __contains__(self, record: str) -> bool:
        return record in self._places

    def add(self, document: Document, tokens: Tokens | None) -> int:
        """Append a document, with no tokens if its record was there before; the number of its tokens."""
        repeat, sizes, bytes_, first = self._counts
        before = self._places.setdefault(document.id, len(self._ids))
        if tokens is not None:
            self._files[0].write(tokens.ids.tobytes())
            self._files[1].write(tokens.roles.tobytes())
            known = (len(tokens.ids), document.bytes, self._written)
            self._written += len(tokens.ids)
        else:
            known = (sizes[before], bytes_[before], first[before])
        # The first row's string stands for all: a mix has many repeats, and ids are most of what is held.
        self._ids.append(self._ids[before] if before < len(self._ids) else document.id)
        self._source.append(document.source)
        repeat.append(document.repeat)
        for column, value in zip((sizes, bytes_, first), known, strict=True):
            column.append(value)
        return known[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files:
            file.close()

    def documents(self) -> Documents:
        """All documents; asked for when the files are closed."""
        import numpy as np

        repeat, sizes, bytes_, first = self._counts
        # A file of no bytes cannot be mapped.
        there = self._written > 0
        tokens = np.memmap(self._paths[0], dtype=np.int32, mode="r") if there else np.empty(0, dtype=np.int32)
        roles = np.memmap(self._paths[1], dtype=np.int8, mode="r") if there else np.empty(0, dtype=np.int8)
        return Documents(self._ids, self._source, repeat, sizes, bytes_, first, tokens, roles)


def packed_schema() -> pa.Schema:
    """The columns of packed files; a row is one sequence.

    `seq_lengths` are the tokens of each document (or piece of one) in it: positions restart and attention ends there.
    `loss_weights` weigh the prediction *of* a token, so that each piece begins with 0; `roles` index the manifest's
    list. Of each piece `ids` is the record, `repeats` its epoch, `starts` its first token in the record of `sizes`
    tokens and `bytes` of UTF-8 (told with its first piece, else 0).
    """
    import pyarrow as pa

    numbers = [("seq_lengths", pa.int32()), ("repeats", pa.int32()), ("starts", pa.int64()), ("sizes", pa.int64())]
    tokens = [("input_ids", pa.int32()), ("loss_weights", pa.float32()), ("roles", pa.int8())]
    lists = [*tokens, *numbers, ("bytes", pa.int64()), ("ids", pa.string())]
    return pa.schema([("source", pa.string()), *((name, pa.list_(kind)) for name, kind in lists)])


def write_sequences(
    documents: Documents,
    sources: Sequence[str],
    packings: Mapping[str, Packing],
    places: npt.NDArray[np.int32],
    weights: Mapping[str, Sequence[float]],
    folder: Path,
) -> list[dict[str, Any]]:
    """Write `folder/train-00000-of-000NN.parquet`: place p holds the next sequence of `sources[places[p]]`.

    `weights` has each source's loss weight by role. Files end by their tokens alone; what the manifest says of them.
    """
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    taken = dict.fromkeys(sources, 0)
    lengths = {source: packings[source].tokens() for source in sources}
    parts: list[tuple[Path, int, int]] = []
    place = 0
    while place < len(places):
        path = folder / f".{len(parts):05d}.tmp"
        rows = tokens = 0
        with pq.ParquetWriter(path, packed_schema(), compression="zstd", compression_level=3) as writer:
            while place < len(places) and tokens < FILE_TOKENS:
                group: list[tuple[str, int]] = []
                for source in (sources[int(number)] for number in places[place : place + _GROUP_ROWS]):
                    group.append((source, taken[source]))
                    tokens += int(lengths[source][taken[source]])
                    taken[source] += 1
                writer.write_table(_table(documents, packings, group, weights), row_group_size=_GROUP_ROWS)
                place += len(group)
                rows += len(group)
        parts.append((path, rows, tokens))
    made: list[dict[str, Any]] = []
    for number, (path, rows, tokens) in enumerate(parts):
        final = folder / f"train-{number:05d}-of-{len(parts):05d}.parquet"
        commit(path, final)
        name = final.relative_to(folder.parents[1]).as_posix()
        made.append(OutputFile(name, sha256_file(final), rows, tokens, final.stat().st_size).to_json())
    return made


def _table(
    documents: Documents,
    packings: Mapping[str, Packing],
    group: Sequence[tuple[str, int]],
    weights: Mapping[str, Sequence[float]],
) -> pa.Table:
    import numpy as np

    columns: dict[str, list[Any]] = {name: [] for name in packed_schema().names}
    for source, number in group:
        packing = packings[source]
        pieces = packing.pieces(number)
        rows = [packing.row[piece] for piece in pieces]
        starts = [packing.start[piece] for piece in pieces]
        sizes = [packing.size[piece] for piece in pieces]
        spans = [
            slice(documents.first[row] + start, documents.first[row] + start + size)
            for row, start, size in zip(rows, starts, sizes, strict=True)
        ]
        roles = np.concatenate([documents.roles[span] for span in spans])
        weight = np.asarray(weights[source], dtype=np.float32)[roles]
        weight[np.cumsum([0, *sizes[:-1]])] = 0
        columns["source"].append(source)
        columns["input_ids"].append(np.concatenate([documents.tokens[span] for span in spans]))
        columns["loss_weights"].append(weight)
        columns["roles"].append(roles)
        columns["seq_lengths"].append(sizes)
        columns["repeats"].append([documents.repeat[row] for row in rows])
        columns["starts"].append(starts)
        columns["sizes"].append([documents.sizes[row] for row in rows])
        columns["bytes"].append([0 if start else documents.bytes[row] for row, start in zip(rows, starts, strict=True)])
        columns["ids"].append([documents.ids[row] for row in rows])
    return _arrow(columns)


def _arrow(columns: Mapping[str, Sequence[Any]]) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    made = []
    for field in packed_schema():
        values = columns[field.name]
        if field.name == "source":
            made.append(pa.array(values, type=field.type))
            continue
        offsets = np.cumsum([0, *(len(value) for value in values)]).astype(np.int32)
        flat = np.concatenate(values) if field.name != "ids" else [one for value in values for one in value]
        made.append(pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat, type=field.type.value_type)))
    return pa.Table.from_arrays(made, schema=packed_schema())
