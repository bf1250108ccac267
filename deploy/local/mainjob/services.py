"""The processes of the main job: market, verifiers, devices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chain.deployment import VARIABLE
from deploy.local.mainjob.cast import Cast, DevicePlan
from deploy.local.mainjob.work import MAX_PRICE_WEI_PER_GWU
from deploy.local.network import LocalNetwork
from deploy.local.ports import free_port
from market.db import upgrade
from protocol.money import PPM

RATE_FACTOR = 1_000
"""Everybody here has one address, so the market's rate limits are widened."""

MAX_SHARE_PPM = 360_000
"""Of a job's spans for one device: less, and the first epoch would not hold the whole job; more, and two quick devices
could leave the liar fewer than its 320 tasks."""


def migrated_database(network: LocalNetwork) -> str:
    """The market's database with its tables; its address."""
    url = network.postgres.create("market")
    upgrade(url)
    return url


@dataclass(frozen=True)
class Services:
    """Starts what runs on a network; `deployment` is the file that all read, `market` more of its settings."""

    network: LocalNetwork
    cast: Cast
    deployment: Path
    market: Mapping[str, str] = field(default_factory=dict)

    def start_market(self, database_url: str) -> str:
        """Start API, Celery and its beat on a migrated database, wait until the API is ready; its address."""
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        environment = self._common("MARKET", database_url, 0) | {
            "MARKET_BLOBS_URL": f"file://{self.network.blob_directory}",
            "MARKET_SETTLER_KEY_FILE": str(self.cast.settler.write_key(self._keys)),
            "MARKET_PUBLIC_URL": url,
            "MARKET_PUBLIC_RPC_URL": self.network.rpc_url,
            "MARKET_MAX_SHARE_PPM": str(MAX_SHARE_PPM),
            "MARKET_RATE_FACTOR": str(RATE_FACTOR),
            "MARKET_CONFIRMATIONS": str(self.network.profile.confirmations_blocks),
            **self.market,
        }
        api, ready = ["-m", "market", "serve", "--port", str(port)], f"{url}/readyz"
        self.network.start_python("market-api", api, environment, restart=True, ready_url=ready)
        self.network.start_python("market-celery", ["-m", "market", "settle"], environment, restart=True)
        tick = ["-m", "market", "tick", "--schedule", str(self._state("market-beat") / "at")]
        self.network.start_python("market-beat", tick, environment, restart=True)
        return url

    def start_verifier(self, number: int, blobs_url: str) -> None:
        """A verifier's agent and its Celery worker, with a database and a broker of their own."""
        person = self.cast.verifiers[number]
        database_url = self.network.postgres.create(person.role.replace("-", "_"))
        environment = self._common("VERIFIER", database_url, 1 + number) | {
            "VERIFIER_KEY_FILE": str(person.write_key(self._keys)),
            "VERIFIER_BLOBS_URL": blobs_url,
            "VERIFIER_STATE_DIR": str(self._state(person.role)),
            "VERIFIER_CONFIRMATIONS": str(self.network.profile.confirmations_blocks),
        }
        self.network.start_python(person.role, ["-m", "verifier", "run"], environment, restart=True)
        celery = ["-m", "celery", "-A", "verifier.celery:app", "worker", "-n", f"{person.role}@local"]
        alone = ["--concurrency", "1", "--without-mingle", "--without-gossip", "--loglevel", "INFO"]
        self.network.start_python(f"{person.role}-celery", [*celery, *alone], environment, restart=True)

    def start_device(self, plan: DevicePlan, market_url: str, module: str | None = None) -> None:
        """A device's agent; the liar's is the same agent over another runner."""
        ask = MAX_PRICE_WEI_PER_GWU * plan.ask_ppm // PPM
        environment = {
            "WORKER_MARKET_URL": market_url,
            "WORKER_KEY_FILE": str(plan.device.write_key(self._keys)),
            "WORKER_OWNER": plan.owner.address,
            "WORKER_STATE_DIR": str(self._state(plan.device.role)),
            "WORKER_MIN_PRICE_WEI_PER_GWU": str(ask),
        }
        module = module or ("deploy.local.liar" if plan.lies else "worker")
        self.network.start_python(plan.device.role, ["-m", module, "run"], environment, restart=True)

    @property
    def _keys(self) -> Path:
        return self.network.directory / "keys"

    def _state(self, name: str) -> Path:
        folder = self.network.run_directory / name
        folder.mkdir(exist_ok=True)
        return folder

    def _common(self, prefix: str, database_url: str, broker: int) -> dict[str, str]:
        return {
            VARIABLE: str(self.deployment),
            f"{prefix}_DATABASE_URL": database_url,
            f"{prefix}_REDIS_URL": self.network.valkey.url(broker),
            f"{prefix}_RPC_URL": self.network.rpc_url,
        }
