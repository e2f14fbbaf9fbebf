"""What a running writer tells of itself between commits: a small file a process, which the progress display reads."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import orjson

from corpusforge.generate.write.asking import Written
from corpusforge.stage import StageContext

FOLDER = ".pulse"
SPEED = "speed.jsonl"
EVERY = 0.5
_STALE = 120.0


class Pulse:
    """Writes `<responses>/../.pulse/<task>-<process>.json` about twice a second while a shard is written.

    Only for the eye: no build reads it, and what cannot be written is not told. At the end of a shard that asked an
    engine, a line in `speed.jsonl` tells how long that took, from which the next plan guesses.
    """

    def __init__(self, ctx: StageContext, task: str) -> None:
        self._folder = None if ctx.responses is None else ctx.responses.parent / FOLDER
        self._ctx, self._task = ctx, task
        self._totals: Counter[str] = Counter()
        self._missing: Counter[str] = Counter()
        self._record = ""
        self._told = 0.0
        self._started = time.time()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._folder is not None:
            with suppress(OSError):
                self._path(self._folder).unlink(missing_ok=True)
                if self._ctx.paid.get("calls"):
                    self._note(self._folder)

    def _path(self, folder: Path) -> Path:
        return folder / f"{self._task}-{os.getpid()}.json"

    def _note(self, folder: Path) -> None:
        engine = self._ctx.settings.engine
        told = {"task": self._task, "engine": engine.kind, "model": engine.model}
        line = {**told, "seconds": round(time.time() - self._started, 3), **self._ctx.paid}
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / SPEED).open("ab") as file:  # one short write: lines of several workers do not mix
            file.write(orjson.dumps(line) + b"\n")

    def add(self, record: str, written: Written) -> None:
        """Count what came of a chunk of a record, and tell it when half a second has gone by."""
        totals = self._totals
        totals["records"] += record != self._record
        self._record = record
        totals["chunks"] += bool(written.asked)
        totals["asked"] += written.asked
        totals["rows"] += len(written.rows)
        totals["accepted"] += len(written.rows) - written.refused.total()
        for key in ("calls", "prompt_tokens", "completion_tokens"):
            totals[key] += written.counts[key]
        self._missing.update(written.missing)
        self._missing.update(written.refused)
        if self._folder is not None and time.monotonic() - self._told >= EVERY:
            self._told = time.monotonic()
            self._tell(self._path(self._folder))

    def _tell(self, path: Path) -> None:
        value = {"task": self._task, "started": self._started, **self._totals, "missing": self._missing}
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(".tmp")
            fresh.write_bytes(orjson.dumps(value))
            os.replace(fresh, path)


def read_speed(root: Path) -> list[dict[str, Any]]:
    """What shards that asked an engine took, the latest last: task, engine, model, seconds, calls and tokens."""
    try:
        lines = (root / FOLDER / SPEED).read_bytes().splitlines()
    except OSError:
        return []
    told: list[dict[str, Any]] = []
    for line in lines:
        # A line that a power cut tore is that shard's loss alone.
        with suppress(orjson.JSONDecodeError):
            told.append(orjson.loads(line))
    return [line for line in told if isinstance(line, dict)]


def read_pulses(root: Path) -> Iterator[dict[str, Any]]:
    """What writers below a recipe's folder told last; those that have been silent for two minutes are passed over."""
    now = time.time()
    for path in sorted((root / FOLDER).glob("*.json")):
        with suppress(OSError, orjson.JSONDecodeError):
            if now - path.stat().st_mtime < _STALE:
                yield orjson.loads(path.read_bytes())
