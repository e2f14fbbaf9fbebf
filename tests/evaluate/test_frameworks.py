"""If an export breaks in the framework that reads it, a perfect model scores 0 and nobody knows why.

Runs where lm_eval and inspect_ai are installed (`make test-evals`), each in a process of its own that has the exported
folder alone and no network.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from corpusforge.evaluate.write import write_eval
from corpusforge.wilson import wilson

from .benchmark_records import ROLES, make_records, shards

pytestmark = pytest.mark.evals
HERE = Path(__file__).parent


def needs(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed: nothing was run in it (make test-evals)")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported folder, moved away from its build, with the keys of both models beside it."""
    made, alone = tmp_path_factory.mktemp("made"), tmp_path_factory.mktemp("alone")
    records, truth = make_records()
    write_eval(shards(made, records), made, "My corpus", ROLES)
    shutil.move(made / "eval", alone / "benchmark")
    tasks = json.loads((alone / "benchmark" / "tasks.json").read_text())["tasks"]
    names = [task["name"] for task in tasks if task["kind"] in ("letter", "label", "open")]
    names += [f"{task['name']}_judged" for task in tasks if task["file"] == "qa.jsonl"]
    # The guesser draws from the answers of open tasks; each task's chance is taken over the same pool.
    guesses = sorted({answer for question, answer in truth.answers.items() if question.startswith("What")})
    keys = {"answers": truth.answers, "guesses": guesses, "inspect": names}
    (alone / "keys.json").write_text(json.dumps(keys))
    return alone


def run(script: str, *words: str) -> None:
    done = subprocess.run([sys.executable, str(HERE / script), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def lm_eval(exported: Path, who: str) -> dict[str, Any]:
    needs("lm_eval")
    out = exported / f"lm-{who}.json"
    if not out.exists():
        run("run_lm_eval.py", str(exported / "benchmark"), str(exported), who, "my_corpus", str(exported / "keys.json"))
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def inspect(exported: Path, who: str) -> dict[str, Any]:
    needs("inspect_ai")
    out = exported / f"inspect-{who}.json"
    if not out.exists():
        run("run_inspect.py", str(exported / "benchmark"), str(exported), who, str(exported / "keys.json"))
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def figures(result: dict[str, Any]) -> dict[str, float]:
    return {key.split(",")[0]: value for key, value in result.items() if "," in key and "stderr" not in key}


def in_interval(chance: float, got: float, items: int) -> bool:
    low, high = wilson(round(got * items), items)
    return low <= chance <= high


def test_trap_6_an_oracle_gets_everything_in_lm_eval(exported: Path):
    """Gold letters that were encoded as classes gave a perfect model 0.0: no item here has its right option first."""
    results = lm_eval(exported, "oracle")["results"]
    tasks = {name for name in results if name != "my_corpus"}
    assert tasks == {
        "my_corpus_mcq_letter", "my_corpus_mcq_cloze", "my_corpus_qa_open", "my_corpus_task_intents",
        "my_corpus_task_cmds", "my_corpus_text_domain", "my_corpus_text_public",
    }  # fmt: skip
    for name in tasks:
        wanted = {"near": 0.0, "bits_per_byte": 0.0}
        for metric, value in figures(results[name]).items():
            assert value == wanted.get(metric, 1.0), (name, metric)


def test_a_guesser_gets_chance_in_lm_eval(exported: Path):
    results = lm_eval(exported, "random")["results"]
    baselines = json.loads((exported / "benchmark" / "baselines.json").read_text())
    for name, told in baselines.items():
        got = figures(results[name])
        for metric in ("acc", "acc_norm", "near"):
            if metric in told["random"]:
                assert in_interval(told["random"][metric], got[metric], told["items"]), (name, metric, got)
    assert results["my_corpus_text_domain"]["bits_per_byte,none"] == pytest.approx(8.0)
    assert results["my_corpus_text_public"]["bits_per_byte,none"] == pytest.approx(8.0)
    told = baselines["my_corpus_qa_open"]
    assert in_interval(told["random"]["exact"], figures(results["my_corpus_qa_open"])["exact"], told["items"])


def test_the_harness_logs_the_hashes_that_were_shipped(exported: Path):
    """Who shows other hashes asked another benchmark."""
    hashes = json.loads((exported / "benchmark" / "hashes.json").read_text())
    samples = lm_eval(exported, "oracle")["samples"]
    assert samples.keys() == hashes.keys()
    for task, rows in samples.items():
        assert len(rows) == len(hashes[task])
        for identity, doc, prompt, target in rows:
            told = hashes[task][identity]
            assert (doc, prompt, target) == (told["doc_hash"], told["prompt_hash"], told["target_hash"]), (
                task,
                identity,
            )


def test_trap_a_an_oracle_gets_everything_in_inspect_shuffled_or_not(exported: Path):
    """Trap a of training.md: grades by index gave a shuffled oracle the points of other options."""
    found = inspect(exported, "oracle")
    assert {name for name in found if "+" not in name} == {
        "my_corpus_mcq_letter", "my_corpus_qa_open", "my_corpus_qa_open_judged", "my_corpus_task_intents",
        "my_corpus_task_cmds",
    }  # fmt: skip
    assert "my_corpus_mcq_letter+shuffled" in found
    for name, told in found.items():
        for metric, values in told["scores"].items():
            wanted = 0.0 if metric in ("near", "unparsable") else 1.0
            assert values["mean"] == wanted, (name, metric)


def test_trap_b_a_guesser_gets_chance_in_inspect_without_a_download(exported: Path):
    """inspect_ai estimates tokens with a table from the network; here its cache is empty and a connection is an error."""
    found = inspect(exported, "random")
    baselines = json.loads((exported / "benchmark" / "baselines.json").read_text())
    for name, told in found.items():
        chance = baselines[name.split("+")[0].removesuffix("_judged")]["random"]
        for metric, place in (("acc", "acc"), ("near", "near"), ("exact", "exact"), ("correct", "exact")):
            # The pool of guesses is that of the questions, not of the commands.
            if metric in told["scores"] and place in chance and "cmds" not in name:
                got = told["scores"][metric]["mean"]
                assert in_interval(chance[place], got, told["items"]), (name, metric, got)
        if "graded" in told["scores"] and "graded" in chance:
            assert told["scores"]["graded"]["mean"] == pytest.approx(chance["graded"], abs=0.06)


def test_both_frameworks_give_one_model_the_same_accuracy(exported: Path):
    """The prompt is written once: the same guesser picks the same labels and answers in both."""
    one, two = lm_eval(exported, "random")["results"], inspect(exported, "random")
    for name in ("my_corpus_qa_open", "my_corpus_task_cmds"):
        for metric in ("exact", "word_f1"):
            assert two[name]["scores"][metric]["mean"] == pytest.approx(figures(one[name])[metric]), name
