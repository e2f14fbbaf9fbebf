"""The documents that are packed: the rows of a mix in their order, and a sample of the held-out texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpusforge.mix.render import completion_text, own_form_of
from corpusforge.mix.shuffle import sample_key
from corpusforge.mix.stock import leaf_name
from corpusforge.record import SYNTHETIC, Message
from corpusforge.shards import from_row

_BATCH_ROWS = 512


@dataclass(frozen=True, slots=True)
class Document:
    """One document: `source` is its leaf of the mix (domain or public in the hold-out), `repeat` its epoch from 0 and
    `tokens` its count as the mix knows it, its end token included (-1 where it does not).
    """

    id: str
    source: str
    repeat: int
    tokens: int
    content: str | tuple[Message, ...]

    @property
    def bytes(self) -> int:
        """Bytes of the text in UTF-8; the contents of a conversation."""
        parts = [self.content] if isinstance(self.content, str) else [message.content for message in self.content]
        return sum(len(part.encode("utf-8", "surrogatepass")) for part in parts)


def mixed(shards: Sequence[Path], name: str, files: Sequence[Mapping[str, Any]], out: Path) -> Iterator[Document]:
    """The rows of an output (`completion` or `instruct`) that lies in `out`, in its order."""
    import pyarrow.parquet as pq

    kinds = _made(shards) if name == "instruct" else {}
    columns = ["id", "source", "tokens", "repeat", *(["text", "kind"] if name == "completion" else ["messages"])]
    for told in files:
        with pq.ParquetFile(out / told["path"]) as file:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
                for row in batch.to_pylist():
                    kind = row["kind"] if name == "completion" else kinds.get(row["id"], "labelled")
                    content = row["text"] if name == "completion" else tuple(Message(**m) for m in row["messages"])
                    leaf = leaf_name(row["source"], kind)
                    yield Document(row["id"], leaf, row["repeat"], row["tokens"], content)


def _made(shards: Sequence[Path]) -> dict[str, str]:
    """The kind of every synthetic record by its id; the rows of `instruct` name a task, not a kind."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    kinds: dict[str, str] = {}
    for path in shards:
        table = pq.read_table(path, columns=["id", "kind"])
        table = table.filter(pc.is_in(table["kind"], value_set=_values()))
        kinds.update(zip(table["id"].to_pylist(), table["kind"].to_pylist(), strict=True))
    return kinds


def _values() -> Any:
    import pyarrow as pa

    return pa.array(SYNTHETIC)


def held_out(shards: Sequence[Path], roles: Mapping[str, str], seed: int, tokens: int) -> Iterator[Document]:
    """Held-out texts of domain and public sources, records of each side in stable order until `tokens` are reached.

    A side has whole records and at least one if it has any; labelled and synthetic records are no running text.
    """
    import pyarrow.parquet as pq

    known: dict[str, list[tuple[int, str, int, int, int]]] = {"domain": [], "public": []}
    for number, path in enumerate(shards):
        columns = pq.read_table(path, columns=["id", "source", "kind", "side", "tokens"]).to_pydict()
        for row, (identity, source, kind, side, count) in enumerate(zip(*columns.values(), strict=True)):
            role = roles.get(source, "")
            if side == "holdout" and kind not in SYNTHETIC and own_form_of(kind) == "completion" and role in known:
                known[role].append((sample_key(seed, identity), identity, number, row, count))
    chosen: dict[int, dict[int, str]] = {}
    for role, records in known.items():
        had = 0
        for _, _, number, row, count in sorted(records):
            if had and had + count > tokens:
                break
            chosen.setdefault(number, {})[row] = role
            had += count
    if tokens:
        yield from _read(shards, chosen)


def _read(shards: Sequence[Path], chosen: Mapping[int, Mapping[int, str]]) -> Iterator[Document]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    found: list[Document] = []
    for number, rows in chosen.items():
        start = 0
        with pq.ParquetFile(shards[number]) as file:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                here = [row - start for row in sorted(rows) if start <= row < start + batch.num_rows]
                for place, row in zip(here, batch.take(pa.array(here, type=pa.int64())).to_pylist(), strict=True):
                    record = from_row(row)
                    text = completion_text(record)
                    found.append(Document(record.id, rows[start + place], 0, record.tokens, text))
                start += batch.num_rows
    # By id, so that the order is the same however the records are spread over shards.
    yield from sorted(found, key=lambda document: (document.source, document.id))
