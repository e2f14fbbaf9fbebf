"""Runs tasks on a datatrove executor (local, Slurm, Ray), and turns whatever goes wrong there into one clear error."""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
import traceback
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import orjson

from corpusforge import ending
from corpusforge.errors import CorpusforgeError, Problem, StepFailed, UsageError
from corpusforge.recipe import Run
from corpusforge.shards import disk_failure, write_json
from corpusforge.work import Chain, Doing, Task, doing_first, perform, task_key

Progress = Callable[[], None]
SCRATCH = ".scratch"
PRELOAD = ("corpusforge.work", "pyarrow.parquet", "polars")
PRELOAD_TO_REDACT = ("presidio_analyzer", "spacy")
POLL_SECONDS = 2.0
LOOKS_AFTER_THE_QUEUE = 3


def one_thread_each() -> None:
    """Leave one core to each process: a library's threads in every worker wait for each other's cores, at their cost.

    Effective for libraries that are loaded later, and for the workers. Who sets the variables decides.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


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
    one_thread_each()
    root = root.absolute()
    scratch = root.parent / SCRATCH / uuid.uuid4().hex[:12]
    scratch.mkdir(parents=True)
    try:
        if settings.executor == "local" and (len(tasks) == 1 or workers(settings) == 1):
            for task in tasks:
                with _ticking(progress):
                    _guarded(task, root, scratch)
                progress()
        else:
            _execute(tasks, root, settings, scratch, progress)
        _raise_errors(scratch)
        _raise_unfinished(tasks, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _ticking(progress: Progress) -> Iterator[None]:
    """Call `progress` about twice a second from beside a task that this process itself performs."""
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.5):
            progress()

    beside = threading.Thread(target=tick, daemon=True, name="progress")
    beside.start()
    try:
        yield
    finally:
        done.set()
        beside.join()


def sweep(root: Path) -> None:
    """Remove what killed builds left below a recipe's folder: scratch, and files under temporary names."""
    shutil.rmtree(root / SCRATCH, ignore_errors=True)
    for left in (*root.glob(".*.tmp"), *root.glob("steps/*/.*.tmp")):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _raise_errors(scratch: Path) -> None:
    errors = sorted(scratch.glob("*.error.json"))
    if not errors:
        return
    first = orjson.loads(errors[0].read_bytes())
    more = f" ({len(errors) - 1} more tasks failed.)" if len(errors) > 1 else ""
    raise _as_error(Problem(first["where"], first["what"] + more, first["hint"]), first["exit_code"])


def _as_error(problem: Problem, exit_code: int) -> CorpusforgeError:
    kind = UsageError if exit_code == UsageError.exit_code else StepFailed
    return kind(problem.what, where=problem.where, hint=problem.hint)


def _raise_unfinished(tasks: Sequence[Task], scratch: Path) -> None:
    missing = [task for task in tasks if not (scratch / f"{task_key(task)}.done").exists()]
    if not missing:
        return
    begun = [task for task in missing if (scratch / f"{task_key(task)}.begun").exists()]
    place = " or ".join(sorted({doing_first(task).place for task in begun[:4] or missing[:1]}))
    what = f"a worker was killed; {len(missing)} of {len(tasks)} tasks ended without a result."
    hint = "Out of memory? Use fewer --workers. Run again to resume."
    raise StepFailed(what, where=place, hint=hint)


def _guarded(task: Task, root: Path, scratch: Path) -> None:
    """Perform a task; an error becomes a file, and an exception of its own where no file can be written."""
    key = task_key(task)
    phases = [doing_first(task)]
    try:
        (scratch / f"{key}.begun").touch()
        ending.begin(scratch)
        try:
            with _silent():
                perform(task, root, phases.append)
        finally:
            ending.begin(None)
        (scratch / f"{key}.done").touch()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit() in a stage must not end the build as if all were well
        problem, exit_code = _problem(error, phases[-1])
        value = {"where": problem.where, "what": problem.what, "hint": problem.hint, "exit_code": exit_code}
        try:
            write_json(scratch / f"{key}.error.json", value)
        except OSError:
            raise _as_error(problem, exit_code) from None


def _problem(error: BaseException, doing: Doing) -> tuple[Problem, int]:
    """A mistake of the recipe is told where it is written, if the stage names no other place than its own setting."""
    if isinstance(error, UsageError) and doing.step and (written := doing.written(error.problem.where)):
        problem = error.problem
        return Problem(written, f"{doing.step.name}: {problem.what}", problem.hint), error.exit_code
    return problem_of(error, doing.place)


def problem_of(error: BaseException, where: str) -> tuple[Problem, int]:
    """What to tell of an error, and the exit code.

    What an exception of a library says may quote a record, so only its type and place in the code stay.
    """
    if isinstance(error, OSError) and (failure := disk_failure(error, where)) is not None:
        error = failure
    if isinstance(error, CorpusforgeError):
        problem = error.problem
        return Problem(problem.where or where, problem.what, problem.hint), error.exit_code
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    place = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
    hint = "This is a defect of the stage; the message is withheld, as it may quote a record."
    return Problem(where, f"{type(error).__name__} at {place}.", hint), StepFailed.exit_code


@contextmanager
def _silent() -> Iterator[None]:
    """What libraries log, warn or complain of while they hold records may quote them; and stdout is for data alone."""
    logged, unraisable = logging.root.manager.disable, sys.unraisablehook
    logging.disable(logging.CRITICAL)
    sys.unraisablehook = lambda _: None
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logged)
        sys.unraisablehook = unraisable


def _execute(tasks: Sequence[Task], root: Path, settings: Run, scratch: Path, progress: Progress) -> None:
    """Hand the tasks to a datatrove executor. Its completion markers live in a folder used once, so they can never
    serve another recipe's work; what is done is told by our own reports."""
    _quiet_logs()
    for rank, task in enumerate(tasks):
        (scratch / f"{rank}.task").write_bytes(pickle.dumps(task))
    executor = _executor(len(tasks), root, settings, scratch, _preload(tasks))
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.5):
            progress()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        if settings.executor == "slurm":
            _submit(executor)
            _wait(tasks, scratch, executor.job_name)
        else:
            executor.run()
    finally:
        stop.set()
        watcher.join()
    progress()


def _preload(tasks: Sequence[Task]) -> tuple[str, ...]:
    """Modules that a worker would load anyway; the recognisers take seconds, so only where a task redacts."""
    steps = [link.step for task in tasks if isinstance(task, Chain) for link in task.links]
    redacts = any(step.identity["stage"] == "redact" for step in steps)
    return (*PRELOAD, *PRELOAD_TO_REDACT) if redacts else PRELOAD


def _executor(tasks: int, root: Path, settings: Run, scratch: Path, preload: tuple[str, ...]) -> Any:
    """The executor that the recipe asks for. Raises UsageError where its programs or packages are absent."""
    pipeline = [_Work(root, scratch)]
    options = {"pipeline": pipeline, "tasks": tasks, "logging_dir": str(scratch / "log"), "skip_completed": False}
    if settings.executor == "ray":
        from importlib.util import find_spec

        if find_spec("ray") is None:
            raise UsageError("the executor ray needs the package ray.", where="run", hint="pip install ray")
        from datatrove.executor.ray import RayPipelineExecutor

        return RayPipelineExecutor(**options, workers=workers(settings))
    from corpusforge.executors import Local, Slurm

    if settings.executor == "local":
        local = Local(**options, workers=min(workers(settings), tasks))
        local.preload = preload
        return local
    if shutil.which("sbatch") is None:
        what = "the executor slurm needs sbatch, which is not on the PATH."
        raise UsageError(what, where="run", hint="Run on a login node, or use --executor local.")
    wanted = {"time": "24:00:00", "partition": "normal", **settings.slurm}
    count = -1 if settings.workers == "auto" else settings.workers  # the cores of a login node say nothing
    try:
        # The name is used once, so that one question or one order is about this run's jobs alone.
        return Slurm(**options, workers=count, job_name=f"corpusforge-{scratch.name}", **wanted)
    except TypeError as error:
        raise UsageError(f"run.slurm: {error}.", hint="Its keys are those of datatrove's Slurm executor.") from None


def _submit(executor: Any) -> None:
    try:
        executor.run()
    except subprocess.CalledProcessError as error:
        what = f"sbatch refused the job (exit code {error.returncode})."
        raise StepFailed(what, where="run", hint="Its message is above; mend run.slurm in the recipe.") from None


def _wait(tasks: Sequence[Task], scratch: Path, job: str) -> None:
    """Slurm returns once the job is queued; wait until every task has said done or failed, or the job has left."""
    looks = LOOKS_AFTER_THE_QUEUE  # a shared disk may show the last files a little late, and squeue may stumble
    try:
        while looks and any(not _ended(task, scratch) for task in tasks):
            queue = subprocess.run(["squeue", "-h", "-n", job], capture_output=True, check=False)
            looks = LOOKS_AFTER_THE_QUEUE if queue.returncode == 0 and queue.stdout.strip() else looks - 1
            time.sleep(POLL_SECONDS)
    except BaseException:
        subprocess.run(["scancel", "-n", job], capture_output=True, check=False)
        raise


def _ended(task: Task, scratch: Path) -> bool:
    key = task_key(task)
    return (scratch / f"{key}.done").exists() or (scratch / f"{key}.error.json").exists()


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
