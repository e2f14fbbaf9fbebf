"""The door every engine stands behind: what a generator asks for, what comes back, and how a request is addressed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import orjson

from corpusforge.record import Message, stable_hash

Finish = Literal["stop", "length", "error"]
ErrorKind = Literal[
    "",
    "unsupported",  # the engine has no such task
    "bad-request",  # the server will not have it, whoever asks again
    "context",  # longer than the model can read
    "refused",  # the model or the server's filter declines
    "empty",  # an answer without a word
    "damaged",  # an answer that is cut off, or is not what the protocol says
    "timeout",
    "overloaded",
    "server",  # the server failed (5xx)
    "unreachable",
    "denied",  # no right to ask: key, quota, or no such model
]


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

    `finish` is `length` if any of the answers was cut at `max_tokens`. An error is a value, not an exception: one
    request that fails must not take its batch with it.
    """

    key: str
    texts: tuple[str, ...]
    finish: Finish = "stop"
    usage: Usage = field(default_factory=Usage)
    error: ErrorKind = ""


class Engine(Protocol):
    """What answers requests, many at a time."""

    name: str

    def identity(self) -> Identity:
        """What decides the answers; part of every request's key and of the step's identity."""
        ...

    async def answer(self, request: GenerationRequest) -> GenerationResponse:
        """Answer one request; never raises for a bad one, only for what no request could survive (StepFailed)."""
        ...

    async def drain(self) -> None:
        """Begin no more calls; returns when those under way have ended, or their time is up."""
        ...

    async def aclose(self) -> None:
        """Let go of connections; the engine answers no more."""
        ...
