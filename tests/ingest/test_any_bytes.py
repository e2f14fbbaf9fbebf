"""Laws that hold for every reader and any bytes: nothing raises, everything is placed, ids do not clash."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

READERS = {
    "text": (b"Some words.\n\nMore words.\n", {"split": "paragraph"}),
    "markdown": (b"---\ntitle: x\ntags: [a, b]\n---\n# Head\n\nBody\n\n## Q\n\nWhy?\n", {"sections": {"Q": "drop"}}),
    "html": (b"<html><body><h1>T</h1><table><tr><td>a<td>b</table><ul><li>x<dl><dt>y<pre>z</body>", {}),
    "xml": (b"<page><title>T</title><p>text <b>x</b></p><list><item>y</item></list></page>", {}),
    "jsonl": (b'{"text": "a"}\n{"text": "b", "n": [1, 2]}\n', {}),
    "json": (b'{"rows": [{"text": "a"}, {"text": "b"}]}', {"records": "rows.*"}),
    "csv": (b'text,n\na,1\n"b, c",2\n', {}),
    "tsv": (b"text\tn\na\t1\n", {}),
    "parquet": (b"PAR1\x15\x04\x15\x10PAR1", {}),
    "pdf": (b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF", {}),
    "warc": (
        b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://x\r\nContent-Length: 44\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nabcdefgh\r\n\r\n",
        {"extract": "structure"},
    ),
}
EDITS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 6), st.binary(max_size=8)), max_size=5)


@pytest.mark.parametrize("name", sorted(READERS))
@given(edits=EDITS, packed=st.booleans(), cut=st.integers(0, 40))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_never_raise_and_read_the_same_twice(read, name, edits, packed, cut):
    """One damaged file of a million would stop the build, or change it from run to run."""
    data, options = READERS[name]
    for at, gone, new in edits:
        data = data[:at] + new + data[at + gone :]
    if packed:
        data = gzip.compress(data, mtime=0)
        data = data[: len(data) - cut]
    file = f"f.{name}.gz" if packed else f"f.{name}"
    records, bad = read(name, data, name=file, **options)
    assert (records, bad) == read(name, data, name=file, **options)
    # An archive may hold nothing but its own bookkeeping.
    assert records or bad or name == "warc"
    assert len({record.id for record in records}) == len(records)
    for item in (*records, *bad):
        assert 0 <= item.origin.start <= item.origin.end
    for record in records:
        assert record.text.strip()
        json.dumps([record.text, record.title, record.meta], ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("html", b"<div>" * 20_000 + b"x"),
        ("html", b"<ul><li>" * 5_000 + b"x"),
        ("html", b"<table><tr><td>" * 3_000 + b"x"),
        ("xml", b"<a>" * 20_000 + b"x" + b"</a>" * 20_000),
        ("markdown", b"---\na: " + b"{b: " * 9_000 + b"\n---\nx"),
        ("jsonl", b'{"text": ' + b"[" * 50_000),
        ("json", b'{"rows": ' + b"[" * 50_000),
    ],
)
def test_deep_nesting_is_bounded(read, name, data):
    """A page made to overflow the stack would end the worker."""
    records, bad = read(name, data)
    assert len(records) + len(bad) == 1
