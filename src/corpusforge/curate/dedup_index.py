"""The index of one shard: each record's identity, preference, content hash and words, from which dedup decides."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from corpusforge.curate.shingles import batches, mask_placeholders, word_hashes
from corpusforge.record import Record

if TYPE_CHECKING:
    import pyarrow as pa

_DATE = re.compile(r"(?<!\d)(\d{4})[-_./]?(0[1-9]|1[0-2])[-_./]?(0[1-9]|[12]\d|3[01])(?!\d)")
_DATE_KEYS = ("updated", "modified", "last_modified", "date", "published", "created", "snapshot")
_ANSWER_KEYS = ("task", "answer", "answers", "label", "labels", "choices", "options", "completion", "command")
SIGN, NUMBER = 1, 2


def index(records: Iterable[Record], labelled: frozenset[str], ngram: int) -> pa.Table:
    """One row a record, in order; `labelled` names the sources whose records are compared for equality only.

    `exact` is the same for two records of the same words (operators among them); for labelled ones and those of fewer
    than `ngram` words, of the same text but for white space and placeholder numbers.
    `words` are 32-bit little-endian numbers: 30 bits of the word's hash, `NUMBER`, and `SIGN` (a code or negation).
    """
    import numpy as np
    import pyarrow as pa
    import xxhash

    columns: dict[str, list[Any]] = {name: [] for name in ("id", "group", "date", "version", "chars", "exact")}
    values = [np.zeros(0, np.uint32)]
    sizes = [np.zeros(1, np.int64)]
    compared: list[Record] = []

    def texts() -> Iterator[str]:
        for record in records:
            compared.append(record)
            yield "" if _is_labelled(record, labelled) else record.text

    for batch in batches(texts()):
        words = word_hashes(batch)
        numbers = ((words.hashes >> np.uint64(34)) << np.uint64(2)).astype(np.uint32)
        numbers |= words.signs * np.uint32(SIGN) | words.numbers * np.uint32(NUMBER)
        counts = np.bincount(words.text_of, minlength=len(batch))
        ends = np.cumsum(counts).tolist()
        for record, start, end in zip(compared, [0, *ends], ends, strict=False):
            columns["id"].append(record.id)
            columns["group"].append(record.group or record.id)
            columns["date"].append(date_of(record))
            columns["version"].append(_version(record))
            columns["chars"].append(len(record.text))
            if _is_labelled(record, labelled):
                columns["exact"].append(_content(_labelled_text(record)))
            elif end - start < ngram:
                columns["exact"].append(_content(record.text))
            else:
                columns["exact"].append(xxhash.xxh3_128_digest(words.hashes[start:end].data))
        values.append(numbers)
        sizes.append(counts)
        compared.clear()
    flat = np.concatenate(sizes)
    types = (pa.string(), pa.string(), pa.string(), pa.uint64(), pa.int64(), pa.binary(16))
    arrays = {name: pa.array(columns[name], type) for name, type in zip(columns, types, strict=True)}
    arrays["words_n"] = pa.array(flat[1:])
    # As bytes, Parquet writes and reads them five times as fast as a list of numbers.
    places, numbers = np.cumsum(flat) * 4, np.concatenate(values).astype("<u4")
    buffers = [None, pa.py_buffer(places), pa.py_buffer(numbers)]
    arrays["words"] = pa.Array.from_buffers(pa.large_binary(), len(places) - 1, buffers)
    return pa.table(arrays)


def date_of(record: Record) -> str:
    """The day of this version of a record as `2026-08-05`: from its metadata, else from its file's path; or empty."""
    for key in _DATE_KEYS:
        if match := _DATE.match(str(record.meta.get(key, ""))):
            return "-".join(match.groups())
    return _dated(record.origin.file)[0]


@lru_cache(maxsize=4096)
def _dated(path: str) -> tuple[str, str]:
    """The last date in a path, and the path without dates."""
    dates = [match.groups() for match in _DATE.finditer(path)]
    return "-".join(dates[-1]) if dates else "", _DATE.sub("", path)


def _version(record: Record) -> int:
    """A number that versions of one document share: its path without dates, and its title; 0 where there is none.

    A chat has no versions, and neither has a row of a file without a title.
    """
    import xxhash

    if record.messages is not None or record.kind == "chat" or not (record.title or record.origin.start == 0):
        return 0
    path = _dated(record.origin.file)[1]
    return xxhash.xxh3_64_intdigest(f"{path}\n{record.title}".encode("utf-8", "surrogatepass")) | 1


def _is_labelled(record: Record, labelled: frozenset[str]) -> bool:
    return record.kind == "labelled" or record.source in labelled


def _labelled_text(record: Record) -> str:
    """What makes a labelled record the same as another: its text and everything that can be its answer."""
    import orjson

    answers = {key: record.meta[key] for key in _ANSWER_KEYS if key in record.meta}
    return f"labelled\n{record.text}\n{orjson.dumps(answers, option=orjson.OPT_SORT_KEYS).decode()}"


def _content(text: str) -> bytes:
    import xxhash

    return xxhash.xxh3_128_digest(" ".join(mask_placeholders(text).split()).encode("utf-8", "surrogatepass"))
