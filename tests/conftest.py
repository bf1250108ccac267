"""Fixtures that start real parts, lazily, once for each pytest process; imports are lazy because Brownie's own
environment, which runs tests/contracts, reads this file too."""

from __future__ import annotations

import importlib.util
import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from deploy.local.anvil import Chain
    from deploy.local.postgres import Database
    from deploy.local.supervisor import Supervisor
    from deploy.local.valkey import Broker

_UNDER_BROWNIE = importlib.util.find_spec("brownie") is not None

collect_ignore = [] if _UNDER_BROWNIE else ["contracts"]

NETWORKS = {
    "tests/e2e/test_roles.py": 1,
    "tests/chaos/test_short_matrix.py": 1,
    "tests/e2e/test_attacks_and_faults.py": 2,
    "tests/web/": 2,
}
"""What raises whole networks and waits for their clocks: it begins first, in two rows, so that no more than two of them
share the machine and the other tests fill the gaps."""

_numbers = itertools.count(1)


def row_of(nodeid: str) -> int | None:
    """The row of NETWORKS that a test is in, None if it raises no network."""
    return next((row for start, row in NETWORKS.items() if nodeid.startswith(start)), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Networks first (see NETWORKS)."""
    items.sort(key=lambda item: row_of(item.nodeid) or len(NETWORKS))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A row of NETWORKS goes to one process, and so does any other module."""
    from xdist.scheduler import LoadScopeScheduling

    class Rows(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            row = row_of(nodeid)
            return super()._split_scope(nodeid) if row is None else f"networks {row}"

    return Rows(config, log)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests (marked anyio) run on asyncio, which is what the product runs on."""
    return "asyncio"


@pytest.fixture(scope="session")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Ends every part at the end of the session, also when pytest is killed."""
    from deploy.local.supervisor import Supervisor

    with Supervisor(tmp_path_factory.mktemp("log")) as running:
        yield running


@pytest.fixture(scope="session")
def anvil_session(supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """One anvil for the whole session; tests take `anvil`, which puts it back."""
    from deploy.local.anvil import start_anvil

    return start_anvil(supervisor, tmp_path_factory.mktemp("chain"))


@pytest.fixture
def anvil(anvil_session: Chain) -> Iterator[Chain]:
    """An automining chain, put back after the test: `anvil.rpc_url`, `anvil.rpc(...)`, `anvil.advance(seconds)`."""
    snapshot = anvil_session.rpc("evm_snapshot")
    yield anvil_session
    anvil_session.automine()
    anvil_session.rpc("evm_revert", snapshot)


@pytest.fixture(scope="session")
def postgres(supervisor: Supervisor) -> Database:
    """One PostgreSQL server for the session; `postgres.create(name)` makes a database.

    Its data lies under var/ and not under pytest's own folder, which the OS user that stands in for root cannot enter.
    """
    from deploy.local.postgres import start_postgres
    from deploy.toolchain import ROOT

    parent = ROOT / "var" / "tests"
    parent.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="postgres-", dir=parent))
    directory.chmod(0o755)
    supervisor.remove_at_end(directory)
    return start_postgres(supervisor, directory, ROOT / "var" / "cache")


@pytest.fixture(scope="session")
def make_database(postgres: Database) -> Callable[[str], str]:
    """Makes an empty database, or a copy of the named one when that has no connections, and returns its SQLAlchemy URL.

    A suite migrates one database once, closes its connections and copies it for each test: a copy takes some 30 ms.
    """

    def make(template: str = "template0") -> str:
        return postgres.create(f"test_{next(_numbers)}", template)

    return make


@pytest.fixture
def postgres_url(make_database: Callable[..., str], postgres: Database) -> Iterator[str]:
    """SQLAlchemy URL (postgresql+psycopg://) of an empty database of the test's own."""
    url = make_database()
    yield url
    postgres.drop(url.rpartition("/")[2])


@pytest.fixture(scope="module")
def module_postgres_url(make_database: Callable[..., str], postgres: Database) -> Iterator[str]:
    """SQLAlchemy URL of an empty database of the module's own."""
    url = make_database()
    yield url
    postgres.drop(url.rpartition("/")[2])


@pytest.fixture(scope="session")
def valkey(supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Broker:
    """One Valkey server for the session; its databases 1 and up go to the tests in turn."""
    from deploy.local.valkey import start_valkey

    return start_valkey(supervisor, tmp_path_factory.mktemp("valkey"))


@pytest.fixture
def valkey_url(valkey: Broker) -> str:
    """redis:// URL of an emptied database of the test's own."""
    import redis

    from deploy.local.valkey import DATABASES

    url = valkey.url(1 + next(_numbers) % (DATABASES - 1))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url
