"""Started by torchrun in two processes: makes the runs that a file names, one after the other in the same processes."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path

from corpusforge_train.build_files import read_build
from corpusforge_train.config import Config
from corpusforge_train.errors import Interrupted
from corpusforge_train.loop import Run
from corpusforge_train.parallel import Group


def main(build: str, plans: str) -> None:
    """Each plan: config, out, and `stop`, the step after which the run is asked to end."""
    # Processes that left a group cannot meet again under the same address.
    Group.close = lambda self: None  # type: ignore[method-assign]
    for plan in json.loads(Path(plans).read_text()):
        run = Run(read_build(Path(build)), Config.model_validate(plan["config"]), Path(plan["out"]), None)
        if plan.get("stop"):
            tell = run._tell

            def stopping(*words: object, run: Run = run, tell: object = tell, stop: int = plan["stop"]) -> None:
                tell(*words)  # type: ignore[operator]
                # One process alone is asked: the others must hear of it.
                run._asked_to_end |= run.progress.step == stop and run.group.rank == run.group.size - 1

            run._tell = stopping  # type: ignore[method-assign]
        with suppress(Interrupted):
            run.train()
        # The next run in this folder goes on from what the first process has written by now.
        run.group.gather(None)


main(*sys.argv[1:])
