"""The second detector's snippets are for a reviewer's eyes: what they lose if one quotes a value that it suspects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from corpusforge.audit.second_look import second_look
from corpusforge.record import Origin, Record
from corpusforge.shards import Shard, sha256_file, write_records

BESIDE = "mail alice.stone@northwind.org or bob.reed@northwind.org, <PERSON_1>, card 4532 0151 1283 0366"


def looked(folder: Path, *texts: str) -> dict[str, Any]:
    path = folder / "notes.parquet"
    rows = write_records(
        path, [Record(f"notes:{n}", "notes", "doc", text, Origin("f", 0, 1)) for n, text in enumerate(texts)]
    )
    return second_look([Shard("notes-00000", "notes", path, sha256_file(path), rows, path.stat().st_size)], seed=1)


def test_a_snippet_hides_what_stands_beside_the_suspect_or_the_placeholder(tmp_path: Path) -> None:
    """Manifest and card hold snippets; neither may hold an address that redaction missed."""
    look = looked(tmp_path, BESIDE)
    assert look["suspects"]["email"]["found"] == look["suspects"]["card"]["found"] == 1
    snippets = [row["snippet"] for key in ("suspect_snippets", "masked_snippets") for row in look[key]]
    assert len(snippets) == 3
    assert any("<PERSON_1>" in snippet for snippet in snippets)
    for value in ("stone", "reed", "northwind", "4532", "0366"):
        assert not [snippet for snippet in snippets if value in snippet]


def test_every_record_counts_once_and_a_clean_one_not_at_all(tmp_path: Path) -> None:
    look = looked(tmp_path, BESIDE, BESIDE, "Open the menu and press the button.")
    assert look["records"] == 3
    assert look["suspects"]["email"]["found"] == 2
    assert look["suspects"]["iban"]["found"] == 0
