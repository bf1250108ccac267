"""Waking those who wait: Valkey's pub/sub, with nothing in it that matters."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator

import redis
import redis.asyncio
import structlog

log = structlog.get_logger(__name__)

CHANNEL = "market:wake"
LEASES = "leases"
"""The topic of spans that came free and of matches that changed: whoever waits for a lease."""
RETRY_SECONDS = 1.0


def job_topic(job_id: str) -> str:
    """The topic of a job's events."""
    return f"job:{job_id}"


class Waker:
    """Wakes waiting requests in every process of the market. Lost messages cost a waiter one polling step."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def wake(self, *topics: str) -> None:
        """Wakes all who wait for a topic."""
        try:
            self._client.publish(CHANNEL, " ".join(topics))
        except redis.RedisError as error:
            log.warning("wake_lost", error=str(error))


class Waiters:
    """The waiting requests of one process: one subscription for all of them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._events: dict[str, set[asyncio.Event]] = defaultdict(set)

    async def wait(self, seconds: float, *topics: str) -> bool:
        """Waits until one of the topics is woken or the time is over; True when woken."""
        event = asyncio.Event()
        for topic in topics:
            self._events[topic].add(event)
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            return False
        finally:
            for topic in topics:
                self._events[topic].discard(event)
                if not self._events[topic]:
                    del self._events[topic]
        return True

    def notify(self, topic: str) -> None:
        """Wakes the waiters of this process."""
        for event in list(self._events.get(topic, ())):
            event.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listens for as long as the block lasts."""
        task = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            while not task.done():  # a cancellation that meets a connection in the making may be swallowed
                task.cancel()
                await asyncio.wait({task}, timeout=0.2)

    async def _listen(self) -> None:
        while True:
            client = redis.asyncio.Redis.from_url(self._url)
            try:
                async with client.pubsub() as pubsub:
                    await pubsub.subscribe(CHANNEL)
                    async for message in pubsub.listen():
                        if message["type"] == "message":
                            for topic in message["data"].decode().split():
                                self.notify(topic)
            except (redis.RedisError, OSError) as error:
                log.warning("wake_listener_reconnects", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            finally:
                await client.aclose()
