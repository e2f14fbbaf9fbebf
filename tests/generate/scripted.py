"""An engine that follows a script: it reads the prompt as a model would and answers from the document, always alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from corpusforge.generate.engines.door import GenerationRequest, GenerationResponse, Identity, Usage
from corpusforge.generate.engines.settings import EngineSettings

ENGINE = {"kind": "endpoint", "model": "scripted", "address": "http://127.0.0.1:9/v1"}
TELLS = {
    "question that the document answers": "qa",
    "questions that the document answers": "qa",
    "from a description to the thing described": "qa-reverse",
    "would help others with the same problem": "qa-chat",
    "that the document does not answer": "qa-unanswerable",
    "Is the answer right, and does": "qa-check",
    "Can this question be answered": "qa-unanswerable-check",
    "who knows the subject but misremembers": "mcq-near",
    "could the other answer pass as right": "mcq-check",
    "Sum up the document": "reading-summary",
    "everything that the summary says": "reading-check",
    "as a list of frequently asked questions": "rewrite-faq",
    "as one or more tables": "rewrite-table",
    "as a tutorial": "rewrite-tutorial",
    "as a list of its facts": "rewrite-facts",
    "everything that this says": "rewrite-check",
    "Write it anew": "turns",
    "everything that the assistant says": "turns-check",
}
Reply = Callable[[str, str, int], "str | None"]


class Scripted:
    """Answers by the document. `reply(kind, document, n)` may answer in its place, `calls` counts requests by kind."""

    name = "endpoint"

    def __init__(self, reply: Reply | None = None, output: str = "tagged") -> None:
        self.reply, self.output = reply, output
        self.calls: Counter[str] = Counter()
        self.prompts: list[str] = []
        self.requests: list[GenerationRequest] = []

    def identity(self) -> Identity:
        return Identity("endpoint", "scripted", "1")

    async def answer(self, request: GenerationRequest) -> GenerationResponse:
        prompt = request.messages[-1].content
        kind = kind_of(prompt)
        again = "Rows were written before" in prompt
        self.calls[f"{kind}+" if again else kind] += 1
        self.prompts.append(prompt)
        self.requests.append(request)
        document = body(prompt)
        n = wanted(prompt)
        text = self.reply(f"{kind}+" if again else kind, document, n) if self.reply else None
        if text is None:
            text = self._own(kind, document, n, prompt)
        key = request.key(self.identity())
        if text.startswith("!"):
            return GenerationResponse(key, (), "error", error=text[1:])  # type: ignore[arg-type]
        return GenerationResponse(key, (text,), usage=Usage(len(prompt) // 4, max(1, len(text) // 4)))

    async def drain(self) -> None:
        """No call lasts."""

    async def aclose(self) -> None:
        pass

    def _own(self, kind: str, document: str, n: int, prompt: str) -> str:
        if kind.endswith("-check"):
            good = kind in ("qa-check", "reading-check", "rewrite-check", "turns-check")
            return ("true" if good else "false") if self.output == "json" else ("Yes" if good else "No")
        return written(list(rows(kind, document, n, prompt)), self.output)


def plugged(monkeypatch: Any, engine: Scripted) -> Scripted:
    """Every session of this process asks this engine."""

    def made(settings: EngineSettings) -> Scripted:
        engine.output = settings.output
        return engine

    monkeypatch.setattr("corpusforge.generate.engines.registry.find_engine", lambda name: made)
    # Power cuts are tested elsewhere; here every answer would wait for the disk.
    monkeypatch.setattr("corpusforge.generate.engines.cache.ResponseCache.sync", lambda self: None)
    return engine


def kind_of(prompt: str) -> str:
    task = prompt.rpartition("</document>")[2]
    return next(kind for tell, kind in TELLS.items() if tell in task)


def body(prompt: str) -> str:
    inner = prompt.partition("<document>")[2].rpartition("</document>")[0]
    return inner.partition("\n\n")[2].strip()


def wanted(prompt: str) -> int:
    match = re.findall(r"exactly (one row|\d+ rows)", prompt.rpartition("</document>")[2])
    return 0 if not match else 1 if match[-1] == "one row" else int(match[-1].split()[0])


def told(document: str) -> list[str]:
    """The document's sentences, as they stand on its lines."""
    lines = [line.strip() for line in document.splitlines() if line.strip() and not line.startswith("#")]
    found = [s.strip() for line in lines for s in re.findall(r"[^.!?]+[.!?]", line)]
    return [sentence for sentence in found if len(sentence) > 25]


def rows(kind: str, document: str, n: int, prompt: str) -> Iterator[Mapping[str, Any]]:
    sentences = told(document)
    for at in range(n):
        sentence = sentences[at % len(sentences)] if sentences else document[:80]
        about = " ".join(re.findall(r"[\w-]+", sentence)[:6])
        if kind in ("qa", "qa-reverse", "qa-chat"):
            if at >= max(1, len(sentences)):
                return
            opening = {"qa": "What is known of", "qa-reverse": "Which thing is meant by", "qa-chat": "How to mend"}[
                kind
            ]
            quote = sentence.partition(": ")[2] or sentence if kind == "qa-chat" else sentence
            yield {"question": f"{opening} {about}?", "answer": quote, "quote": [quote]}
        elif kind == "qa-unanswerable":
            yield {"question": f"Who designed {about} {at}?", "missing": "the designer"}
        elif kind == "mcq-near":
            right = prompt.partition("Right answer: ")[2].partition("\n")[0]
            yield {"wrong": [other(right)], "changed": "number"}
        elif kind == "reading-summary":
            yield {"summary": " ".join(sentences[at : at + 2])}
        elif kind.startswith("rewrite-"):
            yield {"text": "\n".join(f"- {s}" for s in sentences)}
        else:
            says = [line.partition(": ")[2] for line in document.splitlines()]
            yield {"user": says[0], "assistant": says[-2], "quote": [says[-2]]}


def other(text: str) -> str:
    """The text with its first number, or its first word, changed."""
    number = re.search(r"\d+", text)
    if number:
        return text[: number.start()] + str(int(number[0]) + 2) + text[number.end() :]
    return "Never " + text[:1].lower() + text[1:]


def written(made: list[Mapping[str, Any]], output: str) -> str:
    if output == "json":
        return orjson.dumps({"rows": made}).decode()
    lines = []
    for row in made:
        fields = [
            f"<{name}>{one}</{name}>"
            for name, value in row.items()
            for one in (value if isinstance(value, list) else [value])
        ]
        lines.append("<row>\n" + "\n".join(fields) + "\n</row>")
    return "\n".join(lines)
