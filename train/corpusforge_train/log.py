"""What a run tells: lines on the terminal, a JSON line a step, and other places where they are wanted."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from corpusforge_train.boards import Board, Place, flat, open_board

_FILE = "log.jsonl"


class Log:
    """The log of a run in its folder; a resumed run cuts off what came after its checkpoint."""

    def __init__(self, folder: Path, step: int, places: Sequence[Place] = (), speaks: bool = True) -> None:
        self._path = folder / _FILE
        self._speaks = speaks
        self._boards: list[Board] = []
        if not speaks:
            return
        folder.mkdir(parents=True, exist_ok=True)
        kept = [line for line in read_log(folder) if line["step"] <= step]
        # The old log stays until the new one is whole: a disk may be full.
        fresh = self._path.with_suffix(".tmp")
        fresh.write_text("".join(json.dumps(line) + "\n" for line in kept), "utf-8")
        fresh.replace(self._path)
        self._boards = [open_board(place, folder, step) for place in places]

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
        for board in self._boards:
            board.line(step, flat(figures))

    def close(self) -> None:
        """End the log."""
        for board in self._boards:
            board.close()


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
