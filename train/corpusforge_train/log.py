"""What a run tells: lines on the terminal, a JSON line a step, and TensorBoard where it is wanted."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from corpusforge_train.errors import WrongUse

_FILE = "log.jsonl"


class Log:
    """The log of a run in its folder; a resumed run cuts off what came after its checkpoint."""

    def __init__(self, folder: Path, step: int, tensorboard: bool = False, speaks: bool = True) -> None:
        self._path = folder / _FILE
        self._speaks = speaks
        self._board: Any = None
        if not speaks:
            return
        folder.mkdir(parents=True, exist_ok=True)
        kept = [line for line in read_log(folder) if line["step"] <= step]
        self._path.write_text("".join(json.dumps(line) + "\n" for line in kept), "utf-8")
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise WrongUse("tensorboard is not installed.", where="log.tensorboard", hint="Install it.") from error
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def say(self, text: str) -> None:
        """A line for a person, on stderr."""
        if self._speaks:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    def line(self, step: int, **figures: Any) -> None:
        """A line for machines."""
        if not self._speaks:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **figures}, allow_nan=False) + "\n")
        if self._board is not None:
            for name, value in _flat("", figures):
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """End the log."""
        if self._board is not None:
            self._board.close()


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log; a line that a crash cut short is left out."""
    path = folder / _FILE
    lines = []
    for text in path.read_text("utf-8").splitlines() if path.is_file() else ():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines


def _flat(prefix: str, value: Any) -> list[tuple[str, float]]:
    if isinstance(value, dict):
        return [pair for key, one in value.items() for pair in _flat(f"{prefix}/{key}" if prefix else key, one)]
    return [(prefix, float(value))] if isinstance(value, int | float) and not isinstance(value, bool) else []
