"""A build fails if anything of the hold-out is in training: by id, by 13 words in a row, by near-duplicate search."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from corpusforge.curate.holdout_copies import Text, copies
from corpusforge.curate.leakage import evidence, spread
from corpusforge.errors import StepFailed
from corpusforge.record import Message, Origin, Record, Side
from corpusforge.shards import Shard, sha256_file, write_records, write_table
from corpusforge.sides import check_copies, check_sides

HELD = (
    "The night train to Bergen leaves from the upper platform at ten and stops in Finse for water before it climbs down "
    "to the fjord where the ferry waits until the last traveller has crossed the wet boards of the old pier"
)
OTHER = "Bread is baked in the cellar of the town hall every morning except on the day of the regatta, when boats are blessed"
STEPS = [
    {"stage": "dedup", "settings": {"similarity": 0.8}},
    {"stage": "holdout", "settings": {}},
    {"stage": "decontaminate", "settings": {"holdout": True, "min_overlap": 0.0, "common": 10}},
    {"stage": "alike", "settings": {"similarity": 0.75}},
]


def record(key: str, text: str, side: Side = "train", **more: object) -> Record:
    made = Record(f"kb:{key}", "kb", "article", text, Origin(key, 0, 1), group=f"g{key}", side=side, language="en")
    return replace(made, **more)  # type: ignore[arg-type]


def question(key: str, asked: str, side: Side = "train") -> Record:
    meta = {"task": "qa", "question": asked, "answer": f"Answer {key}"}
    made = record(key, "", side, kind="qa", meta=meta)
    return made.with_messages((Message("user", asked), Message("assistant", f"Answer {key}")))


def shard(folder: Path, *records: Record) -> Shard:
    path = folder / "kb-00000.parquet"
    rows = write_records(path, records)
    return Shard("kb-00000", "kb", path, sha256_file(path), rows, path.stat().st_size)


def table(folder: Path, *texts: str) -> Path:
    import numpy as np
    import pyarrow as pa

    hashes, words, _ = spread(evidence(texts, 13), np.arange(len(texts)))
    path = folder / "runs.parquet"
    write_table(path, pa.table({"hash": hashes, "words": words, "origin": ["holdout"] * len(hashes)}))
    return path


def test_trap_19_and_20_a_row_on_another_side_than_its_parent_or_group_fails(tmp_path: Path) -> None:
    parent = record("a", HELD, "holdout")
    row = record("b", OTHER, "train", parents=("kb:a",), kind="qa")
    with pytest.raises(StepFailed, match="both sides"):
        check_sides([shard(tmp_path, parent, row)])
    with pytest.raises(StepFailed, match="both sides"):
        check_sides([shard(tmp_path, parent, record("c", OTHER, group="ga"))])
    assert check_sides([shard(tmp_path, parent, record("c", OTHER))])["violations"] == 0


def test_thirteen_words_of_the_hold_out_in_a_training_record_fail(tmp_path: Path) -> None:
    thirteen = " ".join(HELD.split()[4:17])
    planted = record("b", f"{OTHER}. {thirteen}. {OTHER[::-1]}")
    runs = table(tmp_path, HELD)
    with pytest.raises(StepFailed, match="run of words") as caught:
        check_copies([shard(tmp_path, record("a", HELD, "holdout"), planted)], STEPS, runs)
    assert "Bergen" not in str(caught.value)
    twelve = record("b", f"{OTHER}. {' '.join(HELD.split()[4:16])} or so")
    told = check_copies([shard(tmp_path, record("a", HELD, "holdout"), twelve)], STEPS, runs)
    assert told == {"searched_runs": 1, "searched_copies": 1, "searched_questions": 1}


def test_a_near_duplicate_of_a_held_out_text_fails(tmp_path: Path) -> None:
    planted = record("b", f"{HELD} today")
    steps = [step for step in STEPS if step["stage"] != "decontaminate"]
    steps.append({"stage": "decontaminate", "settings": {"holdout": False, "common": 10}})
    with pytest.raises(StepFailed, match="near-duplicate of kb:a"):
        check_copies([shard(tmp_path, record("a", HELD, "holdout"), planted)], steps, None)
    assert check_copies([shard(tmp_path, record("a", HELD, "holdout"), record("b", OTHER))], steps, None)


@pytest.mark.parametrize("steps", [[], STEPS[:1], STEPS[1:2], STEPS[:2]])
def test_a_recipe_without_the_stages_that_take_repeats_out_is_searched_all_the_same(
    tmp_path: Path, steps: list[dict[str, object]]
) -> None:
    """A build without `decontaminate` or `dedup` called itself proven, and trained on its benchmark."""
    held, clean = record("a", HELD, "holdout"), record("b", OTHER)
    told = check_copies([shard(tmp_path, held, clean)], steps, None)
    assert told == {"searched_runs": 1, "searched_copies": 1}
    planted = record("b", f"{OTHER}. {' '.join(HELD.split()[4:17])}. {OTHER[::-1]}")
    with pytest.raises(StepFailed, match=r"run of words.*lacks one that takes repeats out: .*decontaminate"):
        check_copies([shard(tmp_path, held, planted)], steps, None)


def test_a_near_duplicate_is_found_without_dedup_and_nothing_is_searched_without_a_hold_out(tmp_path: Path) -> None:
    steps = [{"stage": "decontaminate", "settings": {"holdout": False, "min_overlap": 0.0, "common": 10}}]
    with pytest.raises(StepFailed, match=r"near-duplicate of kb:a.*lacks one that takes repeats out: dedup"):
        check_copies([shard(tmp_path, record("a", HELD, "holdout"), record("b", f"{HELD} today"))], steps, None)
    assert check_copies([shard(tmp_path, record("a", HELD), record("b", HELD))], [], None) == {}


def test_a_run_in_many_groups_is_boilerplate_without_decontaminate_too(tmp_path: Path) -> None:
    """A footer of every page fails no build; in ten groups it is still a leak."""
    footer = " ".join(HELD.split()[4:20])
    own = [f"page{k} " + " ".join(f"p{k}w{n}" for n in range(40)) for k in range(13)]
    pages = [record(f"p{k}", f"{own[k]}. {footer}", "holdout" if k == 0 else "train") for k in range(13)]
    assert check_copies([shard(tmp_path, *pages[:11])], [], None)["searched_runs"] == 1
    with pytest.raises(StepFailed, match=r"9 training records .*run of words"):
        check_copies([shard(tmp_path, *pages[:10])], [], None)


def test_a_question_of_the_hold_out_in_other_words_fails(tmp_path: Path) -> None:
    held = question("a", "How do I change my account password?", "holdout")
    with pytest.raises(StepFailed, match="kb:b asks what kb:a asks"):
        check_copies([shard(tmp_path, held, question("b", "How can I change my account password?"))], STEPS, None)
    assert check_copies([shard(tmp_path, held, question("b", "How do I print my invoice?"))], STEPS, None)


def test_boilerplate_that_stands_in_many_records_is_no_copy() -> None:
    macro = HELD + " and thank you for travelling with us on this line"
    held = [Text("h", "h", macro)]
    many = [Text(str(k), str(k), macro) for k in range(12)]
    assert len(copies(held, lambda: many[:2], 0.8, common=10)) == 2
    assert copies(held, lambda: many, 0.8, common=10) == []


def test_the_search_misses_no_pair_above_the_threshold() -> None:
    words = [f"w{k}" for k in range(120)]
    held = [Text(f"h{n}", "", " ".join(words[n:] + [f"x{n}"] * n)) for n in range(6)]
    for cut in range(0, 12):
        training = [Text("t", "", " ".join(words[: 120 - cut]))]
        for text in held:

            def grams(value: str) -> set[tuple[str, ...]]:
                parts = value.split()
                return {tuple(parts[k : k + 5]) for k in range(len(parts) - 4)}

            a, b = grams(text.text), grams(training[0].text)
            exact = len(a & b) / len(a | b)
            found = copies([text], lambda training=training: training, 0.8, common=10)  # type: ignore[misc]
            assert bool(found) == (round(exact, 6) >= 0.8), (cut, text.id, exact)


PLANT = '''
from dataclasses import replace
from corpusforge.stage import stage

@stage(version=1)
def plant(records):
    """Gives each training record the words of the last held-out one, as a careless clean-up might."""
    records = list(records)
    held = [record for record in records if record.side == "holdout"]
    for record in records:
        if held and record.side == "train" and record is next(r for r in records if r.side == "train"):
            record = record.with_parts([*record.parts[:-1], record.parts[-1] + " " + held[-1].parts[-1]])
        yield record
'''


@pytest.mark.slow
def test_a_stage_that_carries_the_hold_out_into_training_fails_the_build(workspace: Path) -> None:
    (workspace / "plant.py").write_text(PLANT)
    recipe = workspace / "recipes" / "demo.yaml"
    text = recipe.read_text("utf-8")
    planted = '  also: [{stage: "plant.py:plant", after: decontaminate}]\ngenerate:'
    recipe.write_text(text.replace("generate:", planted, 1))
    words = [sys.executable, "-m", "corpusforge.cli", "build", "recipes/demo.yaml"]
    done = subprocess.run(words, cwd=workspace, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "training records repeat the hold-out" in done.stderr
