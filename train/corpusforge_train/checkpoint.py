"""Checkpoints that are whole or not there: copied to memory at a step, written behind the run's back, then renamed."""

from __future__ import annotations

import json
import os
import shutil
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from corpusforge_train.errors import TrainError

_STATE, _WEIGHTS, _OPTIMIZER = "state.json", "model.safetensors", "optimizer.pt"


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint on disk: its folder and state. Reading what is damaged raises TrainError."""

    folder: Path
    state: dict[str, Any]

    def weights(self) -> dict[str, Tensor]:
        """The trained parameters by name."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(self.folder / _WEIGHTS)
        except (OSError, SafetensorError) as error:
            raise _damaged(self.folder / _WEIGHTS) from error

    def optimizer(self) -> dict[str, Any]:
        """The optimiser's state."""
        path = self.folder / _OPTIMIZER
        try:
            found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, EOFError, RuntimeError, ValueError, UnpicklingError) as error:
            raise _damaged(path) from error
        return found


def newest(folder: Path) -> Saved | None:
    """The newest whole checkpoint of a run's folder. Raises TrainError if its state cannot be read."""
    found = _all(folder)
    return found[-1] if found else None


def _all(folder: Path) -> list[Saved]:
    return [_saved(path) for path in sorted((folder / "checkpoints").glob("step-*/" + _STATE))]


def _saved(path: Path) -> Saved:
    try:
        return Saved(path.parent, json.loads(path.read_text("utf-8")))
    except ValueError as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> TrainError:
    hint = "Remove the folder of this checkpoint to go on from the one before it, or name another --out."
    return TrainError("is missing or damaged.", where=str(path), hint=hint)


def _remove(folder: Path) -> None:
    """Remove a checkpoint: its name first, so that what a kill leaves of it is none."""
    away = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    os.replace(folder, away)
    shutil.rmtree(away)


class Checkpointer:
    """Writes a run's checkpoints, one at a time in the background; keeps the newest few and the best."""

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder = folder / "checkpoints"
        self._run = folder
        self._keep = keep
        self._thread: threading.Thread | None = None
        self._failed: list[BaseException] = []
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.glob(".*.tmp"):
            shutil.rmtree(left)

    def save(self, state: Mapping[str, Any], weights: Mapping[str, Tensor], optimizer: Mapping[str, Any]) -> Path:
        """Take a copy of everything now and write it behind the caller's back; where it will lie.

        Raises TrainError if an earlier one could not be written.
        """
        self.wait()
        final = self._folder / f"step-{state['step']:08d}"
        told = json.dumps(state, indent=1, sort_keys=True)
        kept = {name: one.detach().cpu().clone().contiguous() for name, one in weights.items()}
        copied = _copied(optimizer)
        best = state.get("best")
        self._thread = threading.Thread(target=self._write, args=(final, told, kept, copied, best), daemon=False)
        self._thread.start()
        return final

    def wait(self) -> None:
        """Wait until the last checkpoint is on disk. Raises TrainError if it could not be written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._failed:
            error = self._failed.pop()
            what = f"a checkpoint could not be written ({error})."
            raise TrainError(what, where=str(self._folder), hint="Is there room on the disk?") from error

    def _write(self, final: Path, told: str, weights: dict[str, Tensor], optimizer: Any, best: Any) -> None:
        from safetensors.torch import save_file

        work = self._folder / f".{final.name}.{uuid.uuid4().hex[:8]}.tmp"
        try:
            work.mkdir()
            save_file(weights, work / _WEIGHTS)
            torch.save(optimizer, work / _OPTIMIZER)
            (work / _STATE).write_text(told, "utf-8")
            for path in (*work.iterdir(), work):
                _sync(path)
            if final.exists():
                _remove(final)
            os.replace(work, final)
            _sync(self._folder)
            self._prune(best)
        except BaseException as error:
            self._failed.append(error)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _prune(self, best: Any) -> None:
        protected = None if best is None else f"step-{best['step']:08d}"
        for saved in _all(self._run)[: -self._keep]:
            if saved.folder.name != protected:
                _remove(saved.folder)


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, Mapping):
        return {key: _copied(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_copied(one) for one in value]
    return value


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
