"""The errors that a user of the trainer can meet: where, what, what to do, and the exit code."""

from __future__ import annotations


class TrainError(Exception):
    """Something that a user can put right; told in one line. Exit code 1."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(f"{f'{where}: ' if where else ''}{what} {hint}".strip())


class WrongUse(TrainError):
    """A command, config or build that cannot be right. Exit code 2."""

    exit_code = 2


class NotApproved(TrainError):
    """The build has no valid approval. Exit code 3."""

    exit_code = 3


class Interrupted(TrainError):
    """The run was asked to end, and has saved a checkpoint. Exit code 130."""

    exit_code = 130
