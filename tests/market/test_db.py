"""The engine over connections that die."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from market import db

pytestmark = pytest.mark.slow


def died(url: str) -> tuple[db.Engine, int]:
    """An engine whose one pooled connection was ended by the server, and its backend's process id."""
    engine = db.engine_of(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.connect() as connection:
        pid = connection.scalar(text("select pg_backend_pid()"))
    with db.create_engine(engine.url).connect() as other:
        other.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    return engine, pid


def test_idle_connection_that_died_is_replaced_before_its_use(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "IDLE_SECONDS", 0.0)
    engine, pid = died(postgres_url)
    with engine.connect() as connection:
        assert connection.scalar(text("select pg_backend_pid()")) != pid
    engine.dispose()


def test_busy_connection_that_died_fails_once(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "IDLE_SECONDS", 3600.0)
    engine, pid = died(postgres_url)
    with pytest.raises(OperationalError), engine.connect() as connection:
        connection.execute(text("select 1"))
    with engine.connect() as connection:
        assert connection.scalar(text("select pg_backend_pid()")) != pid
    engine.dispose()
