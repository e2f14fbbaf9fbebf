"""How many calls are under way at a time: more while the server keeps up, fewer as soon as it does not."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

START = 16
LEAST = 4
SHRINK = 0.7
LATE_SHARE = 0.1

# The place of the item that a call belongs to: calls of one chunk go together, while its prefix is hot.
TURN: ContextVar[int] = ContextVar("turn", default=0)


class Limiter:
    """Additive increase, multiplicative decrease of the calls in flight (Chiu and Jain 1989), as TCP does it.

    Until the first overload each success adds one (the number doubles each round); from then on each round adds one.
    An overload takes the number to 70%, once for all calls that were under way together. A call that took too long is
    a sign of one only where more than a tenth do: a single socket may hang for other reasons. Waiting calls go by
    turn, the earliest chunk first.
    """

    def __init__(self, most: int, start: int = START) -> None:
        self.most = most
        self.limit = float(min(start, most))
        self.active = 0
        self.peak = 0
        self.shrunk = 0
        self._late = 0.0
        self._slow_start = True
        self._numbers = itertools.count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._eased = -1  # calls numbered up to here were under way at the last overload
        self._not_before = 0.0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[int]:
        """Wait for a place; gives the call's number, which `overloaded` and `late` want."""
        await self._enter()
        try:
            yield next(self._numbers)
        finally:
            self.active -= 1
            self._wake()

    def succeeded(self) -> None:
        """A call was answered."""
        self._late = max(0.0, self._late - LATE_SHARE)
        self.limit = min(self.most, self.limit + (1.0 if self._slow_start else 1.0 / self.limit))
        self._wake()

    def overloaded(self, number: int, pause: float = 0.0) -> None:
        """A call was turned away; no new call begins for `pause` seconds."""
        self._not_before = max(self._not_before, time.monotonic() + pause)
        if number <= self._eased:
            return
        self._eased = next(self._numbers)
        self._slow_start = False
        self.shrunk += 1
        self.limit = max(float(min(LEAST, self.most)), self.limit * SHRINK)

    def late(self, number: int) -> None:
        """A call took too long."""
        self._late += 1.0
        if self._late > 2.0:
            self._late = 0.0
            self.overloaded(number)

    async def _enter(self) -> None:
        if self.active >= int(self.limit) or self._waiting:
            place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (TURN.get(), next(self._numbers), place))
            self._wake()
            try:
                await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():
                    self.active -= 1
                    self._wake()
                raise
        else:
            self.active += 1
        self.peak = max(self.peak, self.active)
        while (pause := self._not_before - time.monotonic()) > 0:
            try:
                await asyncio.sleep(pause)
            except asyncio.CancelledError:
                self.active -= 1
                self._wake()
                raise

    def _wake(self) -> None:
        while self._waiting and self.active < int(self.limit):
            place = heapq.heappop(self._waiting)[2]
            if not place.done():
                self.active += 1
                place.set_result(None)
