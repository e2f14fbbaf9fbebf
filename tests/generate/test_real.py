"""The extractive tier on a real help centre: every row proven, choices without a cue, enough rows to be worth it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from corpusforge.generate.mcq import MCQ
from corpusforge.generate.qa import QA
from corpusforge.generate.reading import Reading
from corpusforge.ingest.files import InputFile
from corpusforge.ingest.formats import find_reader
from corpusforge.ingest.reader import ReadContext
from corpusforge.record import Record

from .pages import evidence_text, run


@pytest.fixture(scope="module")
def help_centre(real_data: Path) -> dict[str, Record]:
    reader = find_reader("xml")
    settings = reader.Settings.model_validate({"dialect": "mallard"})
    root = real_data / "ubuntu-kb-gnome-help" / "gnome-help"
    if not root.is_dir():
        pytest.skip("ubuntu-kb-gnome-help is not there: nothing real was tested")
    found: dict[str, Record] = {}
    for path in sorted(root.glob("*.page"))[:200]:
        file = InputFile(str(path), path.name)
        for item in reader().read(file, ReadContext(settings, "kb", "article", "x", ("en",), file)):
            if isinstance(item, Record):
                found[item.id] = replace(item, language="en")
    return found


@pytest.mark.data
def test_every_row_of_a_real_help_centre_is_proven(help_centre: dict[str, Record], tmp_path: Path) -> None:
    rows, dropped, _ = run(QA, {"kb-00000": list(help_centre.values())}, tmp_path)
    made = rows["kb-00000"]
    assert len(made) >= 1.5 * len(help_centre)
    assert len({row.parents for row in made}) + len(dropped["kb-00000"]) == len(help_centre)
    for row in made:
        assert "".join(row.meta["answer"].split()) == "".join(evidence_text(row, help_centre).split())


@pytest.mark.data
def test_real_choices_are_even_and_real_reading_tasks_are_many(help_centre: dict[str, Record], tmp_path: Path) -> None:
    rows, _, _ = run(MCQ, {"kb-00000": list(help_centre.values())}, tmp_path)
    letters = Counter(row.meta["gold"] for row in rows["kb-00000"])
    assert sum(letters.values()) >= 50
    assert max(letters.values()) <= 0.4 * sum(letters.values())
    rows, _, _ = run(Reading, {"kb-00000": list(help_centre.values())}, tmp_path)
    assert len(rows["kb-00000"]) >= 3 * len(help_centre)
