"""Every string that a file holds: its name, its bytes, and what lies below compression, columns, escapes, tokens."""

from __future__ import annotations

import base64
import bz2
import gzip
import html
import io
import lzma
import re
import urllib.parse
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

Decode = Callable[[list[int]], str]
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PAR1": "parquet"}
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{40,}={0,2}")
_URL_SAFE = str.maketrans("-_", "+/")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([\"\\/bfnrt]))")
_PLAIN = {"n": "\n", "r": "\n", "t": "\t", "b": " ", "f": " "}
_WHOLE = 1 << 31
BYTES = "bytes"
_BATCH = 512


@dataclass(frozen=True, slots=True)
class Text:
    """A string of a file: in which field, and which records its row is about (ids without the numbers of pieces)."""

    field: str
    text: str
    records: tuple[str, ...] = ()


@dataclass(slots=True)
class Opened:
    """What was opened so far: files, strings in them, tokens decoded. Bytes are not counted: reports hold times, which
    differ from run to run, and the result must not.
    """

    files: int = 0
    strings: int = 0
    tokens: int = 0
    unread: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The counts."""
        return {
            "files": self.files,
            "strings": self.strings,
            "tokens": self.tokens,
            "unread": sorted(self.unread),
        }


def contents(path: Path, name: str, decode: Decode, opened: Opened) -> Iterator[Text]:
    """Every string of one file; `name` is how the file is called. What cannot be opened is noted, and read as bytes."""
    data = path.read_bytes()
    opened.files += 1
    yield Text("name of the file", name)
    for text in _opened(data, name, decode, opened):
        opened.strings += 1
        yield text


def _opened(data: bytes, name: str, decode: Decode, opened: Opened) -> Iterator[Text]:
    yield Text(BYTES, data.decode("utf-8", "replace"))
    try:
        kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), "")
        if kind == "parquet":
            yield from _parquet(data, decode, opened)
        elif kind:
            inner = name.rpartition(".")[0] or name
            yield from _opened(_decompressed(data, kind), inner, decode, opened)
        elif name.endswith(".npy"):
            yield from _array(data, decode, opened)
        elif name.endswith((".json", ".jsonl")):
            for line in [data] if name.endswith(".json") else data.splitlines():
                if line.strip():
                    yield from _json(orjson.loads(line), "")
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, RuntimeError):
        # Half a file of a killed step, or a name that promises another format: its bytes were searched all the same.
        opened.unread.append(name)


def _decompressed(data: bytes, kind: str) -> bytes:
    if kind == "zstd":
        import zstandard

        try:
            return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read(_WHOLE)
        except zstandard.ZstdError as error:
            raise ValueError("not zstd") from error
    return {"gzip": gzip.decompress, "bzip2": bz2.decompress, "xz": lzma.decompress}[kind](data)


def _array(data: bytes, decode: Decode, opened: Opened) -> Iterator[Text]:
    import numpy as np

    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.kind in "iu":
        opened.tokens += array.size
        yield Text("tokens", decode(array.ravel().tolist()))


def _parquet(data: bytes, decode: Decode, opened: Opened) -> Iterator[Text]:
    """Every column of every row, the dictionaries of coded columns with entries that no row uses, and the metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(io.BytesIO(data)) as file:
        for key, value in (file.schema_arrow.metadata or {}).items():
            yield Text("metadata", f"{key.decode('utf-8', 'replace')}\n{value.decode('utf-8', 'replace')}")
        flat = [f.name for f in file.schema_arrow if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
        for batch in file.iter_batches(batch_size=_BATCH):
            for row in batch.to_pylist():
                records = _about(row)
                for column, value in row.items():
                    yield from _values(value, column, records, decode, opened)
    for column in flat:
        with pq.ParquetFile(io.BytesIO(data), read_dictionary=[column]) as file:
            for group in range(file.num_row_groups):
                for chunk in file.read_row_group(group, columns=[column])[column].chunks:
                    if pa.types.is_dictionary(chunk.type):
                        words = (word for word in chunk.dictionary.to_pylist() if word)
                        yield Text(f"{column}, dictionary", "\n".join(words))


def _about(row: dict[str, Any]) -> tuple[str, ...]:
    named = [row.get("id"), *(row.get("parents") or ())]
    return tuple(dict.fromkeys(str(name).partition("#")[0] for name in named if name))


def _values(value: Any, column: str, records: tuple[str, ...], decode: Decode, opened: Opened) -> Iterator[Text]:
    if isinstance(value, str):
        yield Text(column, value, records)
    elif isinstance(value, bytes):
        yield Text(column, value.decode("utf-8", "replace"), records)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield Text(column, str(value), records)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield Text(f"{column}, key", str(key), records)
            yield from _values(item, f"{column}.{key}", records, decode, opened)
    elif isinstance(value, list):
        numbers = [item for item in value if isinstance(item, int) and not isinstance(item, bool)]
        if numbers and len(numbers) == len(value):
            opened.tokens += len(numbers)
            yield Text(f"{column}, decoded", decode(numbers), records)
        for item in value if len(numbers) < len(value) else ():
            yield from _values(item, column, records, decode, opened)


def _json(value: Any, at: str) -> Iterator[Text]:
    if isinstance(value, str):
        yield Text(at or "value", value)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield Text(f"{at}, key", key)
            yield from _json(item, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        for item in value:
            yield from _json(item, at)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield Text(at or "value", str(value))


def readings(text: str) -> list[str]:
    """The text, and what it says when its escapes are undone: JSON, HTML, per cent, base64, and one in another."""
    found = [text]
    for undo in (_unescaped, _unmarked, _unquoted):
        found += [made for before in tuple(found) if (made := undo(before)) != before]
    for run in _BASE64.findall(text):
        body = run.rstrip("=").translate(_URL_SAFE)
        try:
            found.append(base64.b64decode(body + "=" * (-len(body) % 4)).decode("utf-8"))
        except ValueError:
            continue
    return list(dict.fromkeys(found))


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    # Twice, for JSON within JSON. Halves of surrogate pairs are joined by the round through UTF-16.
    for _ in range(2):
        text = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _PLAIN.get(m[2], m[2]), text)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unquoted(text: str) -> str:
    return urllib.parse.unquote(text) if "%" in text else text


def _unmarked(text: str) -> str:
    return html.unescape(text) if "&" in text else text


def decoder(tokenizer: str) -> Decode:
    """From token ids to text, by the recipe's tokenizer; `bytes` is one token a byte. Unknown ids give nothing."""
    if tokenizer == "bytes":
        return lambda ids: bytes(i for i in ids if 0 <= i < 256).decode("utf-8", "replace")
    from corpusforge.mix.tokenizer import load_tokenizer

    loaded = load_tokenizer(tokenizer)
    size = loaded.get_vocab_size(with_added_tokens=True)
    return lambda ids: str(loaded.decode([i for i in ids if 0 <= i < size], skip_special_tokens=False))
