"""A job's events as they come: read by a task of its own, resumed where the stream broke; without it callers poll."""

import asyncio
from types import TracebackType
from typing import Self

from multitude.buyer.api import AsyncMarketApi, JobEvent, StoryOver
from multitude.errors import ApiHostile, ApiRefused, ApiUnreachable

WAITING_MOST = 1_000
"""Events that wait to be taken; beyond it the market waits."""
POLL_S = 2.0
CHECK_S = 15.0
"""Seconds after which one looks for oneself, without and with a stream."""
RETRY_FIRST_S = 0.5
RETRY_MOST_S = 30.0
GATHER_S = 0.05


class Follower:
    """An asynchronous context manager; runs on asyncio."""

    def __init__(self, api: AsyncMarketApi, job_id: str) -> None:
        self._api = api
        self._job_id = job_id
        self._events: asyncio.Queue[JobEvent] = asyncio.Queue(WAITING_MOST)
        self._last = 0
        self.is_live = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def take(self, patience_s: float) -> list[JobEvent]:
        """What happened since the last time; empty when nothing was told in that time, or in the polling time."""
        patience = min(patience_s, CHECK_S if self.is_live else POLL_S)
        try:
            first = await asyncio.wait_for(self._events.get(), max(patience, 0.0))
        except TimeoutError:
            return []
        await asyncio.sleep(GATHER_S)
        found = [first]
        while not self._events.empty():
            found.append(self._events.get_nowait())
        return found

    async def _read(self) -> None:
        pause = RETRY_FIRST_S
        while True:
            before = self._last
            try:
                async for event in self._api.events(self._job_id, self._last):
                    self.is_live = True
                    if event.id > self._last:
                        self._last = event.id
                        await self._events.put(event)
            except StoryOver:
                self.is_live = False
                return
            except (ApiUnreachable, ApiRefused, ApiHostile):
                self.is_live = False
            pause = RETRY_FIRST_S if self._last > before else min(2 * pause, RETRY_MOST_S)
            await asyncio.sleep(pause)
