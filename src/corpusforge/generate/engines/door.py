"""The door every engine stands behind: what a generator asks for, what comes back, and how a request is addressed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import orjson

from corpusforge.record import Message, stable_hash

Finish = Literal["stop", "length", "error"]
ErrorKind = Literal["", "unsupported", "bad-request", "context", "timeout", "overloaded", "refused", "unparsable"]


@dataclass(frozen=True, slots=True)
class Identity:
    """What decides an engine's answers: its name, the model and the exact revision of it."""

    engine: str
    model: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. Temperature 0 is greedy; `max_tokens` limits each answer; `stop` ends it early."""

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One question to an engine.

    `task` names the generator (`qa`, `mcq` ...). `messages` is the prompt as it is sent, byte for byte, and must be
    redacted already. `schema` is the JSON schema the answer must obey, if any. `n` answers are wanted.
    """

    task: str
    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    schema: Mapping[str, Any] | None = None
    seed: int = 0
    n: int = 1

    def key(self, identity: Identity) -> str:
        """The request's content address (32 hex digits): same key, same answers.

        It covers the model and revision, the prompt's bytes, the sampling, the schema, the seed and `n`; it does not
        cover addresses, workers or time, so that a moved endpoint keeps its cache.
        """
        sampling = self.sampling
        return stable_hash(
            identity.engine,
            identity.model,
            identity.revision,
            self.task,
            *(part for message in self.messages for part in (message.role, message.name, message.content)),
            orjson.dumps(
                {
                    "temperature": sampling.temperature,
                    "top_p": sampling.top_p,
                    "max_tokens": sampling.max_tokens,
                    "stop": sampling.stop,
                    "schema": self.schema,
                    "seed": self.seed,
                    "n": self.n,
                },
                option=orjson.OPT_SORT_KEYS,
            ).decode(),
            size=16,
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens read and written, as the engine counts them; 0 where it does not."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class GenerationResponse:
    """The answers to one request, in order; `error` is empty unless `finish` is `error`.

    An error is a value, not an exception: one request that fails must not take its batch with it.
    """

    key: str
    texts: tuple[str, ...]
    finish: Finish = "stop"
    usage: Usage = field(default_factory=Usage)
    error: ErrorKind = ""


class Engine(Protocol):
    """What answers requests. Responses come in the order of the requests, one each."""

    name: str

    def identity(self) -> Identity:
        """What decides the answers; part of every request's key and of the step's identity."""
        ...

    def generate(self, requests: Iterable[GenerationRequest]) -> Iterator[GenerationResponse]:
        """Answer the requests; never raises for a single bad one."""
        ...
