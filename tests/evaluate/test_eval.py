"""If the exported benchmark is wrong, a good model looks bad, or a bad one good."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import pyarrow.parquet as pq
import pytest
import yaml

from corpusforge.errors import StepFailed
from corpusforge.evaluate.score import read_items, score_answers, score_choices, wilson
from corpusforge.evaluate.write import build_eval, verify_seal, write_eval
from corpusforge.record import Message, Origin, Record
from corpusforge.shards import sha256_file, write_records


def held(identity: str, kind: str, source: str = "kb", **more: Any) -> Record:
    facts: dict[str, Any] = {"text": f"text of {identity}", "origin": Origin("f", 0, 1), "side": "holdout", **more}
    return Record(identity, source, kind, **facts)  # type: ignore[arg-type]


def talk(identity: str, kind: str, question: str, answer: str, **more: Any) -> Record:
    return held(identity, kind, **more).with_messages((Message("user", question), Message("assistant", answer)))


def mcq(number: int, gold: int, options: tuple[str, ...] = ("alpha", "beta", "gamma", "delta")) -> Record:
    others = [index for index in range(len(options)) if index != gold]
    options = tuple(f"{option} {number}" for option in options)
    meta = {
        "question": f" What is {{{{{number}}}}}? ",
        "answer": options[gold],
        "options": list(options),
        "gold": gold,
        "near": others[:1],
        "far": others[1:],
    }
    return talk(f"mcq:{number:03d}", "mcq", "What?", "ABCD"[gold], meta=meta, parents=("kb:1",))


@pytest.fixture
def records() -> list[Record]:
    rows = [mcq(k, (k * 3 + 1) % 4) for k in range(40)] + [mcq(90, 2, ("yes", "no", "perhaps"))]
    rows += [talk(f"qa:{k}", "qa", f"Who is number {k}?", f"The one, no. {k}!", parents=("kb:1",)) for k in range(20)]
    rows += [talk(f"nl:{k}", "labelled", f"Write it.\n\nlist {k}", f"ls -{k}", source="nl2bash") for k in range(15)]
    rows += [talk(f"rd:{k}", "reading", "a", "b") for k in range(3)]
    rows += [held(f"kb:{k:03d}", "article") for k in range(30)]
    rows += [replace(held(f"tr:{k}", "article"), side="train") for k in range(30)]
    return rows


def shards(folder: Path, records: list[Record], count: int = 2) -> list[Path]:
    paths = [folder / f"in-{number}.parquet" for number in range(count)]
    for number, path in enumerate(paths):
        write_records(path, records[number::count])
    return paths


def test_an_oracle_gets_everything_and_a_guesser_a_quarter(tmp_path: Path, records: list[Record]):
    """The test that would have caught shifted labels in published exports."""
    write_eval(shards(tmp_path, records), tmp_path)
    keys = {record.meta["question"]: record.meta["answer"] for record in records if record.kind == "mcq"}
    items = list(read_items(tmp_path / "eval" / "mcq.jsonl"))
    oracle = score_choices(items, lambda question, options: options.index(keys[question]))
    assert (oracle.accuracy, oracle.near, oracle.far) == (1.0, 0, 0)
    dice = random.Random(1)
    guesser = score_choices(items * 50, lambda _, options: dice.randrange(len(options)))
    low, high = wilson(guesser.right, guesser.items)
    assert low < 0.252 < high
    assert guesser.right + guesser.near + guesser.far == guesser.items
    answers = {f"Who is number {k}?": f"the one no {k}" for k in range(20)}
    exact = score_answers(read_items(tmp_path / "eval" / "qa.jsonl"), answers.__getitem__)
    assert (exact.items, exact.exact, exact.f1) == (20, 20, 1.0)
    tasks = score_answers(read_items(tmp_path / "eval" / "tasks" / "nl2bash.jsonl"), lambda prompt: "ls")
    assert (tasks.items, tasks.exact) == (15, 0)
    assert 0 < tasks.f1 < 1


def test_lm_eval_tasks_ask_and_score_what_the_rows_say(tmp_path: Path, records: list[Record]):
    write_eval(shards(tmp_path, records), tmp_path, "My corpus")
    tasks = {path.stem: yaml.safe_load(path.read_text()) for path in (tmp_path / "eval" / "lm_eval").iterdir()}
    assert set(tasks) == {"my_corpus_mcq_letter", "my_corpus_mcq_cloze", "my_corpus_qa_open", "my_corpus_task_nl2bash"}
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    for name, task in tasks.items():
        assert task["task"] == name
        rows = list(read_items(tmp_path / "eval" / task["dataset_kwargs"]["data_files"]["test"]))
        assert rows
        for row in rows:
            text = environment.from_string(task["doc_to_text"]).render(**row)
            assert text.endswith("Answer:")
            assert (row.get("prompt") or row["question"].strip()) in text
            if task["output_type"] == "multiple_choice":
                assert type(row[task["doc_to_target"]]) is int
                assert row[task["doc_to_choice"]][row["gold"]] in ("ABCD"[row["gold"]], row["choices"][row["gold"]])
            else:
                assert environment.from_string(task["doc_to_target"]).render(**row) == row["answer"]
    letter = environment.from_string(tasks["my_corpus_mcq_letter"]["doc_to_text"])
    assert letter.render(question="Q? ", choices=["x", "y"], letters=["A", "B"]) == "Q?\nA. x\nB. y\nAnswer:"


def test_only_the_held_out_side_is_exported_and_each_row_once(tmp_path: Path, records: list[Record]):
    report = build_eval(shards(tmp_path, records), tmp_path)
    assert (report["qa"], report["mcq"], report["tasks"], report["texts"]) == (20, 41, {"nl2bash": 15}, {"kb": 30})
    ids = pq.read_table(tmp_path / "eval" / "holdout_text.parquet").column("id").to_pylist()
    assert ids == [f"kb:{k:03d}" for k in range(30)]
    for file in report["files"]:
        assert sha256_file(tmp_path / file["path"]) == file["sha256"]


def test_parquet_and_json_lines_hold_the_same(tmp_path: Path, records: list[Record]):
    write_eval(shards(tmp_path, records), tmp_path)
    for table in ("qa", "mcq", "tasks/nl2bash", "holdout_text"):
        path = tmp_path / "eval" / table
        assert pq.read_table(f"{path}.parquet").to_pylist() == list(read_items(Path(f"{path}.jsonl")))


def test_the_benchmark_does_not_depend_on_shards(tmp_path: Path, records: list[Record]):
    one = write_eval(shards(tmp_path / "a", records, 1), tmp_path / "one", texts_per_source=7)
    two = write_eval(shards(tmp_path / "b", records[::-1], 3), tmp_path / "two", texts_per_source=7)
    assert one == two
    assert one.texts == {"kb": 7}
    assert one.texts_left_out == {"kb": 23}


def test_a_changed_item_breaks_the_seal(tmp_path: Path, records: list[Record]):
    write_eval(shards(tmp_path, records), tmp_path)
    assert verify_seal(tmp_path) == []
    path = tmp_path / "eval" / "mcq.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"gold":1', b'"gold":2', 1))
    assert verify_seal(tmp_path) == ["eval/mcq.jsonl"]


def test_an_item_that_cannot_be_scored_stops_the_build(tmp_path: Path):
    """An item without a right answer lowers every model's score and nobody sees it."""
    for meta in ({"gold": 4}, {"gold": "B"}, {"options": ["a", "a", "b", "c"]}, {"question": " "}):
        good = mcq(1, 1)
        bad = replace(good, meta={**good.meta, **meta})
        with pytest.raises(StepFailed, match="cannot be scored"):
            write_eval(shards(tmp_path, [bad], 1), tmp_path)


def test_nothing_is_written_where_nothing_is_held_out(tmp_path: Path):
    report = build_eval(shards(tmp_path, [replace(held("a", "doc"), side="train")], 1), tmp_path)
    assert report["files"] == []
    assert not (tmp_path / "eval").exists()


def test_datasets_can_load_the_benchmark(tmp_path: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    import datasets

    write_eval(shards(tmp_path, records), tmp_path)
    for table in ("qa", "mcq", "tasks/nl2bash", "holdout_text"):
        for builder, suffix in (("json", "jsonl"), ("parquet", "parquet")):
            file = str(tmp_path / "eval" / f"{table}.{suffix}")
            loaded = datasets.load_dataset(builder, data_files=file, split="train", cache_dir=str(tmp_path / "cache"))
            assert len(loaded) > 0
    assert wilson(0, 0) == (0.0, 1.0)


def test_a_right_answer_after_a_blank_is_right(tmp_path: Path, records: list[Record]):
    """lm-evaluation-harness compares what a model wrote after "Answer:" as it is; a perfect model scored 0."""
    write_eval(shards(tmp_path, records), tmp_path)
    tasks = [yaml.safe_load(path.read_text()) for path in (tmp_path / "eval" / "lm_eval").iterdir()]
    open_tasks = [task for task in tasks if task["output_type"] == "generate_until"]
    assert open_tasks
    for task in open_tasks:
        (chain,) = task["filter_list"]
        regex, first = chain["filter"]
        assert first == {"function": "take_first"}
        for said in (" card_arrival", "card_arrival\n", "\n card_arrival  "):
            assert re.findall(regex["regex_pattern"], said) == ["card_arrival"]
        assert re.findall(regex["regex_pattern"], " one\n\ntwo ") == ["one\n\ntwo"]
