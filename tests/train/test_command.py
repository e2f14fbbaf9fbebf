"""`corpusforge train` and torchrun: the same run from either door, alone or in two processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge import train_command
from corpusforge.errors import NeedsApproval, StepFailed, UsageError
from corpusforge_train.build_files import Build
from corpusforge_train.checkpoint import newest
from corpusforge_train.config import Config
from corpusforge_train.log import read_log
from corpusforge_train.loop import Run
from corpusforge_train.verify import verify


@pytest.fixture
def config_file(configure: Callable[..., Config], tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(configure().model_dump(mode="json", exclude_none=True)))
    return path


def test_the_command_refuses_what_nobody_signed_and_says_what_it_would_do(
    build: Build, config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def train(**words: object) -> None:
        given = {"builds": None, "out": tmp_path / "run", "cards": tmp_path, "changes": [], "unapproved": False}
        given |= {"dry_run": False, "as_json": True, **words}
        train_command.train(str(build.folder), config_file, **given)  # type: ignore[arg-type]

    with pytest.raises(NeedsApproval) as told:
        train()
    assert told.value.exit_code == 3
    train(dry_run=True)
    figures = json.loads(capsys.readouterr().out)
    mix = build.manifest["mix"]["completion"]
    assert figures["tokens"] == mix["got_tokens"]
    assert {one["source"]: one["tokens"] for one in figures["sources"]} == {
        leaf["path"][-1]: leaf["got"] for leaf in mix["leaves"]
    }
    assert {one["source"]: one["epochs"] for one in figures["sources"]} == {
        leaf["path"][-1]: -(-leaf["got"] // leaf["have"]) for leaf in mix["leaves"]
    }
    train(dry_run=True, as_json=False)
    shown = capsys.readouterr().out
    assert "within" not in shown
    assert "kb" in shown
    with pytest.raises(UsageError, match=r"schedule\.peak"):
        train(dry_run=True, changes=["schedule.peak=-1"])
    with pytest.raises(UsageError, match="without any token to learn from"):
        train(dry_run=True, changes=["loss.weights.kb.text=0"])
    assert not (tmp_path / "run").exists()


def test_a_prompt_is_shown_apart_from_what_is_learned(build: Build, configure: Callable[..., Config]) -> None:
    from corpusforge_train.dry_run import decoder, samples

    config = configure(data={"outputs": ["instruct"]})
    text = "\n".join(samples(build, config, decoder(build, config), 50, colour=False))
    assert "assistant: [intent-" in text
    assert "user: What is" in text
    coloured = samples(build, config, decoder(build, config), 1, colour=True)[0]
    assert "\x1b[32m" in coloured
    assert "\x1b[2m" in coloured


def test_a_receipt_is_verified_from_the_build_alone(
    build: Build,
    another_build: Build,
    configure: Callable[..., Config],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A model whose data nobody can recount is trusted, not verified."""
    Run(build, configure(checkpoint={"every": 3, "keep": 9}), tmp_path, None).train()
    for folder in (tmp_path / "final", *sorted((tmp_path / "checkpoints").iterdir())):
        assert verify(folder, build) == []
    train_command.verify(tmp_path / "final", str(build.folder), None, as_json=False)
    assert "as the ledger says" in capsys.readouterr().out
    with pytest.raises(UsageError, match="is no checkpoint"):
        train_command.verify(tmp_path, str(build.folder), None, as_json=False)
    assert any("manifest" in line for line in verify(tmp_path / "final", another_build))
    path = tmp_path / "final" / "receipt.json"
    receipt = json.loads(path.read_text())
    receipt["ledger"][0]["tokens"] += 1
    path.write_text(json.dumps(receipt))
    with pytest.raises(StepFailed, match="the ledger differs"):
        train_command.verify(tmp_path / "final", str(build.folder), None, as_json=True)
    assert verify(tmp_path / "final", build) == ["the ledger differs: it says one thing and the build's files another."]
    receipt["ledger"][0]["tokens"] -= 1
    for key, value, told in (
        ("licences", {**receipt["licences"], "web": "MIT"}, "what it says of the licences is not in the manifest."),
        ("name", "other", "what it says of the name is not in the manifest."),
        ("position", receipt["sequences"] + 1, f"it stands at sequence {receipt['sequences'] + 1} of"),
        ("position", 1, "it stands at sequence 1 of"),
    ):
        path.write_text(json.dumps({**receipt, key: value}))
        wrong = verify(tmp_path / "final", build)
        assert len(wrong) == 1
        assert wrong[0].startswith(told)
    for text in ("{", "[]", json.dumps({**receipt, "config": {}}), "{}"):
        path.write_text(text)
        with pytest.raises(StepFailed, match=r"is damaged|none of this version"):
            train_command.verify(tmp_path / "final", str(build.folder), None, as_json=True)


@pytest.mark.slow
def test_two_processes_learn_what_one_does(
    build: Build, configure: Callable[..., Config], config_file: Path, tmp_path: Path
) -> None:
    """torchtune#1875, transformers#37197: a mean over processes weighs a token by whom it fell to."""
    Run(build, configure(), tmp_path / "one", None).train()
    words = [
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--master_port",
        "29511",
        "-m",
        "corpusforge_train",
    ]
    rest = [str(build.folder), "--config", str(config_file), "--unapproved", "--out", str(tmp_path / "two")]
    done = subprocess.run(
        [sys.executable, *words, *rest],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    one, two = newest(tmp_path / "one"), newest(tmp_path / "two")
    assert one is not None
    assert two is not None
    assert one.state["ledger"] == two.state["ledger"]
    weights = one.weights()
    for name, tensor in two.weights().items():
        assert float((tensor - weights[name]).abs().max()) < 1e-5, name
    for before, after in zip(read_log(tmp_path / "one"), read_log(tmp_path / "two"), strict=True):
        assert before.get("loss") == pytest.approx(after.get("loss"), abs=1e-5)
