"""A leak that the search cannot see is a leak that the report denies."""

from __future__ import annotations

import base64
import bz2
import gzip
import html
import io
import json
import lzma
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from corpusforge.audit.battery import battery
from corpusforge.audit.canary import Canary, Known, make_canary
from corpusforge.audit.contents import Opened, decoder
from corpusforge.audit.draw import Draw
from corpusforge.audit.search import Find, Search

MAIL = next(form for form in battery() if form.kind == "email" and form.context == "cue" and form.surface == "plain")
CARD = next(form for form in battery() if form.kind == "card" and form.context == "cue" and form.surface == "plain")


def canary(form: object = MAIL) -> Canary:
    made = make_canary(0, form, Draw("here"), Known(), "")  # type: ignore[arg-type]
    assert made is not None
    return made


VALUE = canary().text
SAID = f"Please write to {VALUE} – soon."


def found(folder: Path, planted: Canary | None = None, record: str = "s:1") -> list[Find]:
    """What the search sees below a folder, the names of files included."""
    one = planted or canary()
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return list(Search({0: one}, {0: record}).files(folder, paths, decoder("bytes"), Opened()))


def parquet(table: pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def unused_word() -> bytes:
    """A dictionary page with an entry that no row uses."""
    words = pa.DictionaryArray.from_arrays(pa.array([0, 0], pa.int32()), pa.array(["clean", SAID]))
    return parquet(pa.table({"text": words}), compression="zstd")


def array_file() -> bytes:
    sink = io.BytesIO()
    np.save(sink, np.frombuffer(SAID.encode(), dtype=np.uint8).astype(np.int32))
    return sink.getvalue()


ESCAPED = json.dumps({"a": "".join(f"\\u{ord(c):04x}" for c in VALUE)}).replace("\\\\", "\\")
CARRIERS: dict[str, Callable[[], bytes]] = {
    "said.log": SAID.encode,
    "string.parquet": lambda: parquet(pa.table({"text": [SAID]}), compression="zstd", use_dictionary=False),
    "dictionary.parquet": lambda: parquet(pa.table({"text": [SAID] * 9}), compression="zstd"),
    "unused.parquet": unused_word,
    "list.parquet": lambda: parquet(pa.table({"words": [["a", SAID]]}), compression="gzip"),
    "struct.parquet": lambda: parquet(pa.table({"messages": [[{"role": "user", "content": SAID}]]})),
    "binary.parquet": lambda: parquet(pa.table({"blob": [SAID.encode()]}), compression="zstd"),
    "meta.parquet": lambda: parquet(pa.table({"meta": [json.dumps({"x": json.dumps({"y": SAID})})]})),
    "footer.parquet": lambda: parquet(pa.table({"a": [1]}).replace_schema_metadata({"note": SAID})),
    "ids.parquet": lambda: parquet(pa.table({"input_ids": [list(SAID.encode())]})),
    "ids.npy": array_file,
    "packed.jsonl.zst": lambda: zstandard.compress(SAID.encode()),
    "packed.txt.gz": lambda: gzip.compress(SAID.encode()),
    "packed.txt.bz2": lambda: bz2.compress(SAID.encode()),
    "packed.txt.xz": lambda: lzma.compress(SAID.encode()),
    "twice.gz": lambda: gzip.compress(zstandard.compress(SAID.encode())),
    "no-suffix": lambda: gzip.compress(SAID.encode()),
    "card.json": ESCAPED.encode,
    "lines.jsonl": lambda: b'{"ok": 1}\n' + ESCAPED.encode() + b"\n",
    "card.html": lambda: "".join(f"&#{ord(c)};" for c in VALUE).encode(),
    "markup.html": lambda: html.escape(f"<{VALUE}>").encode(),
    "link.html": lambda: urllib.parse.quote(VALUE, safe="").encode(),
    "image.html": lambda: b"data:text/plain;base64," + base64.b64encode(("x" * 60 + SAID).encode()),
    "upper.txt": lambda: VALUE.upper().encode(),
    "spaced.txt": lambda: " ".join(VALUE).encode(),
    "wide.txt": lambda: "".join(chr(ord(c) + 0xFEE0) for c in VALUE).encode(),
    "split.txt": f"{VALUE[:5]}\n{VALUE[5:]}".encode,
}


@pytest.mark.parametrize("name", CARRIERS)
def test_a_value_is_found_in_whatever_holds_it(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(CARRIERS[name]())
    finds = found(tmp_path)
    assert {find.file for find in finds} == {name}
    assert canary().whole[0] in {find.needle for find in finds}


def test_a_value_is_found_in_a_files_name_and_where_there_is_none_nothing_is(tmp_path: Path) -> None:
    (tmp_path / f"shard-{VALUE}.txt").write_text("nothing")
    assert {find.field for find in found(tmp_path)} == {"name of the file"}
    (tmp_path / f"shard-{VALUE}.txt").rename(tmp_path / "shard.txt")
    for name, made in CARRIERS.items():
        (tmp_path / name).write_bytes(made().replace(SAID.encode(), b"no"))
    assert found(tmp_path, canary(CARD)) == []


def test_token_ids_are_read_with_the_recipes_own_tokenizer(tmp_path: Path, real_data: Path) -> None:
    from corpusforge.mix.tokenizer import load_tokenizer

    tokenizer = str(real_data / "tokenizers" / "gpt-neox-20b")
    ids = load_tokenizer(tokenizer).encode(SAID).ids
    (tmp_path / "packed.parquet").write_bytes(parquet(pa.table({"input_ids": [ids]})))
    search = Search({0: canary()}, {0: "s:1"})
    finds = search.files(tmp_path, [tmp_path / "packed.parquet"], decoder(tokenizer), Opened())
    assert "input_ids, decoded" in {find.field for find in finds}


def rows(tmp_path: Path, identity: str, text: str, parents: list[str] | None = None) -> None:
    table = pa.table({"id": [identity], "parents": pa.array([parents or []], pa.list_(pa.string())), "text": [text]})
    (tmp_path / "rows.parquet").write_bytes(parquet(table, compression="zstd"))


def test_what_is_left_of_a_value_that_was_half_hidden_is_a_leak_in_its_own_record(tmp_path: Path) -> None:
    """`<CREDIT_CARD_1> 0343` still tells the bank's last four digits; the same digits elsewhere are anybody's."""
    card = canary(CARD)
    last = card.text.split()[-1]
    rows(tmp_path, "s:1#2", f"charged to <CREDIT_CARD_1> {last} today")
    assert {find.needle for find in found(tmp_path, card)} == {last}
    rows(tmp_path, "qa:9", f"charged to <CREDIT_CARD_1> {last} today", ["s:1#0"])
    assert found(tmp_path, card)
    rows(tmp_path, "s:2", f"charged to <CREDIT_CARD_1> {last} today")
    assert found(tmp_path, card) == []
    rows(tmp_path, "s:1", f"charged to 7{last}1 today")
    assert found(tmp_path, card) == []


def test_half_a_file_is_searched_as_bytes_and_named(tmp_path: Path) -> None:
    (tmp_path / "torn.parquet").write_bytes(b"PAR1" + SAID.encode())
    opened = Opened()
    search = Search({0: canary()}, {0: "s:1"})
    assert list(search.files(tmp_path, [tmp_path / "torn.parquet"], decoder("bytes"), opened))
    assert opened.unread == ["torn.parquet"]
