"""The engine that needs no model: it answers `qa` requests with spans of the passage they hold, by rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

    def generate(self, requests: Iterable[GenerationRequest]) -> Iterator[GenerationResponse]:
        """Answer the requests in order."""
        for request in requests:
            key = request.key(self.identity())
            if request.task != "qa":
                yield GenerationResponse(key, (), "error", error="unsupported")
                continue
            passages = [message for message in request.messages if message.role == "user"]
            if not passages:
                yield GenerationResponse(key, (), "error", error="bad-request")
                continue
            text, title = passages[-1].content, passages[-1].name
            record = Record(f"passage:{stable_hash(text)}", "", "doc", text, Origin("", 0, len(text), "char"), title)
            pairs = choose(record, mine(record), request.n, request.n)
            rows = [{"question": pair.question, "answer": pair.answer, "spans": pair.spans} for pair in pairs]
            yield GenerationResponse(key, (orjson.dumps(rows).decode(),))
