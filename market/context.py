"""What every part of the service is handed: settings, database, chain, blobs, clock."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

import redis
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session, sessionmaker

from market.blobs.store import BlobStore
from market.db import engine_of, sessions_of
from market.limits import Places, RateLimits
from market.matching.policy import LeasePolicy
from market.recent import Recent
from market.sessions.models import DeviceSession
from market.settings import Settings, SettlerKey
from market.settlement.gateway import ChainGateway
from market.wake import Waker
from protocol.messages import Domain

CLOCKS = {
    "epoch_interval": 15,
    "lease": 10,
    "heartbeat": 3,
    "posting_grace": 30,
    "post_by_after_expiry": 120,
    "claim": 300,
    "commit": 15,
    "reveal": 8,
    "window": 10,
}
"""Clocks in seconds that the market itself keeps, where the deployment names none."""


@dataclass
class Context:
    """One process of the market. `now` is Unix time in seconds."""

    settings: Settings
    engine: Engine
    sessions: sessionmaker[Session]
    blobs: BlobStore
    chain: ChainGateway
    settler: SettlerKey
    waker: Waker
    limits: RateLimits
    places: Places = field(default_factory=Places)
    recent: Recent = field(default_factory=Recent)
    known_sessions: dict[str, DeviceSession] = field(default_factory=dict)
    now: Callable[[], float] = field(default=time.time)

    @cached_property
    def domain(self) -> Domain:
        """The domain of every signature."""
        return self.chain.deployment.domain

    @cached_property
    def policy(self) -> LeasePolicy:
        """The settler's rules of leasing."""
        limits = self.chain.limits()
        share, spans = self.settings.max_share_ppm, self.settings.lease_spans_max
        return LeasePolicy(limits.minimum_stake, share, spans, limits.max_replay_wu)

    @cached_property
    def fee_ppm(self) -> int:
        """The settler's fee for jobs opened now."""
        return self.chain.limits().fee_ppm

    def clock(self, name: str) -> int:
        """A clock in seconds, the deployment's or the default."""
        return int(self.chain.deployment.clocks.get(name, CLOCKS[name]))

    def moment(self, seconds: float = 0) -> datetime:
        """The present, or that many seconds from it."""
        return datetime.fromtimestamp(self.now(), UTC) + timedelta(seconds=seconds)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that commits at the end of the block."""
        with self.sessions.begin() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection whose every statement stands alone: for a read that needs no transaction around it."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection

    def close(self) -> None:
        """Gives connections back."""
        self.engine.dispose()


def build(settings: Settings, chain: Callable[[Settings, Engine, SettlerKey], ChainGateway] | None = None) -> Context:
    """The context of a process. `chain` makes the gateway; without it, the real chain of the settings."""
    from market.settlement.onchain import OnChain

    engine = engine_of(settings.sqlalchemy_url)
    settler = SettlerKey.read(settings.settler_key_file, strict=settings.environment != "development")
    return Context(
        settings=settings,
        engine=engine,
        sessions=sessions_of(engine),
        blobs=BlobStore(settings.blobs_url),
        chain=(chain or OnChain.connect)(settings, engine, settler),
        settler=settler,
        waker=Waker(redis.Redis.from_url(settings.redis_url)),
        limits=RateLimits(settings.redis_url, settings.rate_factor),
        places=Places(settings.rate_factor),
    )
