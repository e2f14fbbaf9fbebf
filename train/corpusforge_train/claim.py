"""Holds a run's folder for one process: two that write into one folder would take each other's checkpoints away."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from corpusforge_train.errors import TrainError

_FILE = ".lock"


class Claim:
    """The right to write into a folder, until it is closed or its process ends, however it does.

    Raises TrainError if another process has it. File systems that know no locks promise nothing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / _FILE
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            os.close(self._handle)
            hint = "Wait for it, or name another --out."
            raise TrainError("another process trains here.", where=str(folder), hint=hint) from None
        except OSError:
            # No locks here: what is left is the care of whoever starts runs.
            pass

    def close(self) -> None:
        """Give it up."""
        with suppress(FileNotFoundError):
            self._path.unlink()
        os.close(self._handle)
