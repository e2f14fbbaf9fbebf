"""Deduplication against the known near-duplicate pairs of a real help centre."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import pytest

from corpusforge.curate.dedup import Dedup

from .dedup_running import doc, run_stage

DATA = Path(os.environ.get("CORPUSFORGE_DATA", Path(__file__).parents[3] / "shared" / "data"))
FOLDER = DATA / "support-kb-login-gov"
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n?", re.S)


@pytest.mark.data
@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no real data at {FOLDER}; set CORPUSFORGE_DATA")
def test_known_pairs_of_a_real_help_centre_are_found_and_linked(tmp_path: Path) -> None:
    """Stale twins of articles would be trained on twice, or be split over training and evaluation."""
    with (FOLDER / "near_duplicate_pairs.tsv").open(encoding="utf-8") as file:
        pairs = [(f"kb:{a}", f"kb:{b}", float(j)) for a, b, j in list(csv.reader(file, delimiter="\t"))[1:]]
    records = []
    for path in sorted(FOLDER.glob("20*/**/*.md")):
        text = FRONT_MATTER.sub("", path.read_text(encoding="utf-8"))
        if len(re.findall(r"\w+", text)) >= 14:
            records.append(doc(path.relative_to(FOLDER).as_posix(), text))
    known = {(a, b): j for a, b, j in pairs}
    known |= {(b, a): j for a, b, j in pairs}
    out = run_stage(Dedup(), {"kb-00000": records[:200], "kb-00001": records[200:]}, tmp_path)

    alike = [(a, b) for a, b, j in pairs if j >= 0.8]
    found = [pair for pair in alike if out.dropped.keys() & set(pair)]
    assert len(found) / len(alike) >= 0.98
    # The pairs' Jaccard counts neither operators nor single Chinese characters, hence the margin.
    assert all(known[d.record.id, d.detail["kept"]] >= 0.75 for d in out.dropped.values())

    def group(identity: str) -> str:
        dropped = out.dropped.get(identity)
        record = out.kept[dropped.detail["kept"] if dropped else identity]
        return record.group or record.id

    linked = [(a, b) for a, b, j in pairs if j >= 0.5]
    assert sum(group(a) == group(b) for a, b in linked) / len(linked) >= 0.98
