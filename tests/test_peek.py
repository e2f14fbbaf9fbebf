"""A look at completion rows shows something wherever the chosen tokens lie."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusforge import peek


@pytest.mark.parametrize("seed", range(5))
def test_one_long_record_is_shown_though_nothing_begins_behind_the_chosen_token(tmp_path: Path, seed: int) -> None:
    row = {"id": "a:1", "source": "a", "kind": "doc", "repeat": 0, "tokens": 500, "text": "0123456789" * 50}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "rows.parquet")
    manifest = {"seed": seed, "mix": {"completion": {"got_tokens": 500, "files": [{"path": "rows.parquet"}]}}}
    (shown,) = peek._made_up(manifest, tmp_path, 1, 16, "bytes")
    assert shown["tokens"] == 16
    assert [document["text"] for document in shown["documents"]] == ["0123456789012345"]
