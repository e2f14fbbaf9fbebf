"""The engine behind an address: any server that speaks OpenAI's chat completions, asked until it answers.

Wire format: https://platform.openai.com/docs/api-reference/chat/create. The key is read from the environment when the
first call is made, goes into one header, and nowhere else.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
import time
import urllib.request
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

import aiohttp
import orjson

from corpusforge.errors import StepFailed
from corpusforge.generate.engines.door import GenerationRequest, GenerationResponse, Identity, Usage
from corpusforge.generate.engines.failures import EMPTY_ATTEMPTS, PASSING, Failure, of_status, pause
from corpusforge.generate.engines.limiter import Limiter
from corpusforge.generate.engines.settings import EngineSettings

NOBODY_LISTENS = 15.0  # seconds for a server that is about to start, where the recipe does not say
MOST_TOKENS = 2**31 - 1  # of one call; so that sums of what a server makes up are still numbers of 64 bits


class Endpoint:
    """Answers by calls to a server. `retried` counts attempts that failed and were made again, by kind."""

    name: ClassVar[str] = "endpoint"
    path: ClassVar[str] = "chat/completions"
    first_pause: ClassVar[float] = 0.5

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self._identity = self.identity()
        self.limiter = Limiter(settings.max_in_flight)
        self.retried: dict[str, int] = {}
        self._client: aiohttp.ClientSession | None = None
        self._answered = False
        self._started = 0.0
        self._stop: StepFailed | None = None
        self._waiting: set[asyncio.Task[Any] | None] = set()
        self._sent: set[asyncio.Task[Any] | None] = set()

    def identity(self) -> Identity:
        """Model and revision as the recipe names them: what stands behind an address cannot be looked at."""
        return Identity(self.name, self.settings.model, revision_with_options(self.settings.revision, self.settings))

    async def answer(self, request: GenerationRequest) -> GenerationResponse:
        """Answer one request, in as many attempts as its failures are worth. Raises StepFailed where none can help."""
        me = asyncio.current_task()
        self._waiting.add(me)
        try:
            return await self._answer(request, me)
        finally:
            self._waiting.discard(me)

    async def _answer(self, request: GenerationRequest, me: asyncio.Task[Any] | None) -> GenerationResponse:
        key = request.key(self._identity)
        body = orjson.dumps(self.payload(request))
        attempt = empty = 0
        self._started = self._started or time.monotonic()
        while True:
            async with self.limiter.slot() as number:
                if self._stop is not None:
                    raise self._stop
                self._sent.add(me)
                try:
                    found = await self._attempt(body, request, key)
                finally:
                    self._sent.discard(me)
                if isinstance(found, GenerationResponse):
                    self.limiter.succeeded()
                    return found
                if found.kind == "overloaded":
                    self.limiter.overloaded(number, found.wait or 0.0)
                elif found.kind == "timeout":
                    self.limiter.late(number)
            attempt += not self._may_be_starting(found)
            empty += found.kind == "empty"
            if found.kind not in PASSING or attempt >= self.settings.attempts or empty >= EMPTY_ATTEMPTS:
                return GenerationResponse(key, (), "error", error=found.kind)
            if self._stop is not None:
                raise self._stop
            self.retried[found.kind] = self.retried.get(found.kind, 0) + 1
            await asyncio.sleep(max(found.wait or 0.0, pause(max(attempt, 1), self.first_pause)))

    async def drain(self) -> None:
        """Begin no more calls; returns when those that were sent have ended, which each does within `timeout`."""
        self._stop = self._stop or StepFailed("the engine was closed.", where="generate.engine")
        for task in self._waiting - self._sent:
            if task is not None:
                task.cancel()
        sent = [task for task in self._sent if task is not None]
        if sent:
            await asyncio.wait(sent, timeout=self.settings.timeout + 5.0)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def base(self) -> str:
        """Where the server answers, without a slash at the end."""
        return self.settings.address.rstrip("/")

    def served_model(self) -> str:
        """The model's name in requests."""
        return self.settings.model

    def payload(self, request: GenerationRequest) -> dict[str, Any]:
        """The body of a request; prompts first and byte for byte as they were made."""
        sampling = request.sampling
        made: dict[str, Any] = {
            "model": self.served_model(),
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": request.seed % 2**31,
        }
        if request.n != 1:
            made["n"] = request.n
        if sampling.stop:
            made["stop"] = list(sampling.stop)
        if request.schema is not None:
            schema = {"name": request.task, "schema": dict(request.schema), "strict": True}
            made["response_format"] = {"type": "json_schema", "json_schema": schema}
        for name, value in self.more_fields().items():
            if value is None:
                made.pop(name, None)
            else:
                made[name] = value
        return made

    def more_fields(self) -> Mapping[str, Any]:
        """Fields that the recipe adds to every request; null leaves one out."""
        return self.settings.options

    def trusts_environment(self) -> bool:
        """Whether the proxies that the environment names stand before this server."""
        return True

    def _proxy(self, address: str) -> str | None:
        """The proxy for an address. aiohttp's own `trust_env` would also send the user's logins in ~/.netrc."""
        parts = urlsplit(address)
        if not self.trusts_environment() or urllib.request.proxy_bypass(parts.netloc):
            return None
        proxies = urllib.request.getproxies()
        proxy = proxies.get(parts.scheme) or proxies.get("all")
        return proxy if proxy is None or "://" in proxy else f"http://{proxy}"

    def _headers(self) -> dict[str, str]:
        headers = {"content-type": "application/json"}
        if name := self.settings.key_env:
            key = os.environ.get(name, "").strip()
            if not key:
                what = f"the environment variable {name}, which holds the endpoint's key, is not set."
                raise StepFailed(what, where="generate.engine", hint=f"Set {name} where the build runs.")
            if not key.isascii() or not key.isprintable():
                what = (
                    f"the environment variable {name} does not hold a key: it has characters that no header may have."
                )
                raise StepFailed(what, where="generate.engine", hint=f"Set {name} again.")
            headers["authorization"] = f"Bearer {key}"
        return headers

    def _connected(self) -> aiohttp.ClientSession:
        if self._client is None:
            self._client = aiohttp.ClientSession(
                headers=self._headers(),
                connector=aiohttp.TCPConnector(limit=self.settings.max_in_flight, keepalive_timeout=30.0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(30.0, self.settings.timeout)),
                trust_env=False,
            )
        return self._client

    def _may_be_starting(self, failure: Failure) -> bool:
        """A server that never answered yet may still load its model: for a while that costs no attempt."""
        if self._answered or not failure.starting:
            return False
        patience = self.settings.patience
        if failure.kind == "unreachable" and self.settings.kind == "endpoint" and self.settings.start_timeout is None:
            # Nobody listens there: more often a wrong address than a server that is about to start.
            patience = NOBODY_LISTENS
        return time.monotonic() - self._started < patience

    async def _attempt(self, body: bytes, request: GenerationRequest, key: str) -> GenerationResponse | Failure:
        client = self._connected()
        address = f"{await self.base()}/{self.path}"
        try:
            # The whole call has the limit: a server that sends a byte now and then would never run out of another.
            async with (
                asyncio.timeout(self.settings.timeout),
                client.post(address, data=body, allow_redirects=False, proxy=self._proxy(address)) as reply,
            ):
                content = await reply.read()
        except aiohttp.ClientConnectorError as error:
            # A name that nobody knows will not be known in a minute.
            return Failure("unreachable", starting=not isinstance(error.os_error, socket.gaierror))
        except TimeoutError:
            return Failure("timeout")
        except (aiohttp.ClientError, OSError):  # the connection broke, or the body is cut off or badly compressed
            return Failure("damaged", starting=True)
        if reply.content_type == "text/html" and reply.status in (200, 404) and not self._answered:
            self._stop = self._no_interface(address, reply.status)
            raise self._stop
        if reply.status != 200:
            failure = of_status(reply.status, {name.lower(): value for name, value in reply.headers.items()}, content)
            if failure.kind == "denied":
                self._stop = self._denied(reply.status)
                raise self._stop
            return failure
        self._answered = True
        return self.read(content, request, key)

    def read(self, body: bytes, request: GenerationRequest, key: str) -> GenerationResponse | Failure:
        """What the server's reply says."""
        return read_answer(body, request, key)

    def _no_interface(self, address: str, status: int) -> StepFailed:
        """A web page in place of an answer; what it says is not shown, it may quote the prompt."""
        what = f"at {urlsplit(address)._replace(query='').geturl()} a web page came back (text/html, status {status})."
        hint = "Check engine.address: of most servers it ends in /v1, and no login page or portal stands before it."
        return StepFailed(what, where="generate.engine", hint=hint)

    def _denied(self, status: int) -> StepFailed:
        name = self.settings.key_env
        why = {404: f"has no model {self.settings.model!r}, or no chat completions at that address"}.get(
            status, f"does not accept the key in {name}" if name else "wants a key"
        )
        hint = (
            "Check engine.model and engine.address." if status == 404 else "Check engine.key_env and the key's quota."
        )
        return StepFailed(f"the server {why} (status {status}).", where="generate.engine", hint=hint)


def read_answer(body: bytes, request: GenerationRequest, key: str) -> GenerationResponse | Failure:
    """What a chat completion says, one text for each of the `n` answers wanted; a Failure if it is none."""
    try:
        value = orjson.loads(body)
        choices = {choice["index"]: choice for choice in reversed(value["choices"])}
        wanted = [choices[index] for index in range(request.n)]
        finishes = [choice.get("finish_reason") or "stop" for choice in wanted]
        messages = [choice["message"] for choice in wanted]
        refused = any(message.get("refusal") for message in messages) or "content_filter" in finishes
        texts = tuple(_text(message.get("content")) for message in messages)
        usage = _usage(value.get("usage"))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError):
        return Failure("damaged")
    if refused:
        return GenerationResponse(key, (), "error", usage, "refused")
    if "length" in finishes:
        return GenerationResponse(key, texts, "length", usage)
    if not any(text.strip() for text in texts):
        return Failure("empty")
    return GenerationResponse(key, texts, "stop", usage)


def _usage(value: Any) -> Usage:
    if not isinstance(value, dict):
        return Usage()
    return Usage(_tokens(value.get("prompt_tokens")), _tokens(value.get("completion_tokens")))


def _tokens(value: Any) -> int:
    return int(min(max(value, 0), MOST_TOKENS)) if isinstance(value, int | float) and not math.isnan(value) else 0


def _text(content: Any) -> str:
    """A message's text, also where it comes in parts. Raises TypeError for what is neither."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type", "text") == "text")
    if content is None or isinstance(content, str):
        return content or ""
    raise TypeError("no text")


def revision_with_options(revision: str, settings: EngineSettings) -> str:
    """The revision with the options that decide answers, if there are any."""
    options = settings.deciding_options()
    return revision if not options else f"{revision} {orjson.dumps(options).decode()}".strip()
