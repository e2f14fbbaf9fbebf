"""Asks a server how likely a model holds a text: completions that echo their prompt with its log-probabilities.

Wire format: https://platform.openai.com/docs/api-reference/completions (`echo`, `logprobs`); vLLM gives them, most
hosted chat servers do not.
"""

from __future__ import annotations

from typing import Any, ClassVar

import orjson

from corpusforge.generate.engines.door import Engine, GenerationRequest, GenerationResponse, Usage
from corpusforge.generate.engines.endpoint import Endpoint
from corpusforge.generate.engines.failures import Failure
from corpusforge.generate.engines.registry import find_engine, make_engine
from corpusforge.generate.engines.settings import EngineSettings

TASK = "likelihood"


class Scoring(Endpoint):
    """Answers with the natural logarithm of its only message's probability, as text; the first token has none."""

    path: ClassVar[str] = "completions"

    def payload(self, request: GenerationRequest) -> dict[str, Any]:
        """One token is generated, as servers want at least one; it is not counted."""
        asked = {"model": self.served_model(), "prompt": request.messages[0].content, "temperature": 0.0}
        made = {**asked, "max_tokens": 1, "echo": True, "logprobs": 1, **self.more_fields()}
        return {name: value for name, value in made.items() if value is not None}

    def read(self, body: bytes, request: GenerationRequest, key: str) -> GenerationResponse | Failure:
        """The sum over the prompt's tokens; `unsupported` where the server echoes none."""
        try:
            value = orjson.loads(body)
            told = value["choices"][0].get("logprobs")
            usage = value["usage"]
            read, written = int(usage["prompt_tokens"]), int(usage.get("completion_tokens") or 0)
            if not told or len(told["token_logprobs"]) != read + written:
                return GenerationResponse(key, (), "error", error="unsupported")
            total = sum(logprob for logprob in told["token_logprobs"][:read] if logprob is not None)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError, IndexError):
            return Failure("damaged")
        return GenerationResponse(key, (repr(float(total)),), "stop", Usage(read, written))


def make_scorer(settings: EngineSettings) -> Engine:
    """The engine of the settings, asked for likelihoods instead of answers."""
    if settings.kind == "transformers":
        return make_engine(settings)
    # The kind decides where the server is, `Scoring` what is asked of it.
    found: Engine = type("Scorer", (Scoring, find_engine(settings.kind)), {"name": settings.kind})(settings)
    return found
