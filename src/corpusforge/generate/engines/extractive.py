"""The engine that needs no model: it answers `qa` requests with spans of the passage they hold, by rules."""

from __future__ import annotations

from typing import ClassVar

import orjson

from corpusforge.generate.engines.door import GenerationRequest, GenerationResponse, Identity
from corpusforge.generate.qa_miner import VERSION, choose, mine
from corpusforge.record import Origin, Record, stable_hash


class Extractive:
    """Answers `qa`: the last user message is the passage, its `name` the page's title; the answer is a JSON list of
    {"question", "answer", "spans"}, at most `n` of them. Any other task is an `unsupported` error."""

    name: ClassVar[str] = "extractive"

    def identity(self) -> Identity:
        """The rules' version takes the place of a model's revision."""
        return Identity(self.name, "rules", str(VERSION))

    async def answer(self, request: GenerationRequest) -> GenerationResponse:
        """Answer one request."""
        key = request.key(self.identity())
        if request.task != "qa":
            return GenerationResponse(key, (), "error", error="unsupported")
        passages = [message for message in request.messages if message.role == "user"]
        if not passages:
            return GenerationResponse(key, (), "error", error="bad-request")
        text, title = passages[-1].content, passages[-1].name
        record = Record(f"passage:{stable_hash(text)}", "", "doc", text, Origin("", 0, len(text), "char"), title)
        pairs = choose(record, mine(record), request.n, request.n)
        rows = [{"question": pair.question, "answer": pair.answer, "spans": pair.spans} for pair in pairs]
        return GenerationResponse(key, (orjson.dumps(rows).decode(),))

    async def drain(self) -> None:
        """No call lasts."""

    async def aclose(self) -> None:
        """Nothing is held."""
