"""Rate limits on Valkey; where it is away, each process counts for itself."""

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
    "session": "120/minute",
    "device": "60/minute",
    "upload": "600/minute",
    "program": "20/minute",
    "quote": "20/minute",
    "job": "60/minute",
    "results": "600/minute",
}
"""Calls by kind, for each caller's address; results for each device."""


class RateLimits:
    """Refuses callers that come too often."""

    def __init__(self, redis_url: str, factor: int) -> None:
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._shared = FixedWindowRateLimiter(_storage(redis_url))
        self._rules = {name: _times(limits.parse(rule), factor) for name, rule in RULES.items()}

    def check(self, request: Request, kind: str) -> None:
        """Raises Problem 429 `rate_limited` when the caller's address has used up its calls of this kind."""
        self.check_caller(request.client.host if request.client else "unknown", kind)

    def check_caller(self, caller: str, kind: str) -> None:
        """The same for a caller by name, such as a device."""
        rule = self._rules[kind]
        try:
            allowed = self._shared.hit(rule, kind, caller)
        except RedisError as error:
            log.warning("rate_limits_local", error=str(error))
            allowed = self._local.hit(rule, kind, caller)
        if not allowed:
            detail = f"at most {rule} for {kind} calls"
            raise Problem(429, "rate_limited", detail, {"Retry-After": str(rule.get_expiry())})


def _times(rule: limits.RateLimitItem, factor: int) -> limits.RateLimitItem:
    return type(rule)(rule.amount * factor, rule.multiples)


def _storage(url: str) -> Storage:
    try:
        found = storage_from_string(url.replace("unix://", "redis+unix://", 1) if url.startswith("unix://") else url)
    except ConfigurationError:
        raise ValueError("MARKET_REDIS_URL is redis:// or unix://") from None
    assert isinstance(found, Storage)
    return found
