"""If `evaluate` misreads, loses or flatters answers, the wrong model is shipped."""

from __future__ import annotations

import csv
import json
import math
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from corpusforge.cli import app
from corpusforge.errors import CorpusforgeError, GateFailed, Problems, StepFailed, UsageError
from corpusforge.evaluate.answering import Asked, read_benchmark, sit
from corpusforge.evaluate.intervals import bootstrap
from corpusforge.evaluate.likelihoods import figures, score_tasks, windows
from corpusforge.evaluate.write import write_eval
from corpusforge.evaluation import read_model
from corpusforge.generate.engines import local_server
from corpusforge.manifest import FORMAT, write_manifest

from .benchmark_records import ROLES, Truth, make_records, shards
from .chat_server import ChatServer
from .knowing import OPTION, Guessing, Knowing
from .scripted_model import Scripted, broken, fair_judge, first_judge

ITEMS = 60


@pytest.fixture(scope="module")
def truth() -> Truth:
    return make_records(ITEMS)[1]


@pytest.fixture
def build(tmp_path: Path) -> Path:
    folder = tmp_path / "builds" / "demo" / "abc123"
    write_eval(shards(tmp_path, make_records(ITEMS)[0]), folder, "demo", ROLES)
    write_manifest(folder, {"format": FORMAT, "name": "demo", "build": "abc123"})
    return folder


def half_right(truth: Truth) -> Knowing:
    """Knows every second answer."""
    wrong = {
        question: answer if n // 4 % 2 else "no idea" for n, (question, answer) in enumerate(truth.answers.items())
    }
    knowing = Knowing(wrong)
    plain = knowing.said

    def said(prompt: str) -> str:
        try:
            return plain(prompt)
        except StopIteration:
            return "X"

    knowing.said = said  # type: ignore[method-assign]
    return knowing


def means(build: Path, model: Scripted, *, rotations: bool = False, tasks: tuple[str, ...] = ()) -> dict[str, Any]:
    asked, _ = read_benchmark(build, tasks, None)
    sitting = sit(asked, model, rotations)
    return {
        task: {metric: sum(a.scores[metric] for a in answers) / len(answers) for metric in answers[0].scores}
        | {"troubles": sitting.troubles(task)}
        for task, answers in sitting.answers.items()
    }


def test_a_perfect_model_gets_everything(build: Path, truth: Truth):
    model = Scripted(Knowing(truth.answers).said)
    for rotations in (False, True):
        found = means(build, model, rotations=rotations)
        assert set(found) == {"demo_mcq_letter", "demo_qa_open", "demo_task_cmds", "demo_task_intents"}
        for task, told in found.items():
            assert told.pop("troubles") == {}
            assert told == {metric: 0.0 if metric == "near" else 1.0 for metric in told}, task


def test_a_model_that_always_says_a_is_found_out_by_rotations(build: Path):
    """No item has its right option first: in one order it gets nothing, over all orders its chance, never consistent."""
    model = Scripted(lambda prompt: "A")
    assert means(build, model, tasks=("letter",))["demo_mcq_letter"]["acc"] == 0.0
    told = means(build, model, tasks=("letter",), rotations=True)["demo_mcq_letter"]
    baselines = json.loads((build / "eval" / "baselines.json").read_text())["demo_mcq_letter"]["random"]
    assert told["acc"] == pytest.approx(baselines["acc"], abs=1e-6)
    assert told["graded"] == pytest.approx(baselines["graded"], abs=1e-6)
    assert told["consistent"] == 0.0


def test_a_model_that_mutters_gets_nothing_and_is_counted(build: Path):
    found = means(build, Scripted(lambda prompt: "Well, that depends on many things."))
    assert found["demo_mcq_letter"]["troubles"] == {"unparsable": ITEMS}
    assert found["demo_task_intents"] == {"acc": 0.0, "troubles": {"unparsable": ITEMS}}
    assert found["demo_qa_open"]["troubles"] == {}
    dead = means(build, broken)  # type: ignore[arg-type]
    assert all(told["troubles"] == {"timeout": ITEMS} for told in dead.values())
    assert all(value == 0.0 for told in dead.values() for metric, value in told.items() if metric != "troubles")


def test_a_smaller_limit_asks_a_part_of_a_larger_one(build: Path):
    def ids(limit: int) -> set[str]:
        asked, _ = read_benchmark(build, ("letter",), limit)
        return {row["id"] for task in asked for row in task.rows}

    assert len(ids(10)) == 10
    assert ids(10) < ids(25) < ids(1000)


def test_a_changed_benchmark_is_not_asked(build: Path):
    with pytest.raises(UsageError, match="no task 'lettre'"):
        read_benchmark(build, ("lettre",), None)
    path = build / "eval" / "mcq.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"gold":1', b'"gold":2', 1))
    with pytest.raises(StepFailed, match=r"mcq\.jsonl is not what the seal says"):
        read_benchmark(build, (), None)
    (build / "eval" / "SEAL.json").unlink()
    with pytest.raises(UsageError, match="has no benchmark"):
        read_benchmark(build, (), None)


@pytest.fixture
def server(truth: Truth) -> Iterator[ChatServer]:
    right, guesser = Knowing(truth.answers), Guessing(sorted(truth.answers.values()))
    models = {"tuned": right.said, "base": half_right(truth).said, "guesser": guesser.said, "judge": fair_judge}
    models |= {"orderly": first_judge, "flat": lambda prompt: "Good.\ncorrect"}
    with ChatServer(
        models, {"tuned": lambda text: held_likely(right, text, 3), "base": lambda text: held_likely(right, text, 2)}
    ) as running:
        yield running


def held_likely(model: Knowing, text: str, bits: int) -> float:
    """So many bits for each byte; what follows a question is unlikely unless it is right."""
    question, _, option = text.partition("\nAnswer: ")
    wrong = bool(option) and bits == 3 and option not in model.right(question)
    return -bits * math.log(2) * len(text.encode()) - 900.0 * wrong


def evaluate(*words: str) -> Any:
    done = CliRunner().invoke(app, ["evaluate", *words], catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_two_models_and_a_judge_end_to_end(build: Path, server: ChatServer, tmp_path: Path):
    words = [str(build), "--model", server.model("tuned"), "--against", server.model("base")]
    done = evaluate(*words, "--judge", server.model("judge"), "--json", "--quiet")
    report = json.loads(done.stdout)
    assert (report["recipe"], report["build"], len(report["seal"])) == ("demo", "abc123", 64)
    tasks = {task["task"]: task for task in report["tasks"]}
    letter, qa = tasks["demo_mcq_letter"], tasks["demo_qa_open"]
    assert letter["models"]["A"]["metrics"]["acc"]["value"] == 1.0
    assert letter["models"]["A"]["metrics"]["acc"]["low"] > 0.9
    assert letter["difference"]["acc"]["low"] > 0
    assert letter["difference"]["acc"]["only_second"] == 0
    assert letter["difference"]["acc"]["mcnemar_p"] < 0.001
    assert letter["baselines"]["random"]["acc"] < 0.3
    assert qa["models"]["A"]["metrics"]["correct"]["value"] == 1.0
    assert 0.4 < qa["models"]["B"]["metrics"]["correct"]["value"] < 0.6
    assert report["pairs"][0]["outcomes"]["first"] == ITEMS // 2
    assert report["pairs"][0]["flip_rate"] == 0.0
    assert 0.0 <= report["pairs"][0]["longer_share"] <= 1.0
    assert report["judge"]["calibration"]["state"] == "not calibrated"
    assert {one["task"] for one in report["not_run"]} == {"demo_mcq_cloze", "demo_text_domain", "demo_text_public"}
    assert all(body["temperature"] == 0.0 for _, _, body in server.asked)
    place = Path(report["report"]).parent
    assert place.parent == build.parent / "evaluations"
    assert {path.name for path in place.iterdir()} == {
        "report.json", "report.md", "answers-a.jsonl", "answers-b.jsonl", "calibration.csv",
    }  # fmt: skip
    told = {key: (one["name"], one["revision"]) for key, one in report["models"].items()}
    assert told == {"A": ("tuned", ""), "B": ("base", "")}
    text = (place / "report.md").read_text()
    assert "not calibrated" in text
    assert "demo_mcq_cloze was not run" in text
    # Again: everything comes from the cache, and the same bytes are written.
    before, calls = {path.name: path.read_bytes() for path in place.iterdir()}, len(server.asked)
    evaluate(*words, "--judge", server.model("judge"), "--quiet")
    assert len(server.asked) == calls
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


def test_likelihoods_are_scored_where_a_server_gives_them(build: Path, server: ChatServer):
    """What an adapted model forgets shows in the public texts beside those of the domain."""
    words = [str(build), "--model", server.model("tuned"), "--against", server.model("base"), "--likelihoods"]
    report = json.loads(evaluate(*words, "--json", "--quiet").stdout)
    tasks = {task["task"]: task for task in report["tasks"]}
    assert report["not_run"] == []
    assert tasks["demo_mcq_cloze"]["models"]["A"]["metrics"]["acc"]["value"] == 1.0
    # The base prefers short options: not knowing the answer is no longer hidden by its letters.
    assert tasks["demo_mcq_cloze"]["models"]["B"]["metrics"]["acc"]["value"] < 0.7
    for name in ("demo_text_domain", "demo_text_public"):
        assert tasks[name]["models"]["A"]["metrics"]["bits_per_byte"]["value"] == pytest.approx(3.0)
        assert tasks[name]["models"]["B"]["metrics"]["bits_per_byte"]["value"] == pytest.approx(2.0)
        assert tasks[name]["difference"]["bits_per_byte"]["value"] == pytest.approx(1.0)
        assert tasks[name]["baselines"]["random"]["bits_per_byte"] == 8.0
    asked = len(server.asked)
    evaluate(*words, "--quiet")
    assert len(server.asked) == asked, "likelihoods are paid for once, too"


def test_a_server_without_likelihoods_ends_the_command_after_its_report(build: Path, truth: Truth, tmp_path: Path):
    """The answers were paid for: what could be asked is told, and what could not is named."""
    out = tmp_path / "out"
    with ChatServer({"tuned": Knowing(truth.answers).said}) as plain, pytest.raises(StepFailed, match="unsupported"):
        evaluate(str(build), "--model", plain.model("tuned"), "--likelihoods", "--quiet", "--out", str(out))
    report = json.loads((out / "report.json").read_text())
    assert "demo_mcq_letter" in {task["task"] for task in report["tasks"]}
    assert {one["task"] for one in report["not_run"]} == {"demo_mcq_cloze", "demo_text_domain", "demo_text_public"}
    assert all("of model A" in one["why"] and "unsupported" in one["why"] for one in report["not_run"])
    assert "demo_mcq_cloze was not run: it needs likelihoods" in (out / "report.md").read_text()


def test_a_model_is_never_compared_with_itself(build: Path, truth: Truth, tmp_path: Path):
    """Two servers that call their models alike had one cache, and the tuned model was no better than its base."""
    more = ["--task", "letter", "--quiet", "--json"]
    with ChatServer({"m": Knowing(truth.answers).said}) as tuned, ChatServer({"m": lambda prompt: "X"}) as base:
        one, two = tuned.model("m"), base.model("m")
        report = json.loads(evaluate(str(build), "--model", one, "--against", two, *more).stdout)
        models = report["tasks"][0]["models"]
        assert [models[key]["metrics"]["acc"]["value"] for key in "AB"] == [1.0, 0.0]
        places = [report["models"][key]["address"] for key in "AB"]
        assert all(place in said for place, said in zip(places, (one, two), strict=True))
        assert "Model A has no revision" in Path(report["report"]).read_text()
        for again in (one, f"{one},timeout=9", one.replace("/v1", "/v1/")):
            with pytest.raises(UsageError, match="are the same model"):
                evaluate(str(build), "--model", one, "--against", again, *more)
        with pytest.raises(UsageError, match="are the same model"):
            evaluate(str(build), "--model", f"{one},revision=r1", "--against", f"{two},revision=r1", *more)
        told = json.loads(
            evaluate(str(build), "--model", f"{one},revision=r1", "--against", f"{one},revision=r2", *more).stdout
        )
    assert [told["models"][key]["revision"] for key in "AB"] == ["r1", "r2"]
    assert "127.0.0.1" not in json.dumps(told["models"]), "beside a revision, where a model lies is nobody's business"


def test_two_local_models_are_never_served_at_once(build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One GPU holds one of them: the second server would die while it starts."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    fake = Path(__file__).parents[1] / "generate" / "fake_vllm.py"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {fake} "$@"\n')
    python.chmod(0o755)
    words = []
    for name in ("one", "two", "three"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text('{"model_type": "llama"}')
        (folder / "model.safetensors").write_text(name)
        words.append(f"kind=vllm,model={folder},python={python},linger=0.2,start_timeout=60")
    alive: list[int] = []
    started = local_server.LocalServer._spawn

    def spawn(server: local_server.LocalServer) -> None:
        alive.append(sum(path.name == "server.json" for path in (tmp_path / "tmp").rglob("*")))
        started(server)

    monkeypatch.setattr(local_server.LocalServer, "_spawn", spawn)
    try:
        both = [str(build), "--model", words[0], "--against", words[1], "--judge", words[2]]
        evaluate(*both, "--task", "demo_qa_open", "--limit", "4", "--quiet")
    finally:
        local_server.let_go_of_all(30.0)
    assert alive == [0, 0, 0]


@given(st.text(max_size=300), st.integers(16, 80))
def test_windows_are_the_text_and_fit(text: str, size: int):
    pieces = windows(text, size)
    assert "".join(pieces) == text
    assert all(0 < len(piece.encode()) <= size for piece in pieces)


def test_bits_are_weighed_by_bytes():
    """A short text with many bits a byte is a small part of all bytes."""
    rows = tuple({"id": str(n), "source": "kb", "text": "x" * n, "role": "domain"} for n in (10, 990))
    task = Asked({"name": "t", "kind": "text"}, rows)
    found = score_tasks([task], lambda texts: iter([-10 * math.log(2) * 5, -990 * math.log(2)]), 4000)["t"]
    assert [answer.scores["bits_per_byte"] for answer in found] == pytest.approx([5.0, 1.0])
    assert bootstrap(**figures(found, "bits_per_byte")).value == pytest.approx((50 + 990) / 1000)
    lost = score_tasks([task], lambda texts: iter(["context", -990 * math.log(2)]), 4000)["t"]
    assert (lost[0].scores, lost[0].trouble) == ({}, "context")
    assert bootstrap(**figures(lost, "bits_per_byte")).value == pytest.approx(1.0)


def test_the_console_shows_figures_beside_what_a_guesser_gets(build: Path, server: ChatServer):
    done = evaluate(str(build), "--model", server.model("guesser"), "--rotations", "--out", str(build.parent / "x"))
    lines = done.stdout.splitlines()
    assert "guesser" in lines[0]
    assert any(line.startswith("demo_mcq_letter") and " consistent " in line for line in lines)
    assert any("was not run" in line for line in lines)
    assert (build.parent / "x" / "report.json").is_file()
    assert not (build.parent / "x" / "calibration.csv").exists()


def test_a_judge_that_people_disagree_with_ends_the_command_with_1(build: Path, server: ChatServer, tmp_path: Path):
    words = [str(build), "--model", server.model("base"), "--task", "demo_qa_open", "--quiet"]
    report = json.loads(evaluate(*words, "--judge", server.model("judge"), "--json").stdout)
    sheet = Path(report["report"]).with_name("calibration.csv")
    with sheet.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 50
    for row in rows:
        row["human"] = "correct" if row["answer"] == row["reference"] else "wrong"
    filled = tmp_path / "filled.csv"
    with filled.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    words += ["--labels", str(filled)]
    good = json.loads(evaluate(*words, "--judge", server.model("judge"), "--json").stdout)
    assert good["judge"]["calibration"]["state"] == "passed"
    out = tmp_path / "poor"
    with pytest.raises(GateFailed, match="agrees with people too little"):
        evaluate(*words, "--judge", server.model("flat"), "--out", str(out))
    assert json.loads((out / "report.json").read_text())["judge"]["calibration"]["state"] == "failed"
    few = tmp_path / "few.csv"
    few.write_text("".join(filled.read_text().splitlines(keepends=True)[:1]))
    with few.open("a", newline="") as file:
        csv.DictWriter(file, rows[0].keys()).writerows(rows[:40])
    words[-1] = str(few)
    with pytest.raises(GateFailed, match="40 labels are too few"):
        evaluate(*words, "--judge", server.model("judge"), "--out", str(out))
    assert json.loads((out / "report.json").read_text())["judge"]["calibration"]["state"] == "too few labels"
    with pytest.raises(UsageError, match="--labels"):
        evaluate(*words)


def test_a_judge_that_follows_the_order_and_one_that_judges_itself_are_told(build: Path, server: ChatServer):
    words = [
        str(build),
        "--model",
        server.model("tuned"),
        "--against",
        server.model("orderly"),
        "--task",
        "demo_qa_open",
    ]
    done = evaluate(*words, "--judge", server.model("orderly"), "--quiet")
    report = json.loads(next(build.parent.glob("evaluations/*/report.json")).read_text())
    assert report["pairs"][0]["flip_rate"] == 1.0
    assert report["judge"]["judges_itself"] == ["B"]
    assert "models prefer their own words" in done.stdout
    assert report["judge"]["troubles"] == {"unparsable": 2 * ITEMS}


def test_a_model_that_wrote_its_own_questions_is_told(server: ChatServer, tmp_path: Path):
    records = [replace(r, meta={**r.meta, "model": "tuned"}) if r.kind == "mcq" else r for r in make_records(6)[0]]
    folder = tmp_path / "builds" / "demo" / "abc123"
    write_eval(shards(tmp_path, records), folder, "demo", ROLES)
    write_manifest(folder, {"format": FORMAT, "name": "demo", "build": "abc123"})
    done = evaluate(str(folder), "--model", server.model("tuned"), "--task", "letter", "--quiet")
    assert "6 of the questions were written by model A itself" in done.stdout


def test_a_model_is_a_yaml_file_or_pairs(tmp_path: Path):
    path = tmp_path / "model.yaml"
    path.write_text("kind: endpoint\nmodel: m\naddress: http://127.0.0.1:1/v1\noptions: {seed: 3}\n")
    from_file = read_model(str(path), "--model")
    assert from_file == read_model("kind=endpoint,model=m,address=http://127.0.0.1:1/v1,options.seed=3", "--model")
    assert read_model("kind=endpoint,model=7,address=http://h/v1,max_in_flight=4", "--model").model == "7"
    bad: list[tuple[str, type[CorpusforgeError], str]] = [
        ("kind=endpoint", Problems, "needs a model"),
        ("kind=extractive", UsageError, "has no model to evaluate"),
        ("gpt", UsageError, "is no setting"),
        ("kind=endpont,model=m", Problems, "endpoint"),
        ("kind=endpoint,model=m,address=http://h/v1,modell=x", Problems, "modell"),
        (str(tmp_path / "none.yaml"), Problems, "cannot be read"),
    ]
    for text, kind, what in bad:
        with pytest.raises(kind, match=what):
            read_model(text, "--model")


def test_a_guesser_over_rotations_stays_a_guesser(build: Path):
    """Four tries at an item are one score, not four chances."""
    dice = random.Random(5)
    model = Scripted(lambda prompt: dice.choice([letter for letter, _ in OPTION.findall(prompt)]))
    told = means(build, model, tasks=("letter",), rotations=True)["demo_mcq_letter"]
    assert 0.15 < told["acc"] < 0.4
