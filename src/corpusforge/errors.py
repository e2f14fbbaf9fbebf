"""Every error a user can meet: where it happened, what is wrong, what to do, and the exit code.

CorpusforgeError
├── Problems            several mistakes of one recipe, reported together      exit 2
├── UsageError          a command, recipe or source that cannot be right       exit 2
│   └── InfeasibleMix   shares that no choice of records can satisfy           exit 2
├── StepFailed          a step could not do its work                           exit 1
│   ├── TooMuchQuarantine   a source lost more than its limit                  exit 1
│   └── NotConserved        records went missing between two counts            exit 1
├── GateFailed          a gate of the recipe does not hold                     exit 1
└── NeedsApproval       the build must be approved first                       exit 3
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: `where` is file:line:column or a path, `what` one sentence, `hint` what to do."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} {self.hint}".rstrip()


class CorpusforgeError(Exception):
    """Base of all errors meant for a user; printed as one line, never as a traceback."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.problem = Problem(where, what, hint)
        super().__init__(str(self.problem))

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders; the keyword arguments must survive pickling.
        return (_rebuild, (type(self), self.problem))


def _rebuild(kind: type[CorpusforgeError], problem: Problem) -> CorpusforgeError:
    error = kind.__new__(kind)
    CorpusforgeError.__init__(error, problem.what, where=problem.where, hint=problem.hint)
    return error


class UsageError(CorpusforgeError):
    """A command, recipe or source file that cannot be right."""

    exit_code = 2


class InfeasibleMix(UsageError):
    """No choice of records satisfies the shares; the hint lists every remedy with its number."""


class Problems(UsageError):
    """All problems of a recipe at once, one line each."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(p) for p in problems))

    def __reduce__(self) -> tuple[object, ...]:
        return (Problems, (self.problems,))


class StepFailed(CorpusforgeError):
    """A step could not do its work."""


class TooMuchQuarantine(StepFailed):
    """A source put more of its records into quarantine than its limit allows."""


class NotConserved(StepFailed):
    """read = kept + dropped + quarantined does not hold for a stage and source."""


class GateFailed(CorpusforgeError):
    """A gate of the recipe does not hold."""


class NeedsApproval(CorpusforgeError):
    """The build has no valid approval."""

    exit_code = 3
