"""Runs tasks on a datatrove executor (local, Slurm, Ray): the only module that knows them."""

from __future__ import annotations

import os
import pickle
import shutil
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from corpusforge.errors import StepFailed
from corpusforge.recipe import Run
from corpusforge.shards import write_json
from corpusforge.work import Task, perform, task_key

Progress = Callable[[], None]
PRELOAD = ["corpusforge.work", "pyarrow.parquet", "polars", "presidio_analyzer", "spacy"]


def workers(settings: Run) -> int:
    """How many processes run at a time."""
    return (len(os.sched_getaffinity(0)) or 1) if settings.workers == "auto" else settings.workers


def run_tasks(tasks: Sequence[Task], root: Path, settings: Run, progress: Progress) -> None:
    """Run all tasks; returns when every one has committed its results below `root`.

    `progress` is called about twice a second. Raises StepFailed naming the first task that failed; the others finish,
    so that nothing that was done is lost.
    """
    if not tasks:
        return
    scratch = root.parent / ".scratch" / uuid.uuid4().hex[:12]
    scratch.mkdir(parents=True)
    try:
        if settings.executor == "local" and (len(tasks) == 1 or workers(settings) == 1):
            for task in tasks:
                _guarded(task, root, scratch)
                progress()
        else:
            _execute(tasks, root, settings, scratch, progress)
        _raise_errors(scratch)
        _raise_unfinished(tasks, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _raise_errors(scratch: Path) -> None:
    errors = sorted(scratch.glob("*.error.json"))
    if not errors:
        return
    first = orjson.loads(errors[0].read_bytes())
    more = f" ({len(errors) - 1} more tasks failed.)" if len(errors) > 1 else ""
    raise StepFailed(first["what"] + more, where=first["where"], hint=first["hint"])


def _raise_unfinished(tasks: Sequence[Task], scratch: Path) -> None:
    missing = [task for task in tasks if not (scratch / f"{task_key(task)}.done").exists()]
    if missing:
        what = f"{len(missing)} of {len(tasks)} tasks ended without a result."
        raise StepFailed(
            what, where=_place(missing[0]), hint="A worker was killed (out of memory?). Run again to resume."
        )


def _place(task: Task) -> str:
    from corpusforge.work import DecideTask

    if isinstance(task, DecideTask):
        return task.step.name
    if task.ingest is not None:
        return f"ingest, {task.ingest.name}"
    return f"{task.links[0].step.name}, {task.start.name if task.start else ''}"


def _guarded(task: Task, root: Path, scratch: Path) -> None:
    """Perform a task; an error becomes a file. What an exception of a library says may quote a record, so only its
    type and place are kept."""
    from corpusforge.errors import CorpusforgeError

    key = task_key(task)
    try:
        perform(task, root)
        (scratch / f"{key}.done").touch()
    except CorpusforgeError as error:
        problem = error.problem
        value = {"where": problem.where or _place(task), "what": problem.what, "hint": problem.hint}
        write_json(scratch / f"{key}.error.json", value)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        place = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
        what = f"{type(error).__name__} at {place}."
        hint = "This is a defect of the stage; the message is withheld, as it may quote a record."
        write_json(scratch / f"{key}.error.json", {"where": _place(task), "what": what, "hint": hint})


def _execute(tasks: Sequence[Task], root: Path, settings: Run, scratch: Path, progress: Progress) -> None:
    """Hand the tasks to a datatrove executor. Its completion markers live in a folder used once, so they can never
    serve another recipe's work; what is done is told by our own reports."""
    _quiet_logs()
    for rank, task in enumerate(tasks):
        (scratch / f"{rank}.task").write_bytes(pickle.dumps(task))
    executor = _executor(len(tasks), root, settings, scratch)
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.5):
            progress()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        executor.run()
        if settings.executor == "slurm":
            _wait(tasks, scratch, executor)
    finally:
        stop.set()
        watcher.join()
    progress()


def _executor(tasks: int, root: Path, settings: Run, scratch: Path) -> Any:
    pipeline = [_Work(root, scratch)]
    count = workers(settings)
    options = {"pipeline": pipeline, "tasks": tasks, "logging_dir": str(scratch / "log"), "skip_completed": False}
    if settings.executor == "slurm":
        from datatrove.executor.slurm import SlurmPipelineExecutor

        slurm = {"time": "24:00:00", "partition": "normal", **settings.slurm}
        return SlurmPipelineExecutor(**options, workers=count, job_name="corpusforge", **slurm)
    if settings.executor == "ray":
        from datatrove.executor.ray import RayPipelineExecutor

        return RayPipelineExecutor(**options, workers=count)
    import multiprocess
    from datatrove.executor.local import LocalPipelineExecutor

    # The fork server loads the libraries once; each worker then starts in milliseconds.
    multiprocess.set_forkserver_preload(PRELOAD)
    return LocalPipelineExecutor(**options, workers=min(count, tasks), start_method="forkserver")


def _wait(tasks: Sequence[Task], scratch: Path, executor: Any) -> None:
    """Slurm returns once the job is queued; wait until every task has said done or failed, or the job has left."""
    import subprocess

    while True:
        open_tasks = [
            t for t in tasks if not any((scratch / f"{task_key(t)}{s}").exists() for s in (".done", ".error.json"))
        ]
        if not open_tasks:
            return
        queue = subprocess.run(["squeue", "-h", "-j", str(executor.job_id)], capture_output=True, check=False)
        if queue.returncode != 0 or not queue.stdout.strip():
            return
        time.sleep(2)


class _Work:
    """A datatrove pipeline step that performs the task of its rank; tasks travel as files, not with every rank."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root, self.scratch = root, scratch

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Runs in each worker before datatrove says anything there.
        self.__dict__.update(state)
        _quiet_logs()

    def __call__(self, data: Any, rank: int = 0, world_size: int = 1) -> None:
        task = pickle.loads((self.scratch / f"{rank}.task").read_bytes())
        _guarded(task, self.root, self.scratch)


def _quiet_logs() -> None:
    # datatrove logs each task to stderr through loguru; our progress lines replace that.
    from loguru import logger

    logger.disable("datatrove")
