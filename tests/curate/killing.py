"""A build that is killed (SIGKILL) in a phase of a stage: `python killing.py RECIPE BUILDS STAGE PHASE AFTER`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from corpusforge import ledger, work
from corpusforge.build import build
from corpusforge.progress import Progress
from corpusforge.recipe import Run, read_recipe
from corpusforge.shards import write_json
from corpusforge.stage import find_stage


def die() -> None:
    """Ends this process as a lost machine would: nothing is closed, flushed or cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def until(items: Iterable[Any], after: int) -> Iterator[Any]:
    """So many items, and then the end."""
    for n, item in enumerate(items):
        if n == after:
            die()
        yield item


def lay_trap(stage: str, phase: str, after: int) -> None:
    """`survey` dies at a record that it reads, `apply` at one that it gives, `decide` when it has decided; `report`
    when the data of a result are there and their report is not.
    """
    kind: Any = find_stage(stage)
    original = getattr(kind, phase, None)

    def survey(self: Any, records: Iterable[Any], ctx: Any) -> Any:
        return original(self, until(records, after), ctx)

    def decide(self: Any, surveys: Any, ctx: Any) -> Any:
        original(self, surveys, ctx)
        die()

    def apply(self: Any, records: Iterable[Any], ctx: Any) -> Iterator[Any]:
        return until(original(self, records, ctx), after)

    def report(path: Path, value: Any) -> None:
        if path.parent.name == stage:
            die()
        write_json(path, value)

    if phase == "report":
        for module in (work, ledger):
            vars(module)["write_json"] = report
    else:
        setattr(kind, phase, {"survey": survey, "decide": decide, "apply": apply}[phase])


if __name__ == "__main__":
    recipe, builds, stage, phase, after = sys.argv[1:]
    lay_trap(stage, phase, int(after))
    build(read_recipe(Path(recipe)), Path(builds), Progress(quiet=True), Run(workers=1))
