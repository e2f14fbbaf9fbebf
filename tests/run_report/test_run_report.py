"""The report of a training run: what a reader decides by must be in it, and must be what the run's files say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from corpusforge.errors import UsageError
from corpusforge.report_command import engine_of, models_of
from corpusforge.run_report.page import run_page, runs_table
from corpusforge.run_report.read import read_run
from corpusforge.run_report.write import write_run, write_runs

LENGTH, STEPS = 100, 40
PLANNED = {"chats": 400, "docs": 3600}
MANIFEST: dict[str, Any] = {
    "mix": {
        "completion": {
            "leaves": [
                {"path": ["domain", "chats"], "share_wanted": 0.1},
                {"path": ["public", "docs"], "share_wanted": 0.9},
            ]
        }
    },
    "packed": {
        "length": LENGTH,
        "outputs": {"completion": {"sources": {name: {"tokens": tokens} for name, tokens in PLANNED.items()}}},
    },
}


def write_files(run: Path, *, public: float = 0.01, steps: int = STEPS, ledger: dict[str, int] | None = None) -> Path:
    """A run of 40 steps of one sequence; public text ends `public` nats a token worse."""
    (run / "final").mkdir(parents=True)
    holdout = {"every": 20, "warn": 0.05, "stop": 0.15}
    config = {
        "data": {"outputs": ["completion"]},
        "lora": None,
        "model": {"path": "runs/base/final"},
        "holdout": holdout,
    }
    rows = [
        {"source": name, "epoch": 0, "tokens": tokens, "pieces": 1, "documents": 1, "loss_weight": float(tokens)}
        for name, tokens in (ledger or PLANNED).items()
    ]
    receipt = {"name": "tiny", "build": "0123", "manifest_sha256": "ab", "approved_by": None, "config": config}
    receipt |= {"step": steps, "position": steps, "sequences": STEPS, "best": None, "ledger": rows}
    (run / "final" / "receipt.json").write_text(json.dumps(receipt))
    lines: list[dict[str, Any]] = [{"step": 0, "holdout": held(0.0, 0.0)}]
    for step in range(1, steps + 1):
        chats = step // 10 * LENGTH
        told = {"chats": chats, "docs": step * LENGTH - chats}
        losses = {"chats" if step % 10 == 0 else "docs": 2.0 - step / 100}
        line = {"step": step, "loss": 2.0, "losses": losses, "rate": 1e-3, "tokens": step * LENGTH}
        lines.append({**line, "tokens_by_source": told})
        if step % 20 == 0:
            lines.append({"step": step, "holdout": held(-0.3 * step / STEPS, public * step / STEPS)})
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 41, "lo')
    return run


def held(domain: float, public: float) -> dict[str, dict[str, float]]:
    return {
        side: {"loss": 2 + change, "bits_per_byte": 3.0, "change": change, "low": change - 0.02, "high": change + 0.02}
        for side, change in (("domain", domain), ("public", public))
    }


def test_the_report_says_what_a_reader_decides_by(tmp_path: Path) -> None:
    report = write_run(write_files(tmp_path / "one"), MANIFEST)
    assert [source["source"] for source in report["sources"]] == ["chats", "docs"]
    assert [source["share"] for source in report["sources"]] == [0.1, 0.9]
    assert max(abs(one["sequences"]) for one in report["distances"]) == pytest.approx(0.9)
    text = (tmp_path / "one" / "report.md").read_text()
    assert "domain loss fell by 0.300 nats a token to 1.700; the interval excludes zero" in text
    assert "public loss rose by 0.010 nats a token to 2.010; the interval holds zero" in text
    assert "Below the warning of 0.05" in text
    assert "The ledger equals the mix to the token; at no logged step was a source further than 0.90 sequences" in text
    assert "approved by nobody" in text
    page = (tmp_path / "one" / "report.html").read_text()
    assert page.count("<svg") == 4
    assert "<script" not in page
    assert sorted(path.name for path in (tmp_path / "one" / "plots").iterdir()) == [
        "distance.svg", "holdout.svg", "losses.svg", "rate.svg",
    ]  # fmt: skip


def test_forgetting_an_unequal_ledger_and_an_unfinished_run_are_not_passed_over(tmp_path: Path) -> None:
    worse = read_run(write_files(tmp_path / "worse", public=0.1, ledger={"chats": 399, "docs": 3600}), MANIFEST)
    said = run_page(worse, {}).markdown()
    assert "Above the warning of 0.05" in said
    assert "DIFFERS FROM" in said
    damaged = read_run(write_files(tmp_path / "damaged", public=0.2), MANIFEST)
    assert "Above the stop of 0.15" in run_page(damaged, {}).markdown()
    cut = read_run(write_files(tmp_path / "cut", steps=30), MANIFEST)
    assert "has not ended" in run_page(cut, {}).markdown()
    with pytest.raises(UsageError, match="is no training run"):
        read_run(tmp_path, MANIFEST)


def test_a_mix_in_stages_has_no_one_share_to_be_held_against(tmp_path: Path) -> None:
    told = {"sources": MANIFEST["packed"]["outputs"]["completion"]["sources"], "stages": [{}, {}]}
    staged = {**MANIFEST, "packed": {"length": LENGTH, "outputs": {"completion": told}}}
    report = read_run(write_files(tmp_path / "one"), staged)
    assert report["distances"] == []
    assert "The ledger equals the mix to the token." in run_page(report, {}).markdown()


def test_runs_stand_side_by_side(tmp_path: Path) -> None:
    """At 2% and at 90% of the domain: whoever sees only one of them cannot choose a share."""
    reports = [
        read_run(write_files(tmp_path / name, public=rise), MANIFEST) for name, rise in (("a", 0.01), ("b", 0.1))
    ]
    table = runs_table(reports)
    assert [row[-1] for row in table.rows] == ["below the warning of 0.05", "above the warning of 0.05"]
    assert [row[2] for row in table.rows] == ["10.0%", "10.0%"]
    write_runs(reports, tmp_path / "both")
    assert "<svg" in (tmp_path / "both" / "report.html").read_text()
    assert len(json.loads((tmp_path / "both" / "report.json").read_text())["runs"]) == 2


def test_tasks_before_and_after_are_part_of_it(tmp_path: Path) -> None:
    run = write_files(tmp_path / "one")
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    task = {
        "task": "t_open", "kind": "open", "items": 20, "baselines": {"random": {"exact": 0.1}},
        "models": {"A": {"metrics": {"exact": figure}}, "B": {"metrics": {"exact": figure}}},
        "difference": {"exact": figure},
    }  # fmt: skip
    models = {"A": {"name": "lora"}, "B": {"name": "base"}}
    (run / "evaluation").mkdir()
    told = {
        "models": models,
        "seal": "s",
        "tasks": [task],
        "not_run": [{"task": "t_cloze", "why": "needs likelihoods"}],
    }
    (run / "evaluation" / "report.json").write_text(json.dumps(told))
    write_run(run, MANIFEST)
    text = (run / "report.md").read_text()
    assert "| t_open | exact | 20 | 0.500 [0.400, 0.600] |" in text
    assert "Before is base, after lora" in text
    assert "t_cloze was not run: it needs likelihoods." in text
    assert (run / "plots" / "tasks.svg").is_file()


def test_a_run_names_the_models_before_and_after(tmp_path: Path) -> None:
    run = write_files(tmp_path / "one")
    with pytest.raises(UsageError, match="holds no whole model"):
        models_of(run)
    (run / "final" / "config.json").write_text('{"max_position_embeddings": 512}')
    after, before = models_of(run)
    assert after == f"kind=transformers,model={(run / 'final').resolve()},context_tokens=512,max_tokens=128"
    assert before == "kind=transformers,model=runs/base/final"
    assert engine_of(run) == engine_of(run / "final") == after
