"""From sources to a report: the commands of `make train-demo` at a tiny size, one after the other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge import commands, evaluation, report_command, train_command
from corpusforge.workspace import make_workspace

RECIPE: dict[str, Any] = {
    "name": "whole",
    "seed": 17,
    "tokenizer": "bytes",
    "sources": {"domain": ["demo-help", "demo-chats"], "labelled": ["demo-queries"], "public": ["demo-python"]},
    "curate": {"holdout": {"share": "20%", "public": True}, "decontaminate": {"common": 2}, "redact": {"ner": "none"}},
    "generate": {"engine": {"kind": "extractive"}, "qa": {"per_passage": 1}},
    "mix": {
        "completion": {
            "tokens": "40K",
            "max_epochs": 4,
            "domain": {"share": "25%", "demo-help": "20%", "demo-chats": "rest"},
            "public": {"share": "75%"},
        },
        "instruct": {"rows": "all", "max_epochs": 1, "qa": "rest", "demo-queries": "rest"},
        "packed": {"length": 256, "holdout_tokens": 8000},
    },
    "audit": {"canaries": 0},
}
SIZES = {"vocab_size": 257, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 512, "initializer_range": 0.1}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with some of the demo's data, and its build."""
    folder = tmp_path_factory.mktemp("whole")
    make_workspace(folder)
    shutil.rmtree(folder / "demo" / "public" / "modules")
    for path in (folder / "demo" / "public" / "topics").iterdir():
        if path.stat().st_size > 6000:
            path.unlink()
    (folder / "recipes" / "whole.yaml").write_text(yaml.safe_dump(RECIPE))
    commands.build(folder / "recipes" / "whole.yaml", None, 1, None, False, True)
    return folder


def train(place: Path, run: str, **sections: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "batch": {"sequences": 2, "micro": 2},
        "schedule": {"peak": 4e-3, "warmup": "5%"},
        "checkpoint": {"every": 0},
        "holdout": {"every": 0, "stop": None},
        "device": "cpu",
        **sections,
    }
    config = place / f"{run}.yaml"
    config.write_text(yaml.safe_dump(settings))
    out = place / "runs" / run
    train_command.train("whole", config, place / "builds", out, place / "cards", [], True, False, True)
    report: dict[str, Any] = json.loads((out / "report.json").read_text())
    return report


def test_the_commands_of_the_demo_lead_from_sources_to_a_report(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If any file that one command leaves is not what the next one reads, a user is stuck in the middle."""
    runs = place / "runs"
    base = train(place, "base", model={"random": {"model_type": "llama", **SIZES, **HEADS}})
    assert base["holdout"]["public"][-1]["high"] < 0
    dapt = train(place, "dapt", model={"path": str(runs / "base" / "final")})
    lora = train(
        place,
        "lora",
        model={"path": str(runs / "dapt" / "final")},
        data={"outputs": ["instruct"]},
        lora={"rank": 4, "merge": True},
    )
    for report in (base, dapt, lora):
        assert report["finished"]
        assert all(source["tokens"] == source["planned_tokens"] for source in report["sources"])
        assert max(abs(one["sequences"]) for one in report["distances"]) < 1
    assert dapt["holdout"]["domain"][0]["loss"] == pytest.approx(base["holdout"]["domain"][-1]["loss"], abs=1e-5)
    capsys.readouterr()

    models = (None, str(runs / "base"), runs / "lora", None)
    evaluation.evaluate("whole", place / "builds", models, None, [], 4, False, True, None, True, True)
    told = json.loads(capsys.readouterr().out)
    assert {key: one["name"] for key, one in told["models"].items()} == {"A": "lora", "B": "base"}
    assert {task["kind"] for task in told["tasks"]} == {"open", "label", "text"}
    assert told["not_run"] == []
    text = {task["task"]: task["models"]["B"]["metrics"]["bits_per_byte"]["value"] for task in told["tasks"][-2:]}
    # Texts are cut into other windows here than they are packed in, and no end is predicted.
    assert text["whole_text_public"] == pytest.approx(base["holdout"]["public"][-1]["bits_per_byte"], rel=0.2)
    page = (runs / "lora" / "report.html").read_text()
    assert page.count("<svg") == 5
    assert "Before is base, after lora" in page

    report_command.report([runs / "dapt", runs / "lora"], place / "builds", place / "both", False)
    shown = capsys.readouterr().out
    share = sum(source["share"] for source in dapt["sources"] if source["group"] == "domain")
    assert share == pytest.approx(0.25, abs=0.03)
    assert f"{share:.1%}" in shown.splitlines()[1]
    assert "side by side" in (place / "both" / "report.html").read_text()
