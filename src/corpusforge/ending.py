"""Tells all workers of one run that what they share is dead, so that none waits or pays for it again."""

from __future__ import annotations

from pathlib import Path

import orjson

from corpusforge.errors import StepFailed
from corpusforge.shards import write_bytes

_run: list[Path] = []


def begin(folder: Path | None) -> None:
    """Say which folder the workers of this process's run share; None outside of a run."""
    _run[:] = [] if folder is None else [folder]


def run_name() -> str:
    """The name of the run that this process works for, which no other run has; empty outside of one."""
    return _run[0].name if _run else ""


def tell(what: str, error: StepFailed) -> None:
    """Tell the run's workers that `what` is dead, and why; a run that cannot be told goes on."""
    if _run:
        path = _run[0] / f"{what}.dead"
        if not path.exists():
            problem = error.problem
            told = {"what": problem.what, "where": problem.where, "hint": problem.hint}
            write_bytes(path, orjson.dumps(told))


def heard(what: str) -> StepFailed | None:
    """Why `what` is dead, if a worker of this run has told so."""
    try:
        told = orjson.loads((_run[0] / f"{what}.dead").read_bytes()) if _run else None
    except FileNotFoundError:
        return None
    return None if told is None else StepFailed(told["what"], where=told["where"], hint=told["hint"])
