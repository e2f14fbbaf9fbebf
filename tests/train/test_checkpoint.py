"""A checkpoint is written while the run goes on, and a process that dies while writing takes no other one with it."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge_train import checkpoint
from corpusforge_train.checkpoint import Checkpointer, newest
from corpusforge_train.errors import TrainError


def save(writer: Checkpointer, step: int, value: torch.Tensor) -> None:
    writer.save({"step": step, "best": None}, {"w": value}, {"steps": step, "state": {"w": [value, value]}})


def test_saving_does_not_hold_up_the_run_and_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk of minutes would be minutes of an idle GPU; weights that move on while they are written are no state."""
    may = threading.Event()
    write = Checkpointer._write

    def slowly(self: Checkpointer, *words: Any) -> None:
        assert may.wait(60)
        write(self, *words)

    monkeypatch.setattr(Checkpointer, "_write", slowly)
    writer = Checkpointer(tmp_path, 2)
    living = torch.zeros(3)
    save(writer, 1, living)
    living += 1
    assert newest(tmp_path) is None, "the call came back before anything was written"
    may.set()
    writer.wait()
    saved = newest(tmp_path)
    assert saved is not None
    assert saved.weights()["w"].tolist() == [0, 0, 0]
    assert saved.optimizer()["state"]["w"][0].tolist() == [0, 0, 0]
    save(writer, 2, living)
    save(writer, 3, living)
    writer.wait()
    assert [found.state["step"] for found in checkpoint._all(tmp_path)] == [2, 3]


@pytest.mark.parametrize(
    ("module", "name", "left"),
    [(torch, "save", 1), (os, "replace", 1), (Checkpointer, "_prune", 2)],
    ids=["between two files", "before the renaming", "after the renaming"],
)
def test_a_process_killed_while_writing_leaves_whole_checkpoints_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, left: int
) -> None:
    """SIGKILL, as an out-of-memory killer sends it; nothing can be tidied up."""
    save(writer := Checkpointer(tmp_path, 1), 1, torch.ones(4))
    writer.wait()

    def die(*words: Any, **named: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        setattr(module, name, die)
        save(writer, 2, torch.full((4,), 2.0))
        writer.wait()
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    saved = newest(tmp_path)
    assert saved is not None
    assert saved.state["step"] == left
    assert saved.weights()["w"].tolist() == [left] * 4
    save(again := Checkpointer(tmp_path, 1), 3, torch.full((4,), 3.0))
    again.wait()
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000003"]


def test_a_disk_that_is_full_is_told_at_the_next_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails behind the run's back must not stay there."""

    def full(*words: Any, **named: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    writer = Checkpointer(tmp_path, 1)
    save(writer, 1, torch.ones(2))
    with pytest.raises(TrainError, match="No space left"):
        save(writer, 2, torch.ones(2))
    assert newest(tmp_path) is None
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_what_is_thrown_away_is_no_checkpoint_from_the_first_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that was removed half, weights first, still looked like a checkpoint to go on from."""
    writer = Checkpointer(tmp_path, 1)
    save(writer, 1, torch.ones(2))
    writer.wait()
    seen: list[list[str]] = []
    monkeypatch.setattr(checkpoint.shutil, "rmtree", lambda path, **_: seen.append([Path(path).name]))
    save(writer, 2, torch.ones(2))
    writer.wait()
    assert seen[0][0].startswith(".step-00000001.")
    assert [found.state["step"] for found in checkpoint._all(tmp_path)] == [2]


@pytest.mark.parametrize("name", ["state.json", "model.safetensors", "optimizer.pt"])
def test_a_damaged_checkpoint_is_told_with_what_to_do(tmp_path: Path, name: str) -> None:
    """A disk that lost a block ended in a traceback of a library's."""
    writer = Checkpointer(tmp_path, 1)
    save(writer, 1, torch.ones(2))
    writer.wait()
    path = tmp_path / "checkpoints" / "step-00000001" / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    def read() -> None:
        found = newest(tmp_path)
        assert found is not None
        found.weights()
        found.optimizer()

    with pytest.raises(TrainError, match=rf"{name}: is missing or damaged\. Remove the folder"):
        read()
