"""The ground on which gas is measured: the real contracts on an anvil of their own, and everybody of an epoch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from chain.accounting import TOKEN
from chain.client import ChainClient, TxReceipt
from chain.deployment import VARIABLE, Deployment
from chain.sender import Sender
from deploy.local.anvil import Chain, start_anvil
from deploy.local.mainjob.stage import UNLIMITED
from deploy.local.profiles import LOCAL
from deploy.local.supervisor import Supervisor, SupervisorError
from deploy.toolchain.brownie import Target, run_brownie
from protocol.hashing import keccak256
from protocol.messages import Binding
from protocol.program import ProgramFacts
from protocol.sampling import Seat

P = 10**15
"""The expected price of a task, wei: what stakes and bonds are multiples of."""
TASK_WU = 1_000_000
PRICE_WEI_PER_GWU = P * 1_000
TASK_LIMIT_WU = 4 * TASK_WU
SETTLER_FEE_PPM = 20_000
STAKE_TASKS = 300
"""The stake of each device in task prices: the target, so that nothing of its pay is bonded."""
VERIFIERS = 3
LONG_S = 3_000
"""A phase ends when everybody has acted; the clocks are long, so that a busy machine changes no phase."""

PROGRAM = ProgramFacts(1, b"\x01" * 32, b"\x02" * 32, bytes(32), b"\x03" * 32, TASK_LIMIT_WU, 2, 65_536, 1)
"""Registered, but never run: the results of these epochs are made up, all that the chain checks of them is real."""


@dataclass(frozen=True)
class Actor:
    """Somebody with a key that follows from its name."""

    name: str

    @cached_property
    def key(self) -> bytes:
        """The 32-byte private key."""
        return keccak256(b"bench: " + self.name.encode())

    @cached_property
    def account(self) -> LocalAccount:
        """The account."""
        account: LocalAccount = Account.from_key(self.key)
        return account

    @property
    def address(self) -> str:
        """The checksummed address."""
        return str(self.account.address)


@dataclass(frozen=True)
class Device:
    """A device and its owner, who holds nothing but what it is paid."""

    device: Actor
    owner: Actor


@dataclass(frozen=True)
class Ground:
    """Deployed contracts with a bonded settler, verifiers of one seat each, bound and staked devices, a rich buyer."""

    chain: Chain
    client: ChainClient
    settler: Actor
    buyer: Actor
    verifiers: tuple[Actor, ...]
    devices: tuple[Device, ...]

    def send(self, who: Actor, contract: str, function: str, *args: object) -> TxReceipt:
        """A transaction, mined at once in a block of its own. Raises ChainError."""
        return Sender(self.client, who.account).send(contract, function, *args)

    def seats(self, snapshot: int) -> list[Seat]:
        """The seats of a snapshot, as the draws take them."""
        return [Seat(seat["verifier"], seat["owner"]) for seat in self.client.call("Seats", "seatsIn", snapshot)]

    @property
    def now(self) -> int:
        """The chain's time, Unix seconds."""
        return self.client.head().timestamp

    def advance(self, seconds: int) -> None:
        """Moves the chain's clock."""
        self.chain.advance(seconds)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever happens on the chain inside is undone afterwards."""
        snapshot = self.chain.rpc("evm_snapshot")
        try:
            yield
        finally:
            self.chain.rpc("evm_revert", snapshot)


def make_ground(supervisor: Supervisor, folder: Path, devices: int) -> Ground:
    """Starts anvil, deploys by the Brownie script and sets everybody up. Raises SupervisorError, ChainError."""
    deployer = Actor("deployer")
    chain = start_anvil(supervisor, folder, chain_id=50_000 + os.getpid() % 10_000, name=f"anvil-{folder.name}")
    people = Actor("settler"), Actor("buyer"), tuple(Actor(f"verifier {n}") for n in range(VERIFIERS))
    for who in (deployer, *people[:2], *people[2]):
        chain.rpc("anvil_setBalance", who.address, hex(10**20))
    fleet = tuple(Device(Actor(f"device {n}"), Actor(f"owner {n}")) for n in range(devices))
    ground = Ground(chain, ChainClient(chain.rpc_url, _deploy(chain, deployer, folder)), *people, fleet)
    _set_up(ground, deployer)
    return ground


def _deploy(chain: Chain, deployer: Actor, folder: Path) -> Deployment:
    path, log = folder / "deployment.json", folder / "brownie.log"
    clocks = ("commit_s", "reveal_s", "window_s", "seed_timeout_s", "claim_s", "posting_grace_s")
    changes = {"expected_price_wei": str(P), "unbonding_s": 20 * LONG_S, **dict.fromkeys(clocks, LONG_S)}
    environment = {
        VARIABLE: str(path),
        "MULTITUDE_DEPLOYER_KEY": "0x" + deployer.key.hex(),
        "MULTITUDE_PARAMETERS": json.dumps(changes),
    }
    target = Target(chain.rpc_url, chain.chain_id)
    status = run_brownie(["run", "deploy", "--network", "target"], target=target, environment=environment, log=log)
    if status != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise SupervisorError(f"the deployment ended with status {status}:\n{tail}")
    return Deployment.load(path)


def _set_up(ground: Ground, deployer: Actor) -> None:
    """Tokens, bond, seats, bindings, stakes, deposit, program."""
    address = ground.client.deployment.address
    for who in (ground.settler, ground.buyer, *ground.verifiers):
        ground.send(deployer, TOKEN, "transfer", who.address, 10**7 * P)
        for spender in ("Seats", "JobEscrow"):
            ground.send(who, TOKEN, "approve", address(spender), UNLIMITED)
    ground.send(ground.settler, "Seats", "depositBond", 10_000 * P, SETTLER_FEE_PPM)
    for verifier in ground.verifiers:
        ground.send(verifier, "Seats", "join", 1, verifier.address)
    ground.send(ground.buyer, "JobEscrow", "deposit", 10**7 * P)
    ground.send(deployer, "ProgramRegistry", "register", PROGRAM)
    ground.send(deployer, TOKEN, "approve", address("StakeVault"), UNLIMITED)
    for pair in ground.devices:
        _bind_and_stake(ground, deployer, pair)
    ground.advance(LOCAL.seat_period_s)  # on a slow machine the seats count only from the next period on


def _bind_and_stake(ground: Ground, deployer: Actor, pair: Device) -> None:
    binding = Binding(pair.device.address, pair.owner.address)
    consents = [binding.sign(ground.client.deployment.domain, who.key) for who in (pair.device, pair.owner)]
    ground.send(deployer, "StakeVault", "bind", pair.device.address, pair.owner.address, *consents)
    ground.send(deployer, "StakeVault", "stake", pair.device.address, STAKE_TASKS * P)
