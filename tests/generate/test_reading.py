"""Reading tasks must be true by the text alone, and found in text as companies write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusforge.generate.reading import ALL, Reading
from corpusforge.record import Record

from .pages import evidence_text, manuals, page, run


def made(records: list[Record], folder: Path, *tasks: str) -> list[Record]:
    rows, dropped, _ = run(Reading, {"kb-00000": records}, folder, tasks=tasks or ALL, per_task=5, max_per_record=50)
    used = {parent for row in rows["kb-00000"] for parent in row.parents}
    assert len(used) + len(dropped["kb-00000"]) == len(records)
    return rows["kb-00000"]


def test_connectives_are_found_across_commas_and_hard_wraps(tmp_path: Path) -> None:
    """The field's rule miner finds nothing in hard-wrapped text."""
    text = (
        "Backups run every night, on weekdays and holidays,\nand are kept for a month on a second disk.\n"
        "However, the second disk, which is small,\nmay be full before the month is over."
    )
    (row,) = made([page(text)], tmp_path, "connective")
    assert row.meta["answer"] == "However"
    assert "____, the second disk" in row.meta["question"]
    assert "However" in row.meta["question"].replace(text, "")
    (row,) = made([page(text)], tmp_path / "b", "continue")
    assert row.meta["answer"] == "However, the second disk, which is small, may be full before the month is over."


@pytest.mark.parametrize(
    "opening", ["But first wait until the light goes out", "Thus far we have looked at disks alone"]
)
def test_openings_that_only_look_like_connectives_are_left(opening: str, tmp_path: Path) -> None:
    text = f"Open the cover of the machine with the small key. {opening}, and then take the drum out."
    assert not made([page(text)], tmp_path, "connective", "continue")


def test_steps_are_mixed_and_sorted_back(tmp_path: Path) -> None:
    (row,) = made([manuals(1)[0]], tmp_path, "order-steps")
    lines = row.meta["answer"].split("\n")
    mixed = [line[2:] for line in row.meta["question"].split("\n") if line.startswith("- ")]
    assert [line.partition(". ")[2] for line in lines] != mixed
    assert sorted(line.partition(". ")[2] for line in lines) == sorted(mixed)


def test_cloze_asks_for_the_corpus_terms_only(tmp_path: Path) -> None:
    texts = [
        f"# The spooler, part {n}\n\nThe machine keeps all waiting jobs inside the spooler {n} until somebody comes."
        for n in range(3)
    ]
    filler = [
        page(f"# Lunch {n}\n\nOn some days everybody eats together in the garden, {n}.", key=f"f{n}") for n in range(60)
    ]
    rows = made([*(page(text, key=str(at), title="Jobs") for at, text in enumerate(texts)), *filler], tmp_path, "cloze")
    assert rows
    assert {row.meta["answer"] for row in rows} == {"spooler"}
    assert all("spooler" not in row.meta["question"] for row in rows)


def test_every_kind_of_task_is_made_and_points_at_its_words(tmp_path: Path) -> None:
    parents = {record.id: record for record in manuals(40)}
    rows = made(list(parents.values()), tmp_path)
    kinds = {row.meta["template"] for row in rows}
    assert {"title", "from-title", "connective", "continue", "complete", "order-steps"} <= kinds
    for row in rows:
        assert row.kind == "reading"
        assert evidence_text(row, parents).strip()
        assert row.meta["completion"] == f"{row.meta['question']}\n{row.meta['answer']}"
        if row.meta["template"] != "order-steps":
            assert "".join(row.meta["answer"].split()) in "".join(evidence_text(row, parents).split())
    assert len({row.id for row in rows}) == len(rows)


def test_other_languages_are_dropped_with_a_reason(tmp_path: Path) -> None:
    from dataclasses import replace

    rows, dropped, _ = run(Reading, {"kb-00000": [replace(manuals(1)[0], language="de")]}, tmp_path)
    assert not rows["kb-00000"]
    assert dropped["kb-00000"][0].reason == "language-without-phrasings"
