"""The market's database: column types, sessions, advisory locks, and `python -m market.db upgrade`."""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

from alembic import command
from alembic.config import Config
from sqlalchemy import BigInteger, CursorResult, Delete, Engine, MetaData, Numeric, String, create_engine, event, text
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.types import TypeDecorator

from market.settings import load


class Wei(TypeDecorator[int]):
    """A uint128 amount as numeric(39, 0), an int in Python."""

    impl = Numeric(39, 0)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """What is stored."""
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002
        """What is read."""
        return None if value is None else int(value)


Bytes32 = Annotated[str, mapped_column(String(66))]
"""32 bytes as lower-case 0x-hex."""
Address = Annotated[str, mapped_column(String(42))]
"""A checksummed address."""
Amount = Annotated[int, mapped_column(Wei)]
Big = Annotated[int, mapped_column(BigInteger)]


IDLE_SECONDS = 1.0
"""A connection that was idle for longer is asked whether it lives before it is used."""


class Base(DeclarativeBase):
    """The market's tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Lock(IntEnum):
    """Advisory locks, one for each task that must not run twice at once."""

    MATCHING = 7_301
    EXPIRY = 7_302
    EPOCHS = 7_303
    CHAIN = 7_304
    SETTLEMENT = 7_305
    OUTBOX = 7_306
    WEBHOOKS = 7_307
    TIDY = 7_308


def engine_of(url: str) -> Engine:
    """An engine that notices dead connections; every session runs at READ COMMITTED with row locks where it matters.

    The connection used last is used first, and asked whether it lives only where it has been idle for a while.
    """
    engine = create_engine(url, pool_size=10, max_overflow=10, pool_timeout=10, pool_use_lifo=True)

    def note(_: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        record.info["used_s"] = time.monotonic()

    def look(connection: DBAPIConnection, record: ConnectionPoolEntry, _: PoolProxiedConnection) -> None:
        if time.monotonic() - record.info.get("used_s", math.inf) > IDLE_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise InvalidatePoolError("the connection is dead") from error

    event.listen(engine, "checkin", note)
    event.listen(engine, "checkout", look)
    return engine


def sessions_of(engine: Engine) -> sessionmaker[Session]:
    """Sessions whose objects stay readable after the commit."""
    return sessionmaker(engine, expire_on_commit=False)


def remove(session: Session, statement: Delete) -> int:
    """Carries out a delete; how many rows it took."""
    result = session.execute(statement)
    assert isinstance(result, CursorResult)
    return int(result.rowcount)


@contextmanager
def advisory_lock(engine: Engine, lock: Lock) -> Iterator[bool]:
    """Holds a lock for the block, or yields False where somebody else holds it."""
    with engine.connect() as connection:
        held = bool(connection.execute(text("select pg_try_advisory_lock(:key)"), {"key": int(lock)}).scalar())
        connection.commit()
        try:
            yield held
        finally:
            if held:
                connection.execute(text("select pg_advisory_unlock(:key)"), {"key": int(lock)})
                connection.commit()


def alembic_config(url: str) -> Config:
    """Alembic's settings for a database."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str) -> None:
    """Brings a database to the newest migration; nothing to do where it is there already."""
    command.upgrade(alembic_config(url), "head")


def main(arguments: list[str]) -> int:
    """`python -m market.db upgrade`."""
    if arguments != ["upgrade"]:
        print("usage: python -m market.db upgrade", file=sys.stderr)
        return 2
    upgrade(load().sqlalchemy_url)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
