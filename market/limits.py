"""How often (rates, on Valkey; where it is away each process counts for itself) and how many at once (places)."""

import ipaddress
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import limits
import structlog
from fastapi import Request
from limits.errors import ConfigurationError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter
from redis import RedisError

from market.problems import Problem

log = structlog.get_logger(__name__)

RULES = {
    "any": "3000/minute",
    "session": "120/minute",
    "device": "60/minute",
    "upload": "600/minute",
    "program": "20/minute",
    "quote": "20/minute",
    "job": "60/minute",
    "challenge": "60/minute",
    "sign_in": "60/minute",
    "webhook": "60/minute",
    "follow": "120/minute",
    "owner": "120/minute",
    "book": "120/minute",
    "results_page": "600/minute",
    "results": "600/minute",
}
"""Calls by kind, for each caller's address; results for each device. `any` counts every request, in its process."""

SHARED_RULES = {"device": "600/hour", "program": "120/hour"}
"""Calls of all callers together, where each may cost the settler a transaction."""

EVERYBODY = "everybody"


def caller_of(scope: Mapping[str, Any]) -> str:
    """Whom limits count: the peer's IPv4 address, or the /64 of its IPv6 address (one subscriber has all of it)."""
    client = scope.get("client")
    host = str(client[0]) if client else "unknown"
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))


class RateLimits:
    """Refuses callers that come too often."""

    def __init__(self, redis_url: str, factor: int) -> None:
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._shared = FixedWindowRateLimiter(_storage(redis_url))
        self._rules = {name: _times(limits.parse(rule), factor) for name, rule in RULES.items()}
        self._together = {name: _times(limits.parse(rule), factor) for name, rule in SHARED_RULES.items()}

    def check(self, request: Request, kind: str) -> None:
        """Raises Problem 429 `rate_limited` when the caller's address, or all together, used up calls of this kind."""
        self.check_caller(caller_of(request.scope), kind)
        if kind in self._together:
            self._hit(self._together[kind], kind, EVERYBODY)

    def check_caller(self, caller: str, kind: str) -> None:
        """The same for a caller by name, such as a device."""
        self._hit(self._rules[kind], kind, caller)

    def check_any(self, caller: str) -> None:
        """Counts a request of any kind, in this process alone."""
        rule = self._rules["any"]
        if not self._local.hit(rule, "any", caller):
            raise _too_often(rule, "all")

    def _hit(self, rule: limits.RateLimitItem, kind: str, caller: str) -> None:
        try:
            allowed = self._shared.hit(rule, kind, caller)
        except RedisError as error:
            log.warning("rate_limits_local", error=str(error))
            allowed = self._local.hit(rule, kind, caller)
        if not allowed:
            raise _too_often(rule, kind)


def _too_often(rule: limits.RateLimitItem, kind: str) -> Problem:
    return Problem(429, "rate_limited", f"at most {rule} for {kind} calls", {"Retry-After": str(rule.get_expiry())})


def _times(rule: limits.RateLimitItem, factor: int) -> limits.RateLimitItem:
    return type(rule)(rule.amount * factor, rule.multiples)


def _storage(url: str) -> Storage:
    try:
        found = storage_from_string(url.replace("unix://", "redis+unix://", 1) if url.startswith("unix://") else url)
    except ConfigurationError:
        raise ValueError("MARKET_REDIS_URL is redis:// or unix://") from None
    assert isinstance(found, Storage)
    return found


class Room(NamedTuple):
    """What may go on at once in one process: for each caller, and in all."""

    each: int
    all: int


ROOMS = {
    "wait": Room(64, 256),
    "wait_device": Room(2, 256),
    "follow": Room(16, 128),
    "work": Room(2, 4),
    "upload_bytes": Room(128 << 20, 512 << 20),
}
"""wait: long polls (of an address, of a device); follow: event streams; work: quotes, jobs and programs, which may take
seconds of CPU each; upload_bytes: bytes of blobs in memory."""

RETRY_SECONDS = 5


class Places:
    """Bounds what one caller, and all together, have going on at once in this process; for threads and event loop."""

    def __init__(self, factor: int = 1) -> None:
        """`factor` multiplies what each caller may have, never what all have together."""
        self._factor = factor
        self._taken: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def place(self, kind: str, caller: str) -> Iterator[None]:
        """Holds one place for the block; Problem 503 `busy` with Retry-After where there is none left."""
        with self.holding(kind, caller) as hold:
            hold.add(1)
            yield

    @contextmanager
    def holding(self, kind: str, caller: str) -> Iterator["Hold"]:
        """A hold that grows within the block and is given back whole at its end."""
        hold = Hold(self, kind, caller)
        try:
            yield hold
        finally:
            self.take(kind, caller, -hold.amount)

    def taken(self, kind: str) -> int:
        """How much of a kind is taken now."""
        with self._lock:
            return self._taken[kind, EVERYBODY]

    def take(self, kind: str, caller: str, amount: int) -> None:
        """Takes so much, gives back what is negative. Problem 503 `busy` where there is no room."""
        room, mine, ours = ROOMS[kind], (kind, f"caller {caller}"), (kind, EVERYBODY)
        with self._lock:
            full = (
                self._taken[mine] + amount > room.each * self._factor or self._taken[ours] + amount > room.all
            ) and amount > 0
            if not full:
                for key in (mine, ours):
                    self._taken[key] += amount
            for key in (mine, ours):
                if not self._taken[key]:
                    del self._taken[key]
        if full:
            detail = f"too many requests of this kind at once ({kind})"
            raise Problem(503, "busy", detail, {"Retry-After": str(RETRY_SECONDS)})


class Hold:
    """What one request holds of a room."""

    def __init__(self, places: Places, kind: str, caller: str) -> None:
        self._places, self._kind, self._caller = places, kind, caller
        self.amount = 0

    def add(self, amount: int) -> None:
        """Takes so much more; Problem 503 `busy`."""
        self._places.take(self._kind, self._caller, amount)
        self.amount += amount
