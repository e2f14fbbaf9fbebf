"""If a pair is not the right answer against a wrong one to the same question, preference tuning unteaches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from corpusforge.errors import Problems
from corpusforge.mix.preference import write_preference
from corpusforge.mix.write import MixSpec, write_mix
from corpusforge.preference_settings import Preference
from corpusforge.recipe import read_recipe
from corpusforge.record import Message, Record


def item(make: SimpleNamespace, number: int, near: int = 1, **more: Any) -> Record:
    """An item with one right option, `near` slightly wrong and two completely wrong ones."""
    options = [f"option {number}.{place}" for place in range(3 + near)]
    gold = number % len(options)
    wrong = [place for place in range(len(options)) if place != gold]
    meta = {"options": options, "gold": gold, "near": wrong[:near], "far": wrong[near:]}
    record = make.talk("kb", number, "mcq", meta=meta, **more)
    listed = "\n".join(f"{'ABCDEFG'[place]}. {text}" for place, text in enumerate(options))
    answer = f"{'ABCDEFG'[gold]}. {options[gold]}"
    return record.with_messages((Message("user", f"Which is {number}?\n{listed}"), Message("assistant", answer)))


@pytest.fixture
def records(make: SimpleNamespace) -> list[Record]:
    rows = [item(make, number, near=number % 3) for number in range(30)]
    rows += [item(make, number, side="holdout") for number in range(900, 904)]
    rows += [make.talk("kb", number, "qa") for number in range(40)]
    broken = item(make, 500)
    rows.append(broken.with_messages((broken.messages[0], Message("assistant", "It depends."))))  # type: ignore[index]
    return list(make.counted(rows))


def write(
    folder: Path, make: SimpleNamespace, records: list[Record], shards: int = 3, against: str = "near"
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    paths = make.sharded(folder / "in", records, shards)
    tree = make.output("instruct", {"mcq": "rest", "qa": "30%"}, epochs=2)
    report = write_mix(paths, MixSpec(None, tree, 7), folder / "out")["instruct"].to_json()
    told = write_preference(paths, Preference(against=against), 7, report, folder / "out")  # type: ignore[arg-type]
    return told, [row for file in told["files"] for row in pq.read_table(folder / "out" / file["path"]).to_pylist()]


def test_each_item_of_the_mix_gives_its_pairs_once_however_often_it_is_repeated(
    tmp_path: Path, make: SimpleNamespace, records: list[Record]
) -> None:
    told, pairs = write(tmp_path, make, records)
    wanted = {(record.id, place) for record in records[:30] for place in record.meta["near"]}
    by_id = {record.id: record for record in records}
    found = set()
    for row in pairs:
        meta, said = by_id[row["id"]].meta, row["rejected"][0]["content"]
        assert row["chosen"] == [{"role": "assistant", "content": by_id[row["id"]].messages[1].content}]  # type: ignore[index]
        assert [turn["role"] for turn in row["prompt"]] == ["user"]
        found.add((row["id"], meta["options"].index(said.partition(". ")[2])))
        assert said in row["prompt"][0]["content"].splitlines()
    assert found == wanted
    assert len(pairs) == len(wanted) == told["pairs"]
    assert told["items"] == 31
    assert told["left_out"] == {"no-near-option": 10, "answer-is-no-option": 1}
    assert told["sources"] == {"kb": len(wanted)}


def test_against_all_wrong_answers_each_with_its_grade(
    tmp_path: Path, make: SimpleNamespace, records: list[Record]
) -> None:
    told, pairs = write(tmp_path, make, records, against="all")
    grades = {grade: sum(row["grade"] == grade for row in pairs) for grade in ("near", "far")}
    assert grades == {kind: sum(len(record.meta[kind]) for record in records[:30]) for kind in ("near", "far")}
    assert told["left_out"] == {"answer-is-no-option": 1}


def test_bytes_do_not_depend_on_how_records_are_sharded(
    tmp_path: Path, make: SimpleNamespace, records: list[Record]
) -> None:
    one, _ = write(tmp_path / "one", make, records, 1, "all")
    two, _ = write(tmp_path / "two", make, records[::-1], 5, "all")
    assert one == two


def test_a_held_out_item_is_refused_even_where_the_mix_names_it(
    tmp_path: Path, make: SimpleNamespace, records: list[Record]
) -> None:
    """The hold-out would be taught by its wrong answers."""
    from corpusforge.errors import StepFailed

    write(tmp_path, make, records)
    moved = [replace(record, side="holdout") for record in records]
    report = {"got_tokens": 1, "files": [{"path": "instruct/" + p.name} for p in (tmp_path / "out/instruct").iterdir()]}
    with pytest.raises(StepFailed, match="held-out"):
        write_preference(make.sharded(tmp_path / "b", moved), Preference(), 7, report, tmp_path / "out")


@pytest.mark.parametrize(
    ("generate", "mix", "said"),
    [
        ("{mcq: {}}", "{completion: {tokens: all}, preference: {}}", "has none"),
        ("{qa: {}}", "{completion: {tokens: all}, instruct: {rows: all, qa: rest}, preference: true}", "has none"),
        ("{mcq: {}}", "{instruct: {rows: all, mcq: rest}, preference: {against: far}}", "near"),
        ("{mcq: {}}", "{instruct: {rows: all, mcq: rest}, preference: 3}", "mapping"),
        ("{mcq: {}}", "{preference: {}}", "empty"),
    ],
)
def test_pairs_of_nothing_are_refused_before_a_build(
    demo_workspace: Path, tmp_path: Path, generate: str, mix: str, said: str
) -> None:
    import shutil

    workspace = tmp_path / "workspace"
    shutil.copytree(demo_workspace, workspace)
    path = workspace / "recipes" / "pairs.yaml"
    sources = "{domain: [demo-help], public: [demo-python]}"
    path.write_text(f"name: pairs\ntokenizer: bytes\nsources: {sources}\ngenerate: {generate}\nmix: {mix}\n")
    with pytest.raises(Problems, match=said):
        read_recipe(path)
    good = (
        path.read_text().replace(generate, "{mcq: {}}").replace(mix, "{instruct: {rows: all, mcq: rest}, preference:}")
    )
    path.write_text(good)
    found = read_recipe(path)
    assert found.preference is not None
    assert found.preference.against == "near"
