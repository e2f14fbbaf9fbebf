"""What `show` prints of a manifest: near misses say what became of them, and missing rows say why they are missing."""

from __future__ import annotations

from typing import Any

from corpusforge import counts


def test_a_record_near_a_line_says_on_which_side_it_fell() -> None:
    sample = {"step": "quality", "source": "s", "reason": "short", "score": 0.5, "threshold": 0.4, "id": "s:1"}
    rows = counts.near([{**sample, "kept": True}, {**sample, "kept": False}])
    at = counts.NEAR.index("what became of it")
    assert [row[at] for row in rows] == ["kept", "dropped"]
    assert all(len(row) == len(counts.NEAR) for row in rows)


def test_the_reasons_of_missing_rows_are_listed_by_source() -> None:
    none: dict[str, Any] = {"read": 9, "kept": 4, "added": 0, "out": 4, "dropped": {}, "quarantined": {}}
    step = {
        "name": "qa",
        "makes": True,
        "counts": {"kb": none},
        "counted": {"kb": {"asked": 9, "written": 4, "missing.too-few": 3, "missing.unparsable": 2}},
    }
    rows = counts.tasks({"steps": [step]})
    assert ("", "kb: missing rows", 0, 0, 0, 5, "3 too-few, 2 unparsable") in rows
