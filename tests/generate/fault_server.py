"""A scripted server of OpenAI's chat completions that fails in every way that servers do, and counts what it was asked.

What becomes of a prompt follows from its text alone: its answer, whether it is refused for good, and which of its first
attempts fail in passing. So a run that was killed and resumed must end with the same answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate

PASSING = (
    "429", "429-after", "429-date", "500", "503", "hang", "dribble", "truncated", "not-json", "no-choices", "html",
    "empty", "reset", "bad-gzip",
)  # fmt: skip
RARE = ("hang", "dribble")  # each costs a whole timeout
_DRAWN = [kind for kind in PASSING for _ in range(1 if kind in RARE else 6)]
LASTING = ("refusal", "filter", "context", "bad-request", "invalid-content", "wrong-schema", "duplicate-rows", "length")


def share(*parts: object) -> float:
    """A number from 0 to 1 that follows from the parts."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


@dataclass
class FaultServer:
    """Start with `with FaultServer(...) as server`; `server.address` ends in /v1.

    `passing` and `lasting` are the shares of attempts and of prompts that fail; no prompt fails in passing more than
    twice in a row of its first attempts. `asked` holds every request's prompt in order, `answered` the whole answers.
    """

    passing: float = 0.0
    lasting: float = 0.0
    key: str = ""
    model: str = "scripted"
    delay: float = 0.0
    unavailable: int = 0
    model_of: Callable[[str], str] | None = None  # what answers a prompt in place of the three rows
    only: str = ""
    asked: list[str] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, object]] = field(default_factory=list)
    active: int = 0
    peak: int = 0
    port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> FaultServer:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024)

    async def _close(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0.01)  # closed connections are told so in the loop's next round

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._one(reader, writer):
                await writer.drain()
        with contextlib.suppress(Exception):
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)}
        if head.startswith("GET /v1/models"):
            return self._send(writer, 200, {"data": [{"id": self.model}]})
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        self.active += 1
        self.peak = max(self.peak, self.active)
        try:
            if self.delay:
                await asyncio.sleep(self.delay)
            return await self._reply(headers, body, writer)
        finally:
            self.active -= 1

    async def _reply(self, headers: dict[str, str], body: dict, writer: asyncio.StreamWriter) -> bool:
        prompt = body["messages"][-1]["content"]
        if self.key and headers.get("authorization") != f"Bearer {self.key}":
            return self._send(writer, 401, {"error": {"message": "wrong key", "code": "invalid_api_key"}})
        if body["model"] != self.model:
            return self._send(writer, 404, {"error": {"message": "no such model"}})
        self.asked.append(prompt)
        self.bodies.append(body)
        if self.unavailable > 0:
            self.unavailable -= 1
            return self._send(writer, 503, {"error": {"message": "loading the model"}})
        attempt = self.attempts[prompt]
        self.attempts[prompt] += 1
        if self.only or (attempt < 2 and share("passing", prompt, attempt) < self.passing):
            kind = self.only or _DRAWN[int(share("kind", prompt, attempt) * len(_DRAWN))]
            self.faults[kind] += 1
            return await self._fail(kind, writer)
        kind = ""
        if share("lasting", prompt) < self.lasting:
            kind = LASTING[int(share("lasting kind", prompt) * len(LASTING))]
            self.faults[kind] += 1
        self.answered[prompt] += 1
        return self._answer(kind, prompt, body, writer)

    async def _fail(self, kind: str, writer: asyncio.StreamWriter) -> bool:
        error = {"error": {"message": "no", "code": kind}}
        if kind == "429":
            return self._send(writer, 429, error)
        if kind == "429-after":
            return self._send(writer, 429, error, {"Retry-After": "0.02"})
        if kind == "429-date":
            return self._send(writer, 429, error, {"Retry-After": formatdate(usegmt=True)})
        if kind in ("500", "503"):
            return self._send(writer, int(kind), error)
        if kind == "hang":
            await asyncio.sleep(3600)
        if kind == "dribble":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.1)
        if kind == "truncated":
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{"choices": [{"index": 0, "mess')
            return False
        if kind == "reset":
            writer.transport.abort()
            return False
        if kind == "bad-gzip":
            raw = b"these bytes are not compressed"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(raw) + raw)
            return True
        bodies = {
            "not-json": b'{"choices": [{"index": 0, "message": {"content": "cut',
            "no-choices": b'{"object": "chat.completion"}',
            "html": b"<html><body>502 Bad Gateway</body></html>",
            "empty": json.dumps(
                {"choices": [{"index": 0, "message": {"content": " "}, "finish_reason": "stop"}]}
            ).encode(),
        }
        return self._raw(writer, 200, bodies[kind])

    def _answer(self, kind: str, prompt: str, body: dict, writer: asyncio.StreamWriter) -> bool:
        if kind == "context":
            message = "This model's maximum context length is 4096 tokens. However, you requested 9000 tokens."
            return self._send(writer, 400, {"error": {"message": message, "code": "context_length_exceeded"}})
        if kind == "bad-request":
            return self._send(writer, 400, {"error": {"message": f"cannot serve {prompt}"}})
        rows = [{"question": f"What is {prompt} {n}?", "answer": f"It is {prompt} {n}."} for n in range(3)]
        content = {
            "invalid-content": json.dumps(rows)[:-7],
            "wrong-schema": json.dumps([{"frage": "?", "antwort": 1}]),
            "duplicate-rows": json.dumps([*rows, rows[0]]),
        }.get(kind, json.dumps(rows))
        finish = {"filter": "content_filter", "length": "length"}.get(kind, "stop")
        if self.model_of is not None and not kind:
            content = self.model_of(prompt)
        message = {"role": "assistant", "content": content[:20] if kind == "length" else content}
        if kind == "refusal":
            message = {"role": "assistant", "content": None, "refusal": "I will not."}
        choices = [{"index": n, "message": message, "finish_reason": finish} for n in range(int(body.get("n", 1)))]
        usage = {"prompt_tokens": len(prompt), "completion_tokens": len(content), "total_tokens": 0}
        return self._send(writer, 200, {"choices": choices, "usage": usage})

    def _send(
        self, writer: asyncio.StreamWriter, status: int, value: object, more: dict[str, str] | None = None
    ) -> bool:
        return self._raw(writer, status, json.dumps(value).encode(), more)

    def _raw(self, writer: asyncio.StreamWriter, status: int, raw: bytes, more: dict[str, str] | None = None) -> bool:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(raw)}", *(f"{k}: {v}" for k, v in (more or {}).items())]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + raw)
        return True
