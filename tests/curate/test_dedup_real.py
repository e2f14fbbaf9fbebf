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
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n?", re.S)


def plain_jaccard(left: str, right: str) -> float:
    """Jaccard similarity of plain word 5-grams, by brute force."""
    a, b = (set(zip(*(WORD.findall(text.lower())[k:] for k in range(5)), strict=False)) for text in (left, right))
    return len(a & b) / max(1, len(a | b))


@pytest.mark.data
@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no real data at {FOLDER}; set CORPUSFORGE_DATA")
def test_known_pairs_of_a_real_help_centre_are_found_and_linked(tmp_path: Path) -> None:
    """Stale twins of articles would be trained on twice, or be split over training and evaluation."""
    with (FOLDER / "near_duplicate_pairs.tsv").open(encoding="utf-8") as file:
        pairs = [(f"kb:{a}", f"kb:{b}", float(j)) for a, b, j in list(csv.reader(file, delimiter="\t"))[1:]]
    records = []
    for path in sorted(FOLDER.glob("20*/**/*.md")):
        text = FRONT_MATTER.sub("", path.read_text(encoding="utf-8"))
        if len(WORD.findall(text)) >= 14:
            name = path.relative_to(FOLDER).as_posix()
            records.append(doc(name, text, file=name))
    texts = {record.id: record.text for record in records}
    out = run_stage(Dedup(), {"kb-00000": records[:200], "kb-00001": records[200:]}, tmp_path)

    alike = [(a, b) for a, b, j in pairs if j >= 0.8]
    found = [pair for pair in alike if out.dropped.keys() & set(pair)]
    assert len(found) / len(alike) >= 0.98
    known = {frozenset((a, b)): j for a, b, j in pairs}
    for dropped in out.dropped.values():
        pair = dropped.record.id, dropped.detail.get("compared", dropped.detail["kept"])
        # The labels count a whole Chinese sentence as one word; there our own count of the plain words stands.
        label = max(known.get(frozenset(pair), 0.0), plain_jaccard(*(texts[name] for name in pair)))
        versions = pair[0][13:] == pair[1][13:]
        assert label >= (0.79 if dropped.reason == "near-duplicate" else 0.3)
        assert dropped.reason != "edited-copy" or versions or label >= 0.55
        # The newest version is kept, whatever its length.
        assert not versions or dropped.record.id.startswith("kb:2025")

    def group(identity: str) -> str:
        dropped = out.dropped.get(identity)
        record = out.kept[dropped.detail["kept"] if dropped else identity]
        return record.group or record.id

    linked = [(a, b) for a, b, j in pairs if j >= 0.5]
    assert sum(group(a) == group(b) for a, b in linked) / len(linked) >= 0.98
