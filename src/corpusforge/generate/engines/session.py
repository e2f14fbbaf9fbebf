"""One stage's way to its engine: from the cache first, each answer paid for once, ended when too many die."""

from __future__ import annotations

import asyncio
import os
import platform
import threading
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from corpusforge import ending
from corpusforge.errors import StepFailed
from corpusforge.generate.engines.cache import ResponseCache
from corpusforge.generate.engines.door import Engine, GenerationRequest, GenerationResponse, Identity
from corpusforge.generate.engines.failures import ANSWERS, HINTS
from corpusforge.generate.engines.limiter import TURN
from corpusforge.generate.engines.registry import make_engine
from corpusforge.generate.engines.settings import EngineSettings
from corpusforge.manifest import fingerprint
from corpusforge.stage import StageContext

T = TypeVar("T")
R = TypeVar("R")
ENOUGH_CALLS = 100  # a share of fewer says little: what fails comes back before what is answered
NONE_ANSWERED = 20  # deaths without a single answer, so that nobody waits days for a server that only hangs
FEW = 3  # deaths that a shard of any size may have
LOOK_EVERY = 1.0
CLAIM_POLL = 0.05
_caches: dict[tuple[int, Path], ResponseCache] = {}


class Session:
    """Asks an engine on behalf of one stage and one shard.

    `count` gets what follows from the records alone (so that a resumed build counts like a clean one): `calls`,
    `prompt_tokens`, `completion_tokens` and `failed.<kind>`; `paid` what this run really asked for.
    """

    def __init__(
        self,
        engine: Engine,
        cache: ResponseCache | None = None,
        *,
        max_failed: float = 0.05,
        window: int = 512,
        count: Callable[[str, int], None] | None = None,
        paid: dict[str, int] | None = None,
    ) -> None:
        self.engine, self.cache, self.window = engine, cache, window
        self.paid: dict[str, int] = {} if paid is None else paid
        self.identity: Identity = engine.identity()
        self.loop = asyncio.new_event_loop()
        self._count = count or (lambda key, n: None)
        self._max_failed = max_failed
        self._deaths: Counter[str] = Counter()
        self._finished = self._under_way = 0
        self._asked: dict[str, asyncio.Future[GenerationResponse]] = {}
        self._stop: StepFailed | None = None
        self._name = engine_name(engine)
        self._looked = 0.0
        self._put = self._synced = 0
        self._syncing: asyncio.Lock | None = None
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True, name="engine-session")
        self._thread.start()

    async def ask(self, request: GenerationRequest) -> GenerationResponse:
        """The answer to a request, from the cache or the engine; durable before this returns.

        A request that fails is a response with an `error`. Raises StepFailed when too many calls die.
        """
        if self._stop is not None:
            raise self._stop
        key = request.key(self.identity)
        response = None if self.cache is None else self.cache.get(key)
        if response is not None:
            self._pay("cached", 1)
        else:
            self._under_way += 1
            try:
                response = await self._once(key, request)
            finally:
                self._under_way -= 1
        self._tell(response)
        return response

    def run(self, work: Coroutine[Any, Any, R]) -> Future[R]:
        """Start a coroutine on the session's event loop, from any other thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def close(self) -> None:
        """Let go of the engine, end the event loop and make durable what was answered.

        Where too many calls died, those under way end first (in `timeout` at most): they are paid for.
        """
        if self._thread.is_alive():
            self.run(self._end()).result()
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()
        if self.cache is not None:
            self.cache.sync()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def verdict(self) -> None:
        """Raises StepFailed if too many of all calls died; in a small shard this is not known before the end."""
        if self._stop is None and self._deaths:
            if self._deaths.total() == self._finished:
                if not self._some_requests_that_it_will_not_have():
                    self._end_all(self._too_many())
            elif self._too_many_of(self._finished):
                self._stop = self._too_many()
        if self._stop is not None:
            raise self._stop

    async def _end(self) -> None:
        if self._stop is not None:
            await self.engine.drain()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.engine.aclose()
        await self.loop.shutdown_default_executor()

    async def _once(self, key: str, request: GenerationRequest) -> GenerationResponse:
        """Ask the engine, unless this session is asking it the same already."""
        if key in self._asked:
            return await asyncio.shield(self._asked[key])
        self._asked[key] = asyncio.ensure_future(self._claimed(key, request))
        # Where nobody waits any more, its error is nobody's, and no log has to complain of it.
        self._asked[key].add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            return await asyncio.shield(self._asked[key])
        finally:
            if self._asked[key].done():
                del self._asked[key]

    async def _claimed(self, key: str, request: GenerationRequest) -> GenerationResponse:
        """Ask the engine, unless another process of this build asks it the same or did so meanwhile."""
        if self.cache is None:
            return await self._paid(request)
        while not self.cache.claim(key):
            await asyncio.sleep(CLAIM_POLL)
        try:
            found = self.cache.get(key)
            if found is not None:
                self._pay("cached", 1)
                return found
            response = await self._paid(request)
            self.cache.put(response)
            await self._durable(self.cache)
            return response
        finally:
            self.cache.release(key)

    async def _paid(self, request: GenerationRequest) -> GenerationResponse:
        self._listen()
        try:
            response = await self.engine.answer(request)
        except StepFailed as stop:
            self._end_all(stop)
            raise
        self._pay("calls", 1)
        self._pay("prompt_tokens", response.usage.prompt_tokens)
        self._pay("completion_tokens", response.usage.completion_tokens)
        if response.error:
            self._pay(f"failed.{response.error}", 1)
        return response

    async def _durable(self, cache: ResponseCache) -> None:
        """Wait until what was put so far is on the disk; all that come while it is written share the next write."""
        self._put += 1
        mine = self._put
        self._syncing = self._syncing or asyncio.Lock()
        async with self._syncing:
            if self._synced < mine:
                upto = self._put
                await self.loop.run_in_executor(None, cache.sync)
                self._synced = upto

    def _pay(self, key: str, n: int) -> None:
        if n:
            self.paid[key] = self.paid.get(key, 0) + n

    def _tell(self, response: GenerationResponse) -> None:
        self._finished += 1
        self._count("calls", 1)
        for key, n in (("prompt", response.usage.prompt_tokens), ("completion", response.usage.completion_tokens)):
            if n:
                self._count(f"{key}_tokens", n)
        if response.error:
            self._count(f"failed.{response.error}", 1)
        if response.error and response.error not in ANSWERS:
            self._deaths[response.error] += 1
            deaths = self._deaths.total()
            enough = self._finished >= ENOUGH_CALLS or (deaths == self._finished and deaths >= NONE_ANSWERED)
            # Calls under way count as answered: what fails is often back first.
            if enough and self._too_many_of(self._finished + self._under_way):
                stop = self._too_many()
                self._end_all(stop)
                raise stop

    def _too_many_of(self, calls: int) -> bool:
        """Whether too many of `calls` died. A request that the server will not have, while it takes most others, is no
        death but its row's reason: it would be turned away in every build that goes on from here."""
        bad = self._deaths["bad-request"]
        deaths = self._deaths.total() - (bad if 2 * bad <= calls else 0)
        return deaths > max(FEW if self._max_failed else 0, self._max_failed * calls)

    def _some_requests_that_it_will_not_have(self) -> bool:
        """Whether a shard's few calls were all turned away, in a build that has answers to others."""
        few = set(self._deaths) == {"bad-request"} and self._finished <= FEW and self._max_failed > 0
        return few and self.cache is not None and self.cache.holds_answers()

    def _end_all(self, stop: StepFailed) -> None:
        """End this session, and with it all others of the run that use the same engine."""
        if self._stop is None:
            self._stop = stop
            ending.tell(self._name, stop)

    def _listen(self) -> None:
        """Raise what ended the engine for another worker of this run."""
        if self._stop is None and time.monotonic() - self._looked > LOOK_EVERY:
            self._looked = time.monotonic()
            self._stop = ending.heard(self._name)
        if self._stop is not None:
            raise self._stop

    def _too_many(self) -> StepFailed:
        kinds = ", ".join(
            f"{n} {kind}" for kind, n in sorted(self._deaths.items(), key=lambda item: (-item[1], item[0]))
        )
        most = max(sorted(self._deaths), key=lambda kind: self._deaths[kind])
        what = f"{self._deaths.total()} of {self._finished} calls to the engine died ({kinds})."
        if most == "unreachable" and (address := getattr(getattr(self.engine, "settings", None), "address", "")):
            what += f" Nobody answers at {urlsplit(address)._replace(query='').geturl()}."
        hint = f"{HINTS[most]} What was answered is kept: run again to go on."
        return StepFailed(what, where="generate.engine", hint=hint)


def engine_name(engine: Engine) -> str:
    """What an engine is called among a run's workers: its model, and its address or, for a local server, machine."""
    identity, settings = engine.identity(), getattr(engine, "settings", None)
    place = "" if settings is None else settings.address or platform.node()
    return f"engine-{fingerprint([identity.engine, identity.model, identity.revision, place])[:16]}"


@contextmanager
def opened(
    settings: EngineSettings, ctx: StageContext, make: Callable[[EngineSettings], Engine] = make_engine
) -> Iterator[Session]:
    """A session for one stage on one shard, with the build's response cache.

    Raises StepFailed at its end if too many calls died.
    """
    source = next(iter(ctx.sources), "")
    session = Session(
        make(settings),
        None if ctx.responses is None else shared_cache(ctx.responses),
        max_failed=settings.max_failed,
        window=2 * settings.max_in_flight,
        count=lambda key, n: ctx.count(source, key, n),
        paid=ctx.paid,
    )
    try:
        yield session
        session.verdict()
    finally:
        session.close()


def shared_cache(folder: Path) -> ResponseCache:
    """This process's cache of a folder: one for all its shards, as each writes a file of its own."""
    key = (os.getpid(), folder.resolve())
    if key not in _caches:
        _caches[key] = ResponseCache(folder)
    return _caches[key]


def in_order(session: Session, work: Callable[[T], Awaitable[R]], items: Iterable[T]) -> Iterator[R]:
    """The results of `work` for each item, in the order of the items, while a window of them is under way.

    Calls of earlier items go first, so that those of one chunk stay together. The first exception of `work` ends all.
    """
    running: deque[Future[R]] = deque()
    try:
        for turn, item in enumerate(items):
            running.append(session.run(_in_turn(turn, work, item)))
            if len(running) >= session.window:
                yield running.popleft().result()
            while running and running[0].done():
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()


async def _in_turn(turn: int, work: Callable[[T], Awaitable[R]], item: T) -> R:
    TURN.set(turn)
    return await work(item)
