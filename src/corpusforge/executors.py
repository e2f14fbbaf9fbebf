"""datatrove executors that a build can rely on: a pool that notices dead workers, Slurm without its statistics job."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor, wait
from multiprocessing.connection import Connection
from typing import Any

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.executor.slurm import SlurmPipelineExecutor

from corpusforge.errors import CorpusforgeError
from corpusforge.shards import disk_failure


class Local(LocalPipelineExecutor):  # type: ignore[misc]  # datatrove has no types
    """datatrove's local executor on a pool of our own.

    datatrove's pool waits for ever for the result of a worker that was killed (out of memory), and its workers go on
    writing when the build itself was killed. Here the pool ends with the first dead worker, and every worker ends with
    the build.
    """

    preload: tuple[str, ...] = ()

    def run(self) -> None:
        """Run every rank. Raises what a rank could not even write down; a dead worker is told by its missing result."""
        # The fork server loads the libraries once; each worker then starts in milliseconds.
        multiprocessing.set_forkserver_preload(list(self.preload))
        context = multiprocessing.get_context("forkserver")
        end, hold = context.Pipe(duplex=False)
        pool = ProcessPoolExecutor(self.workers, mp_context=context, initializer=_leash, initargs=(end,))
        try:
            waiting = [pool.submit(self._run_for_rank, rank, rank) for rank in range(self.tasks)]
            # In small steps: where a signal goes to another thread, an open-ended wait would never hear of it.
            while wait(waiting, timeout=0.2).not_done:
                pass
            pool.shutdown()
        finally:
            hold.close()
            pool.shutdown(cancel_futures=True)
            end.close()
        _raise_first(waiting)


def _raise_first(done: list[Future[Any]]) -> None:
    for future in done:
        error = future.exception()
        if isinstance(error, CorpusforgeError):
            raise error
        if isinstance(error, OSError) and (failure := disk_failure(error)) is not None:
            raise failure from None


def _leash(end: Connection) -> None:
    """End this worker when the other end of the pipe closes: the build was interrupted, or killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the build decides for all

    def watch() -> None:
        end.poll(None)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Slurm(SlurmPipelineExecutor):  # type: ignore[misc]
    """datatrove's Slurm executor without the job that merges statistics, which nobody reads."""

    def launch_merge_stats(self) -> None:
        """Submit nothing more."""
