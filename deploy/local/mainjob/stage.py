"""Setting the stage on a fresh, automining chain: contracts, tokens, bonds, seats, bindings, stakes."""

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from chain.accounting import TOKEN
from chain.client import ChainClient
from chain.deployment import VARIABLE, Deployment
from chain.sender import Sender
from deploy.local.mainjob.cast import SEATS_EACH, Cast, DevicePlan, Person
from deploy.local.network import LocalNetwork
from protocol.messages import Binding

SETTLER_BOND_TASKS = 10_000
SETTLER_FEE_PPM = 10_000
UNLIMITED = 2**256 - 1

T = TypeVar("T")


def deploy_contracts(network: LocalNetwork, cast: Cast, price_wei: int) -> tuple[Path, Deployment]:
    """Deploy by the Brownie script; the file that every service reads."""
    path = network.run_directory / "deployment.json"
    network.run_brownie(
        ["run", "deploy", "--network", "target"],
        {
            VARIABLE: str(path),
            "MULTITUDE_DEPLOYER_KEY": "0x" + cast.deployer.key.hex(),
            "MULTITUDE_PROFILE": network.profile.name,
            "MULTITUDE_PARAMETERS": json.dumps({"expected_price_wei": str(price_wei)}),
        },
    )
    return path, Deployment.load(path)


def set_stage(client: ChainClient, cast: Cast, price_wei: int) -> None:
    """Tokens from the faucet, the settler's bond, seats, bindings and stakes; `price_wei` is the expected task price P.

    Accounts act side by side, each in its own order. Raises ChainError.
    """
    _each(lambda person: Sender(client, person.account).send("Faucet", "drip", person.address), _holders(cast))
    _each(lambda verifier: _join(client, verifier), cast.verifiers)
    _bond(client, cast.settler, price_wei)
    _each(lambda plan: _bind_and_stake(client, plan, price_wei), cast.devices)


def _holders(cast: Cast) -> Iterable[Person]:
    return (cast.settler, *cast.verifiers, *(plan.owner for plan in cast.devices if plan.stake_tasks))


def _each(act: Callable[[T], object], whom: Iterable[T]) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(act, whom))


def _join(client: ChainClient, verifier: Person) -> None:
    sender = Sender(client, verifier.account)
    sender.send(TOKEN, "approve", client.deployment.address("Seats"), UNLIMITED)
    sender.send("Seats", "join", SEATS_EACH, verifier.address)


def _bond(client: ChainClient, settler: Person, price_wei: int) -> None:
    sender = Sender(client, settler.account)
    sender.send(TOKEN, "approve", client.deployment.address("Seats"), UNLIMITED)
    sender.send("Seats", "depositBond", SETTLER_BOND_TASKS * price_wei, SETTLER_FEE_PPM)


def _bind_and_stake(client: ChainClient, plan: DevicePlan, price_wei: int) -> None:
    sender, domain = Sender(client, plan.owner.account), client.deployment.domain
    binding = Binding(plan.device.address, plan.owner.address)
    consents = binding.sign(domain, plan.device.key), binding.sign(domain, plan.owner.key)
    sender.send("StakeVault", "bind", plan.device.address, plan.owner.address, *consents)
    if plan.stake_tasks:
        sender.send(TOKEN, "approve", client.deployment.address("StakeVault"), UNLIMITED)
        sender.send("StakeVault", "stake", plan.device.address, plan.stake_tasks * price_wei)
