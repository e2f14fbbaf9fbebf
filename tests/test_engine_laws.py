"""The law of accounting: a stage that loses, doubles or invents a record stops the build, and says which one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from corpusforge.errors import CorpusforgeError, NotConserved, StepFailed

from .engine_running import HEAD, PASS, SECRET, build, here, make


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("yield from list(records)[1:]", "loses 1 of the records it reads"),
        ("for r in records: yield r; yield r", "makes two records with one id"),
        (
            "for r in records: yield r; yield Dropped(r, 'twice')",
            "drops a record that it did not read, or that it kept",
        ),
        ("for r in records: yield Dropped(r, 'first'); yield r", "keeps a record that it has dropped"),
        ("for r in records: yield Dropped(r, 'a'); yield Dropped(r, 'b')", "or that it kept or dropped before"),
        ("for r in records: yield r; yield replace(r, id='a:' + r.text)", "makes a record from none that it read"),
        ("for r in records: yield Dropped(replace(r, id='a:' + r.text), 'x')", "drops a record that it did not read"),
        ("for r in records: yield replace(r, source='z')", "gives a record to another source"),
        ("for r in records: yield Dropped(r, r.text)", "a reason that is no rule's name"),
        ("for r in records: yield r.text", "yields a str"),
        ("for r in records: yield Quarantined(r.source, r.origin, 'x'); yield r", "quarantines a record"),
        (
            "a, *rest = records; yield Quarantined(a.source, a.origin, 'x')"
            "; yield Quarantined(a.source, a.origin, 'x'); yield from rest[1:]",
            "loses 1 of the records it reads",
        ),
        ("for r in records: raise ValueError(r.text)", "ValueError at ours.py"),
    ],
)
def test_a_stage_that_breaks_the_law_stops_the_build_and_quotes_no_record(
    tmp_path: Path, body: str, words: str
) -> None:
    make(tmp_path, HEAD + f"    {body}\n")
    with pytest.raises(StepFailed) as caught:
        here(tmp_path)
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)
    left = (tmp_path / "builds" / "bare" / "steps" / "ours").glob("*")
    assert not [p for p in left if p.suffix == ".json" or p.suffix == ".tmp"]


def test_a_record_may_be_kept_split_dropped_or_quarantined(tmp_path: Path) -> None:
    body = """\
    for i, r in enumerate(records):
        if i % 4 == 0: yield r
        elif i % 4 == 1: yield Dropped(r, "rule", 0.2, 0.3)
        elif i % 4 == 2: yield Quarantined(r.source, r.origin, "unfit")
        else: yield replace(r, id=r.id + "#0"); yield replace(r, id=r.id + "#1")
"""
    make(tmp_path, HEAD + body)
    step = next(s for s in here(tmp_path).manifest["steps"] if s["name"] == "ours")
    assert step["counts"]["a"] | {"characters": 0} == {
        "read": 20, "kept": 10, "added": 5, "out": 15, "characters": 0,
        "dropped": {"rule": 5}, "quarantined": {"unfit": 5},
    }  # fmt: skip


def test_what_a_stage_prints_logs_or_warns_does_not_reach_the_data_and_quotes_no_record(tmp_path: Path) -> None:
    body = """\
    import logging, sys, warnings
    print("seen by the user", flush=True)
    for r in records:
        logging.getLogger("x").error(r.text)
        warnings.warn(r.text)
        yield r
    raise ValueError(r.text)
"""
    make(tmp_path, HEAD + body)
    for workers in ("1", "2"):
        done = build(tmp_path, "--workers", workers, code=1)  # asserts that stderr holds neither record nor traceback
        assert done.stdout == ""
        assert "seen by the user" in done.stderr
    assert SECRET.encode() not in b"".join(p.read_bytes() for p in tmp_path.rglob("*.json"))
    assert not list((tmp_path / "builds" / "bare" / ".scratch").glob("*"))


def test_kept_records_near_a_line_are_sampled_in_bounds_and_only_if_kept(tmp_path: Path) -> None:
    stage = """\
from corpusforge.record import Dropped
from corpusforge.stage import Stage

class Near(Stage):
    name, version = "near", 1

    def apply(self, records, ctx):
        for i, record in enumerate(records):
            if i > 3:
                ctx.near(record, "length", i, 4)
            yield Dropped(record, "length", i, 4) if i <= 3 or i == 5 else record
"""
    make(tmp_path, stage)
    recipe = tmp_path / "recipes" / "bare.yaml"
    recipe.write_text(recipe.read_text().replace("ours.py:ours", "ours.py:Near"))
    step = next(s for s in here(tmp_path).manifest["steps"] if s["name"] == "near")
    of_a = [s for s in step["near"] if s["source"] == "a"]
    assert [s["score"] for s in of_a if s["kept"]] == [4, 6, 7]
    assert [s["score"] for s in of_a if not s["kept"]] == [5, 3, 2]
    assert all(SECRET in s["excerpt"] for s in of_a)


def test_before_redaction_no_sample_and_no_dropped_row_shows_text(tmp_path: Path) -> None:
    make(tmp_path, HEAD + "    for r in records: yield Dropped(r, 'all', 1.0, 2.0, {'said': r.text, 'n': 3})\n")
    recipe = tmp_path / "recipes" / "bare.yaml"
    recipe.write_text(recipe.read_text().replace("  redact: false\n", "  redact: {}\n"))
    with pytest.raises(StepFailed, match="no record is left"):
        here(tmp_path)
    store = tmp_path / "builds" / "bare" / "steps" / "ours"
    assert list(store.glob("*.dropped.parquet"))
    code = "import sys, pyarrow.parquet as pq; print([pq.read_table(p).to_pylist() for p in sys.argv[1:]])"
    files = [str(p) for p in store.glob("*.dropped.parquet")]
    shown = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, check=True).stdout
    assert '{"n":3}' in shown
    assert SECRET not in shown + "".join(p.read_text() for p in store.glob("*.json"))


def test_one_id_in_two_files_stops_the_build_whether_or_not_they_share_a_shard(tmp_path: Path) -> None:
    make(tmp_path, PASS)
    data = tmp_path / "data" / "a"
    (data / "two.jsonl").write_bytes((data / "one.jsonl").read_bytes())
    with pytest.raises(CorpusforgeError, match=r"one id \(one.jsonl and two.jsonl\)") as caught:
        here(tmp_path)
    assert caught.value.exit_code == 2


def test_one_id_twice_in_a_file_is_quarantined(tmp_path: Path) -> None:
    make(tmp_path, PASS)
    path = tmp_path / "data" / "a" / "one.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, lines[0]]))
    counts = here(tmp_path).manifest["steps"][0]["counts"]["a"]
    assert (counts["read"], counts["quarantined"]) == (21, {"duplicate-id": 1})


def test_a_shard_that_vanished_between_steps_is_not_a_build(tmp_path: Path) -> None:
    from corpusforge.build import check_counts, make_recipe_plan
    from corpusforge.recipe import read_recipe

    make(tmp_path, PASS)
    here(tmp_path)
    plan, walk = make_recipe_plan(read_recipe(tmp_path / "recipes" / "bare.yaml"), tmp_path / "builds")
    check_counts(plan, walk.states)
    state = walk.states["tokens"]
    state.slots = [slot for slot in state.slots if slot.source != "c"]
    with pytest.raises(NotConserved, match="tokens, c"):
        check_counts(plan, walk.states)
