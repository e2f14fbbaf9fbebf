"""How this room asks a model: questions in, replies out in the same order; the corridor brings the engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt as it is sent, at temperature 0; `task` names what it is for."""

    task: str
    prompt: str
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; `error` is the kind of failure, empty where there is a text."""

    text: str
    error: str = ""


class Ask(Protocol):
    """Answers questions in their order, one reply each; a failed call is a reply with an error."""

    def __call__(self, questions: Iterable[Question], /) -> Iterator[Reply]:
        """Ask them all."""
        ...
