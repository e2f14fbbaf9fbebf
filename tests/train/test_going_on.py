"""A run that goes on, or begins where another has been: what it must not take for its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge_train import loop
from corpusforge_train.build_files import Build
from corpusforge_train.config import Config
from corpusforge_train.errors import TrainError
from corpusforge_train.holdout import Figures, compare, read_base
from corpusforge_train.log import read_log
from corpusforge_train.loop import Run

_HOLD = """
import sys, time
from pathlib import Path
from corpusforge_train.claim import Claim
held = Claim(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


def test_an_alarm_holds_when_the_same_command_is_given_again(
    build: Build, configure: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the last step the second command exported a model that the first had refused; in the middle it went on."""

    def worse(now: Any, base: Any) -> Figures:
        figures = compare(now, base)
        return Figures(figures.loss, figures.bits_per_byte, 0.2, 0.19, 0.21)

    monkeypatch.setattr(loop, "compare", worse)
    config = configure(holdout={"every": 0, "stop": 0.15})
    for _ in range(2):
        with pytest.raises(TrainError, match=r"rose by 0\.200 nats"):
            Run(build, config, tmp_path, None).train()
        assert not (tmp_path / "final").exists()
    Run(build, configure(holdout={"every": 0, "stop": 0.25}), tmp_path, None).train()
    assert (tmp_path / "final" / "receipt.json").is_file(), "who raises the limit goes on"


def test_a_run_that_begins_measures_its_own_model(
    build: Build, configure: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt that ended before its first checkpoint left the losses of another model, which the next one was
    held against."""

    def die(self: Run) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "_step", die)
        with pytest.raises(KeyboardInterrupt):
            Run(build, configure(seed=5), tmp_path, None).train()
    left = read_base(tmp_path / "base_holdout.json")
    Run(build, configure(seed=6), tmp_path, None).train()
    own = read_base(tmp_path / "base_holdout.json")
    assert left is not None
    assert own is not None
    assert left["public"].nats.tolist() != own["public"].nats.tolist()
    assert [line["step"] for line in read_log(tmp_path)].count(0) == 1


def test_adapters_do_not_go_on_on_top_of_another_model(
    build: Build, configure: Callable[..., Config], tmp_path: Path
) -> None:
    """The path is the same, but what lies there was trained again."""
    bases = [tmp_path / "one", tmp_path / "two"]
    for seed, base in enumerate(bases):
        Run(build, configure(seed=seed, holdout={"every": 0}), base, None).train()
    place = tmp_path / "base"
    place.symlink_to(bases[0])
    settings = configure(lora={"rank": 2}).model_dump() | {"model": {"path": str(place / "final")}}
    config = Config.model_validate(settings)
    Run(build, config, tmp_path / "run", None).train()
    Run(build, config, tmp_path / "run", None)
    place.unlink()
    place.symlink_to(bases[1])
    with pytest.raises(TrainError, match="the frozen weights are others"):
        Run(build, config, tmp_path / "run", None)


def test_other_held_out_texts_are_not_held_against_the_old_losses(
    make_build: Callable[..., Build], configure: Callable[..., Config], tmp_path: Path
) -> None:
    """The plan's hash does not cover them: a build with the same rows and another hold-out went on."""
    build = make_build(tmp_path / "build")
    Run(build, configure(), tmp_path / "run", None).train()
    build.packed["holdout"]["files"][0]["sha256"] = "0" * 64
    with pytest.raises(TrainError, match="held-out texts are others"):
        Run(build, configure(), tmp_path / "run", None)


def test_two_processes_do_not_train_in_one_folder(
    build: Build, configure: Callable[..., Config], tmp_path: Path
) -> None:
    """A command that was given twice took the other's checkpoints away while they were written."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(TrainError, match="another process trains here"):
            Run(build, configure(), tmp_path, None)
        other.kill()
    Run(build, configure(), tmp_path, None).train()
    assert not (tmp_path / ".lock").exists()


def test_a_step_of_which_nothing_is_learned_is_no_division_by_nothing(
    build: Build, configure: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long prompt may fill a whole sequence, and with it a step of one sequence."""
    monkeypatch.setattr(loop, "check_learnable", lambda feed: {})
    weights = {name: {"text": 0} for name in ("kb", "chats", "web")}
    receipt = Run(build, configure(loss={"weights": weights}), tmp_path, None).train()
    assert receipt["position"] == receipt["sequences"]
    assert all(line.get("loss", 0.0) == 0.0 for line in read_log(tmp_path))
