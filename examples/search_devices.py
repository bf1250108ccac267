"""Devices that an example adds to the running local network and takes away again."""

import contextlib
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from eth_account import Account

from chain.accounting import TOKEN
from chain.sender import Sender
from multitude import Client, key_of
from multitude.errors import MultitudeError
from multitude.network import account_key
from protocol.messages import Binding
from protocol.signing import address_of

CHECKOUT = Path(__file__).resolve().parents[1]
START_S = 60


class Devices:
    """Devices owned by the network's contributors, staked from the faucet; a context manager that ends them.

    They take work from `price_wei_per_gwu` on and leave their keys, journals and logs in `folder`.
    """

    def __init__(
        self, client: Client, network: dict[str, Any], folder: Path, price_wei_per_gwu: int, stake_wei: int
    ) -> None:
        self._client = client
        self._network = network
        self._folder = folder
        self._price = price_wei_per_gwu
        self._stake_wei = stake_wei
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()

    def run(self, count: int) -> None:
        """Adds devices until there are so many, and waits until they ask for work."""
        live = self._client.api.offers()["live"]
        added = count - len(self._running)
        for _ in range(added):
            self._running.append(self._start(len(self._running)))
        deadline = time.monotonic() + START_S
        while self._client.api.offers()["live"] < live + added:
            if time.monotonic() > deadline or any(process.poll() is not None for process in self._running):
                raise MultitudeError(f"a device did not come up: see {self._folder}/*.log")
            time.sleep(0.2)

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        key, folder = secrets.token_bytes(32), self._folder / f"device-{number + 1}-{secrets.token_hex(4)}"
        owner = self._stake(key, f"owner-{number + 1}")
        folder.mkdir(parents=True)
        key_file = folder / "key"
        key_file.touch(mode=0o600)
        key_file.write_text(key.hex() + "\n")
        settings = {
            "WORKER_MARKET_URL": str(self._network["api"]),
            "WORKER_KEY_FILE": str(key_file),
            "WORKER_OWNER": owner,
            "WORKER_STATE_DIR": str(folder),
            "WORKER_MIN_PRICE_WEI_PER_GWU": str(self._price),
        }
        with (self._folder / f"device-{number + 1}.log").open("wb") as log:
            command = [sys.executable, "-m", "worker", "run"]
            return subprocess.Popen(command, cwd=CHECKOUT, env=os.environ | settings, stdout=log, stderr=log)

    def _stake(self, key: bytes, role: str) -> str:
        """Binds a device to a contributor and stakes for it; the contributor's address."""
        owner_key = account_key(self._network, role)
        if owner_key is None:
            raise MultitudeError(f"the local network has no {role}")
        chain = self._client.chain
        sender = Sender(chain, Account.from_key(owner_key))
        device, owner, domain = address_of(key), sender.address, chain.deployment.domain
        binding = Binding(device, owner)
        consents = binding.sign(domain, key), binding.sign(domain, key_of(owner_key))
        sender.send("StakeVault", "bind", device, owner, *consents)
        if int(chain.call(TOKEN, "balanceOf", owner)) < self._stake_wei:
            sender.send("Faucet", "drip", owner)
        sender.send(TOKEN, "approve", chain.deployment.address("StakeVault"), self._stake_wei)
        sender.send("StakeVault", "stake", device, self._stake_wei)
        return owner
