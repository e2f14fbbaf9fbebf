"""A trainer that does not know of stages would call a staged mix uneven, or an uneven one staged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge_train.build_files import Build, read_build
from corpusforge_train.config import Config
from corpusforge_train.data import Feed
from corpusforge_train.dry_run import dry_run
from corpusforge_train.ledger import Ledger
from corpusforge_train.log import read_log
from corpusforge_train.loop import Run
from corpusforge_train.plan import make_plan
from corpusforge_train.verify import verify


@pytest.fixture(scope="module")
def staged(make_build: Callable[..., Build], tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The same mix, with 10% of the domain until the middle."""
    stages = {"completion": [{"until": "50%", "shares": {"domain": "10%"}}]}
    return make_build(tmp_path_factory.mktemp("staged"), stages=stages)


def test_the_blend_changes_at_the_stage_and_the_totals_do_not(build: Build, staged: Build) -> None:
    whole, plan = make_plan(build, ["completion"]), make_plan(staged, ["completion"])
    assert plan.tokens_of(0, len(plan)) == whole.tokens_of(0, len(whole))
    assert plan.hash != whole.hash
    assert (len(whole.stages), len(plan.stages)) == (1, 2)
    shares = []
    for begin, end in plan.bounds():
        own = plan.tokens_of(begin, end)
        shares.append((own["kb"] + own["chats"]) / sum(own.values()))
    assert shares[0] == pytest.approx(0.1, abs=0.01)
    assert shares[1] == pytest.approx(0.5, abs=0.01)
    assert plan.largest_deviation() <= 1
    both = make_plan(staged, ["completion", "instruct"])
    assert len(both.stages) == 2
    assert both.tokens_of(0, both.stages[1], "completion") == plan.tokens_of(0, plan.stages[1])


def test_the_run_its_log_and_its_receipt_know_the_stages(
    staged: Build, configure: Callable[..., Config], tmp_path: Path
) -> None:
    config = configure()
    plan = make_plan(staged, ["completion"])
    told = dry_run(staged, config)["stages"]
    assert [one["tokens"] for one in told] == [sum(plan.tokens_of(a, b).values()) for a, b in plan.bounds()]
    Run(staged, config, tmp_path, None).train()
    lines = [line for line in read_log(tmp_path) if "loss" in line]
    assert {line["stage"] for line in lines} == {1, 2}
    for line in lines:
        assert (line["stage"] == 1) == (line["position"] <= plan.stages[1])
    feed, ledger = Feed(staged, plan), Ledger()
    for position in range(plan.stages[1]):
        ledger.add(feed[position].ledger())
    assert ledger.by_source() == told[0]["sources"]
    assert verify(tmp_path / "final", staged) == []


def test_a_manifest_that_tells_other_stages_is_not_believed(
    staged: Build, configure: Callable[..., Config], tmp_path: Path
) -> None:
    Run(staged, configure(), tmp_path / "run", None).train()
    manifest: dict[str, Any] = json.loads((staged.folder / "manifest.json").read_text())
    stage = manifest["packed"]["outputs"]["completion"]["stages"][0]
    stage["sources"]["kb"] += 1
    path = staged.folder / "manifest.json"
    kept = path.read_bytes()
    path.write_text(json.dumps(manifest))
    try:
        assert any(
            "stages of completion" in line for line in verify(tmp_path / "run" / "final", read_build(staged.folder))
        )
    finally:
        path.write_bytes(kept)
