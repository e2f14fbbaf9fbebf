"""Figures that reach a team's board under other names or steps make two runs that cannot be compared."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge_train.boards import open_board
from corpusforge_train.build_files import Build
from corpusforge_train.config import Config
from corpusforge_train.errors import WrongUse
from corpusforge_train.log import read_log
from corpusforge_train.loop import Run


@pytest.fixture
def boards(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[int, dict[str, float]]]]:
    """Stand-ins with the few functions of each library that are called; what they were given, `None` at the end."""
    told: dict[str, list[Any]] = {"wandb": [], "trackio": [], "mlflow": []}

    def module(name: str, **functions: Any) -> None:
        made = ModuleType(name)
        made.__spec__ = ModuleSpec(name, None)
        for key, function in functions.items():
            setattr(made, key, function)
        monkeypatch.setitem(sys.modules, name, made)

    def keep(name: str) -> Any:
        return lambda figures, step: told[name].append((step, figures))

    def end(name: str) -> Any:
        return lambda: told[name].append(None)

    run = SimpleNamespace(log=keep("wandb"), finish=end("wandb"))
    module("wandb", init=lambda **named: run)
    module("trackio", init=lambda **named: None, log=keep("trackio"), finish=end("trackio"))
    begin = {"set_experiment": lambda name: None, "start_run": lambda run_name: None}
    module("mlflow", log_metrics=keep("mlflow"), end_run=end("mlflow"), **begin)
    return told


def test_every_place_is_told_what_the_log_holds(
    build: Build, configure: Callable[..., Config], tmp_path: Path, boards: dict[str, list[Any]]
) -> None:
    Run(build, configure(log={"also": ["wandb", "trackio", "mlflow"]}), tmp_path, None).train()
    lines = read_log(tmp_path)
    for told in boards.values():
        assert told.pop() is None
        assert [step for step, _ in told] == [line["step"] for line in lines]
        last = next(figures for step, figures in reversed(told) if "loss" in figures)
        wanted = next(line for line in reversed(lines) if "loss" in line)
        assert last["loss"] == wanted["loss"]
        assert last["losses/kb"] == wanted["losses"]["kb"]
        assert all(isinstance(value, float) for _, figures in told for value in figures.values())


def test_a_place_that_is_not_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(WrongUse, match="mlflow is not installed"):
        open_board("mlflow", tmp_path, 0)
