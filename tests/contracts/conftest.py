"""Fixtures of the contract tests. EpochLedger, Attestations and Panel are plain accounts in `desk`, so that every
function that only they may call is attacked directly; the whole market is `market`, deployed by the deploy script."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import brownie
import pytest

from protocol.messages import Bid, Domain
from tests.contracts.chain import ReceiptMiddleware, Signer, now

P = 10**18
SEAT_PERIOD_S = 100
UNBONDING_S = 2_000
CONVICTION_PATH_S = 1_000
POSTING_GRACE_S = 600
PROGRAM_LIMIT_WU = 1_000_000


@pytest.fixture(scope="session", autouse=True)
def swift_node() -> None:
    """Asks the node for less: no chain id before every call, no second of sleep for a receipt that is a moment late.

    What the session starts with is never garbage, and Brownie collects garbage at every snapshot.
    """
    web3 = brownie.web3
    web3.middleware_onion.remove("validation")
    web3.middleware_onion.inject(ReceiptMiddleware, layer=0)
    gc.freeze()


@pytest.fixture(autouse=True)
def isolate(fn_isolation: Any) -> None:
    """Every test starts from the state that the module's fixtures left."""


@pytest.fixture(scope="module")
def accounts() -> Any:
    """The node's accounts."""
    return brownie.accounts


def deploy_desk(accounts: Any, token: Any) -> SimpleNamespace:
    """The contracts of staking, jobs, token and randomness around `token`, wired to plain accounts."""
    deployer = accounts[0]
    actors = SimpleNamespace(deployer=deployer, ledger=accounts[1], attestations=accounts[2], panel=accounts[3])
    beacon = deployer.deploy(brownie.BlockBeacon, 2)
    seats = deployer.deploy(
        brownie.Seats,
        token,
        actors.ledger,
        actors.attestations,
        actors.panel,
        (1_000 * P, 1_000 * P, SEAT_PERIOD_S, UNBONDING_S, CONVICTION_PATH_S),
    )
    registry = deployer.deploy(brownie.ProgramRegistry, beacon, seats, SEAT_PERIOD_S)
    escrow = deployer.deploy(brownie.JobEscrow, token, registry, seats, actors.ledger, POSTING_GRACE_S)
    vault = deployer.deploy(
        brownie.StakeVault, token, escrow, actors.ledger, actors.panel, (10 * P, UNBONDING_S, CONVICTION_PATH_S)
    )
    return SimpleNamespace(
        **vars(actors),
        token=token,
        beacon=beacon,
        seats=seats,
        registry=registry,
        escrow=escrow,
        vault=vault,
        domain=Domain(brownie.chain.id, escrow.address),
    )


@pytest.fixture(scope="module")
def desk(accounts: Any) -> SimpleNamespace:
    """`deploy_desk` around MANY; accounts 4 to 9 hold tokens and have approved everything."""
    token = accounts[0].deploy(brownie.MultitudeToken, accounts[0])
    contracts = deploy_desk(accounts, token)
    for account in accounts[4:10]:
        token.transfer(account, 1_000_000 * P, {"from": accounts[0]})
        for spender in (contracts.seats, contracts.vault, contracts.escrow):
            token.approve(spender, 2**256 - 1, {"from": account})
    return contracts


def program(**changes: Any) -> tuple[Any, ...]:
    """The struct of a program."""
    fields = {
        "class": 1,
        "originalHash": b"\x01" * 32,
        "rewrittenHash": b"\x02" * 32,
        "codeRoot": bytes(32),
        "initialMemoryRoot": b"\x03" * 32,
        "limitWU": PROGRAM_LIMIT_WU,
        "memoryPages": 2,
        "frameBytes": 65_536,
        "toolVersion": 1,
    }
    return tuple({**fields, **changes}.values())


BUYER = Signer("buyer")


def bid(program_id: bytes, settler: Any, **changes: Any) -> Bid:
    """A bid of BUYER, with what a test changes in it."""
    fields: dict[str, Any] = {
        "buyer": BUYER.address,
        "program_id": program_id,
        "inputs_root": b"\x04" * 32,
        "manifest": b"\x05" * 32,
        "task_count": 1_000,
        "span_tasks": 16,
        "task_limit_wu": PROGRAM_LIMIT_WU,
        "max_output_bytes": 1 << 20,
        "max_price_wei_per_gwu": P,
        "budget": 100 * P,
        "rate_floor_ppm": 10_000,
        "min_stake": 0,
        "deadline": now() + 3_600,
        "settler": str(settler),
        "max_fee_ppm": 30_000,
        "salt": bytes(32),
    }
    return Bid(**{**fields, **changes})


def struct(message: Any) -> tuple[Any, ...]:
    """A message as the tuple that a contract takes."""
    return tuple(getattr(message, field.name) for field in message.fields)
