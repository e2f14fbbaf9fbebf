"""If the exported benchmark is wrong, a good model looks bad, or a bad one good."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import pyarrow.parquet as pq
import pytest
import yaml

from corpusforge.errors import StepFailed
from corpusforge.evaluate import grading
from corpusforge.evaluate.tasks import closed_set
from corpusforge.evaluate.write import build_eval, verify_seal, write_eval
from corpusforge.record import Message
from corpusforge.shards import sha256_file
from corpusforge.wilson import wilson

from .benchmark_records import ODD, ROLES, held, make_records, shards, talk
from .knowing import Guessing, Knowing


class Reader:
    """Reads and scores an exported folder as lm-evaluation-harness does, with Jinja2, YAML and the file's functions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.templates: dict[str, jinja2.Template] = {}
        self.environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
        loader = type("Loader", (yaml.SafeLoader,), {})
        loader.add_constructor("!function", lambda made, node: made.construct_scalar(node))  # type: ignore[attr-defined]
        self.tasks = {p.stem: yaml.load(p.read_bytes(), loader) for p in sorted((folder / "lm_eval").glob("*.yaml"))}

    def rows(self, task: dict[str, Any]) -> list[dict[str, Any]]:
        lines = (self.folder / task["dataset_kwargs"]["data_files"]["test"]).read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        if "process_docs" in task:
            public = task["process_docs"] == "grading.public_texts"
            rows = [row for row in rows if (row["role"] == "public") == public]
        return rows

    def prompt(self, task: dict[str, Any], row: dict[str, Any]) -> str:
        if task["task"] not in self.templates:
            self.templates[task["task"]] = self.environment.from_string(task["doc_to_text"])
        return self.templates[task["task"]].render(**row)

    def scores(self, name: str, model: Knowing | Guessing) -> Iterator[dict[str, float]]:
        task = self.tasks[name]
        for row in self.rows(task):
            text = self.prompt(task, row)
            if task["output_type"] == "loglikelihood_rolling":
                words = row[task["doc_to_target"]]
                bits = -model.text_likelihood(words) / len(words.encode()) / 0.6931471805599453
                yield {"bits_per_byte": bits}
                continue
            function = getattr(grading, task["process_results"].removeprefix("grading."))
            if task["output_type"] == "multiple_choice":
                assert type(row[task["doc_to_target"]]) is int, "trap 6: gold must stay an integer that we wrote"
                choices = task["doc_to_choice"]
                choices = row[choices] if isinstance(choices, str) else choices
                yield function(row, [(model.likelihood(text, f" {choice}"), False) for choice in choices])
            else:
                assert row[task["doc_to_target"]] == row["answer"]
                yield function(row, [" " + model.said(text)])

    def means(self, name: str, model: Knowing | Guessing) -> dict[str, float]:
        scores = list(self.scores(name, model))
        return {metric: sum(score[metric] for score in scores) / len(scores) for metric in scores[0]}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    write_eval(shards(folder, make_records()[0]), folder, "My corpus", ROLES)
    return folder


def test_trap_6_an_oracle_gets_everything_from_the_task_files(exported: Path):
    """Gold letters encoded as classes shift where no item has its gold first: a perfect model got 0.0."""
    reader, model = Reader(exported / "eval"), Knowing(make_records()[1].answers)
    assert len(reader.tasks) == 7
    assert all(row["gold"] > 0 for row in reader.rows(reader.tasks["my_corpus_mcq_letter"]))
    for name in reader.tasks:
        for metric, value in reader.means(name, model).items():
            assert value == (0.0 if metric in ("near", "bits_per_byte") else 1.0), (name, metric)


def test_a_guesser_gets_what_the_baselines_say(exported: Path):
    reader = Reader(exported / "eval")
    baselines = json.loads((exported / "eval" / "baselines.json").read_text())
    assert reader.tasks.keys() == baselines.keys()
    for name, told in baselines.items():
        rows = reader.rows(reader.tasks[name])
        assert told["items"] == len(rows)
        got = reader.means(name, Guessing([row["answer"] for row in rows if "answer" in row]))
        for metric in ("acc", "acc_norm", "near", "exact"):
            if metric in told["random"]:
                low, high = wilson(round(got[metric] * len(rows)), len(rows))
                assert low <= told["random"][metric] <= high, (name, metric)
        if "bits_per_byte" in got:
            assert got["bits_per_byte"] == pytest.approx(8.0)
        if "graded" in got:
            assert got["graded"] == pytest.approx(told["random"]["graded"], abs=0.06)
    # Options drawn by chance: who sees the options alone knows no more than a guesser.
    probe = baselines["my_corpus_mcq_letter"]["choices_only"]
    assert probe["low"] <= baselines["my_corpus_mcq_letter"]["random"]["acc"] <= probe["high"]


def test_choices_only_finds_a_right_option_that_is_the_longest(tmp_path: Path):
    records = [r for r in make_records(60)[0] if r.kind == "mcq"]
    for number, record in enumerate(records):
        options = list(record.meta["options"])
        options[record.meta["gold"]] += " and so on and so on"
        records[number] = replace(record, meta={**record.meta, "options": options})
    write_eval(shards(tmp_path, records), tmp_path, "long")
    told = json.loads((tmp_path / "eval" / "baselines.json").read_text())["long_mcq_letter"]["choices_only"]
    assert told["acc"] > 0.9


def test_every_format_asks_the_same_bytes(exported: Path):
    """Figures of two frameworks cannot be compared where their prompts differ by a blank."""
    reader = Reader(exported / "eval")
    hashes = json.loads((exported / "eval" / "hashes.json").read_text())
    told = {task["name"]: task for task in json.loads((exported / "eval" / "tasks.json").read_text())["tasks"]}
    assert told.keys() == reader.tasks.keys() == hashes.keys()
    for name, task in reader.tasks.items():
        if task["output_type"] == "loglikelihood_rolling":
            continue
        for row in reader.rows(task):
            text = reader.prompt(task, row)
            options = told[name]["labels"] or row.get("choices", [])
            options = options if told[name]["prompt"]["option"] else []
            assert grading.rendered(told[name]["prompt"], row, options) == text
            assert hashlib.sha256(text.encode()).hexdigest() == hashes[name][row["id"]]["prompt_hash"]


def test_text_that_looks_like_a_template_or_a_number_stays_text(exported: Path):
    reader = Reader(exported / "eval")
    answers = {row["answer"] for row in reader.rows(reader.tasks["my_corpus_qa_open"])}
    assert set(ODD) <= answers
    # A template's target that reads as a number or list would be evaluated; a column's name is not.
    assert {task["doc_to_target"] for task in reader.tasks.values()} == {"gold", "answer", "text"}


def test_trap_20_only_the_held_out_side_is_exported_and_each_row_once(tmp_path: Path):
    records = make_records(30)[0]
    report = build_eval(shards(tmp_path, records), tmp_path, "x", ROLES)
    assert (report["qa"], report["mcq"], report["tasks"]) == (30, 30, {"cmds": 30, "intents": 30})
    assert report["texts"] == {"books": 20, "kb": 30}
    assert report["unproven"] == 0
    held_out = {record.id for record in records if record.side == "holdout"}
    found = [
        identity
        for table in ("qa", "mcq", "tasks/intents", "tasks/cmds", "holdout_text")
        for identity in pq.read_table(tmp_path / "eval" / f"{table}.parquet").column("id").to_pylist()
    ]
    assert sorted(found) == sorted(held_out)
    for file in report["files"]:
        assert sha256_file(tmp_path / file["path"]) == file["sha256"]
    on_disk = {p.relative_to(tmp_path).as_posix() for p in (tmp_path / "eval").rglob("*") if p.is_file()}
    assert on_disk == {file["path"] for file in report["files"]}


def test_traps_7_and_8_the_source_itself_stands_in_the_row(exported: Path):
    """A judge that sees a summary, or nothing, of the source approves what the source does not say."""
    for line in (exported / "eval" / "qa.jsonl").read_text().splitlines():
        row = json.loads(line)
        (place,) = row["evidence"]
        assert place["text"] == row["answer"] or row["answer"] in ODD
        assert grading.source_of(row) == place["text"]


def test_evidence_outside_the_held_out_side_is_missed_and_counted(tmp_path: Path):
    meta = {"evidence": [{"record": "kb:9", "start": 0, "end": 4}]}
    rows = [
        talk("qa:1", "qa", "Q?", "A", meta=meta), replace(held("kb:9", "article"), side="train"),
        talk("qa:2", "qa", "R?", "B", meta={"evidence": [{"record": "kb:8", "start": 0, "end": 400}]}), held("kb:8", "doc"),
        talk("qa:3", "qa", "S?", "Not said.", meta={"answerable": False, "context": {"start": 0, "end": 4}}, parents=("kb:8",)),
    ]  # fmt: skip
    report = build_eval(shards(tmp_path, rows, 2), tmp_path)
    assert report["unproven"] == 2
    found = [json.loads(line) for line in (tmp_path / "eval" / "qa.jsonl").read_text().splitlines()]
    assert [row["answerable"] for row in found] == [True, True, False]
    assert [grading.source_of(row) for row in found] == ["", "", "text"]


def test_an_oracle_cannot_be_asked_what_has_two_right_answers(tmp_path: Path):
    """Ten of the real command pairs hold the same request with another command; no model could have both."""
    twice = [talk(f"cmd:{k}", "labelled", "List.", a, source="cmds") for k, a in enumerate(("ls", "dir", "LS."))]
    asked = [
        talk("qa:2", "qa", "Q?", "B", meta={"evidence": [{"record": "kb:2", "start": 0, "end": 4}]}, parents=("kb:2",)),
        talk("qa:1", "qa", "Q?", "A", meta={"evidence": [{"record": "kb:1", "start": 0, "end": 4}]}, parents=("kb:1",)),
        held("kb:1", "doc"), held("kb:2", "doc"),
    ]  # fmt: skip
    good, other = [record for record in make_records(2)[0] if record.kind == "mcq"]
    swapped = replace(good, id="mcq:z", meta={**good.meta, "gold": 0, "near": [1], "far": []})
    copied = replace(other, id="mcq:y")
    labels = [talk(f"in:{k}", "labelled", f"say {k % 8}", "ab"[k // 8 % 2], source="intents") for k in range(16)]
    report = build_eval(shards(tmp_path, [*twice, *asked, good, swapped, other, copied, *labels]), tmp_path)
    assert report["merged"] == {"qa": 1, "tasks/cmds": 2}
    assert report["items_left_out"] == {"mcq": 3, "tasks/intents": 16}
    (row,) = [json.loads(line) for line in (tmp_path / "eval" / "qa.jsonl").read_text().splitlines()]
    assert (row["id"], row["also"], row["parents"]) == ("qa:1", ["qa:2"], ["kb:1", "kb:2"])
    assert [grading.open_answer(row, [said])["exact"] for said in ("a", "b", "c")] == [1.0, 1.0, 0.0]
    assert grading.reference_of(row) == "A\n\nor:\n\nB"
    (row,) = [json.loads(line) for line in (tmp_path / "eval" / "tasks" / "cmds.jsonl").read_text().splitlines()]
    assert row["answers"] == ["ls", "dir"]
    assert report["mcq"] == 1
    assert "intents" not in report["tasks"]


def test_parquet_and_json_lines_hold_the_same(exported: Path):
    for table in ("qa", "mcq", "tasks/intents", "tasks/cmds", "holdout_text"):
        path = exported / "eval" / table
        lines = [json.loads(line) for line in Path(f"{path}.jsonl").read_text().splitlines()]
        assert pq.read_table(f"{path}.parquet").to_pylist() == lines


def test_the_benchmark_does_not_depend_on_shards(tmp_path: Path):
    records = make_records(30)[0]
    one = write_eval(shards(tmp_path / "a", records, 1), tmp_path / "one", "x", ROLES, texts_per_source=7)
    two = write_eval(shards(tmp_path / "b", records[::-1], 3), tmp_path / "two", "x", ROLES, texts_per_source=7)
    assert one == two
    assert one.texts == {"books": 7, "kb": 7}
    assert one.texts_left_out == {"books": 13, "kb": 23}


@pytest.mark.parametrize("path", ["mcq.jsonl", "lm_eval/grading.py", "tasks.json", "inspect/judge.txt"])
def test_a_changed_file_breaks_the_seal(tmp_path: Path, path: str):
    write_eval(shards(tmp_path, make_records(8)[0]), tmp_path)
    assert verify_seal(tmp_path) == []
    changed = tmp_path / "eval" / path
    changed.write_bytes(changed.read_bytes() + b" ")
    assert verify_seal(tmp_path) == [f"eval/{path}"]


def test_an_item_that_cannot_be_scored_stops_the_build(tmp_path: Path):
    """An item without a right answer lowers every model's score and nobody sees it."""
    good = next(record for record in make_records(1)[0] if record.kind == "mcq")
    for meta in ({"gold": 4}, {"gold": "B"}, {"gold": True}, {"options": ["a", "a ", "b"]}, {"question": " "}):
        with pytest.raises(StepFailed, match="cannot be scored"):
            write_eval(shards(tmp_path, [replace(good, meta={**good.meta, **meta})], 1), tmp_path)
    for bad in (talk("qa:1", "qa", "Q?", "  "), talk("qa:1", "qa", "Q?", "A").with_messages((Message("user", "Q?"),))):
        with pytest.raises(StepFailed, match="cannot be scored"):
            write_eval(shards(tmp_path, [bad], 1), tmp_path)


def test_nothing_is_written_where_nothing_is_held_out(tmp_path: Path):
    report = build_eval(shards(tmp_path, [replace(held("a", "doc"), side="train")], 1), tmp_path)
    assert report["files"] == []
    assert not (tmp_path / "eval").exists()


def test_labels_are_a_closed_set_only_where_they_repeat():
    """A summary is no label; a label that is met in training only is an answer as possible as the others."""
    assert closed_set({"yes": 30, "no": 12}) == ("no", "yes")
    assert closed_set({f"summary {k}": 1 for k in range(40)}) == ()
    assert closed_set({"yes": 30, "Yes!": 30}) == ()
    assert closed_set({"only": 99}) == ()
    assert closed_set({f"intent {k}": 9 for k in range(201)}) == ()


def test_datasets_can_load_the_benchmark(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    import datasets

    for table in ("qa", "mcq", "tasks/intents", "holdout_text"):
        for builder, suffix in (("json", "jsonl"), ("parquet", "parquet")):
            file = str(exported / "eval" / f"{table}.{suffix}")
            loaded = datasets.load_dataset(builder, data_files=file, split="train", cache_dir=str(tmp_path / "cache"))
            assert len(loaded) > 0


def test_the_folder_says_how_to_run_it(exported: Path):
    text = (exported / "eval" / "README.md").read_text()
    for task in Reader(exported / "eval").tasks:
        assert f"`{task}`" in text
    assert "lm_eval run --include_path lm_eval --tasks my_corpus" in text
    assert "inspect/benchmark.py@my_corpus_qa_open_judged" in text
    assert "{" not in re.sub(r"`[^`]*`", "", text)


def test_the_inspect_file_needs_nothing_but_inspect_and_the_folder(exported: Path):
    """It is compiled here and run in tests/evaluate/test_frameworks.py."""
    text = (exported / "eval" / "inspect" / "benchmark.py").read_text()
    compile(text, "benchmark.py", "exec")
    assert set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE)) == {
        "importlib",
        "json",
        "pathlib",
        "inspect_ai",
    }
    assert "tiktoken" not in text
    grades = (exported / "eval" / "inspect" / "grading.py").read_text()
    assert set(re.findall(r"^(?:import|from) (\w+)", grades, re.MULTILINE)) == {
        "__future__",
        "re",
        "string",
        "collections",
        "typing",
    }
