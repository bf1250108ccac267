"""The market against the real contracts on anvil; verifiers are played here, honest but for one."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from sqlalchemy import select

from chain.client import ChainClient
from chain.deployment import Deployment
from chain.sender import Sender
from market.leases.service import expire_leases
from market.matching.tick import tick as match_tick
from market.settlement import build, settle
from market.settlement.models import EpochLeaf
from market.settlement.onchain import OnChain
from market.ticks import chain_tick
from protocol.encoding import checksum_address, uint_word
from protocol.hashing import keccak256
from protocol.messages import Binding
from protocol.signing import address_of
from protocol.verdicts import Verdict, Verdicts
from tests.market.world import FACTS, PRICE, Device, World, key_of, world_on

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

UNLIMITED = 2**256 - 1
VERIFIERS = ("verifier 1", "verifier 2", "verifier 3")


class Stage:
    """Deployed contracts with a bonded settler, verifiers with three seats each, and a funded buyer."""

    def __init__(self, anvil: Any, folder: Path) -> None:
        from deploy.toolchain.brownie import Target, run_brownie

        path = folder / "deployment.json"
        environment = {"MULTITUDE_DEPLOYMENT": str(path), "MULTITUDE_PROFILE": "local"}
        target = Target(anvil.rpc_url, anvil.chain_id)
        status = run_brownie(
            ["run", "deploy", "--network", "target"], target=target, environment=environment, log=folder / "log"
        )
        assert status == 0, (folder / "log").read_text()[-2000:]
        assert json.loads(path.read_text())["contracts"]
        self.anvil = anvil
        self.client = ChainClient(anvil.rpc_url, Deployment.load(path))
        for name in ("settler", "buyer", *VERIFIERS, "owner of one", "owner of two"):
            anvil.rpc("anvil_setBalance", address_of(key_of(name)), hex(10**20))
            self.send(name, "Faucet", "drip", address_of(key_of(name)))
            for spender in ("Seats", "JobEscrow", "StakeVault"):
                self.send(name, "MultitudeToken", "approve", self.client.deployment.address(spender), UNLIMITED)
        self.send("settler", "Seats", "depositBond", 10_000 * 10**15, 10_000)
        for name in VERIFIERS:
            self.send(name, "Seats", "join", 3, address_of(key_of(name)))
        self.send("buyer", "JobEscrow", "deposit", 1000 * PRICE)
        self.send("settler", "ProgramRegistry", "register", FACTS)
        anvil.advance(30)  # on a slow machine the seats count only from the next period on

    def send(self, name: str, contract: str, function: str, *args: object) -> None:
        """A transaction of somebody."""
        Sender(self.client, Account.from_key(key_of(name))).send(contract, function, *args)

    def now(self) -> float:
        """The chain's time is everybody's."""
        return float(self.client.head().timestamp)


@pytest.fixture(scope="module")
def stage(supervisor: Any, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """One deployment for the module, on an anvil of its own."""
    from deploy.local.anvil import start_anvil

    folder = tmp_path_factory.mktemp("stage")
    return Stage(start_anvil(supervisor, folder, name=f"anvil-{folder.name}"), folder)


@pytest.fixture
def real(stage: Stage, market_url: str, valkey_url: str, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A market on that deployment, put back after the test."""
    snapshot = stage.anvil.rpc("evm_snapshot")

    def gateway(engine: Any, settler: Any) -> OnChain:
        return OnChain(engine, stage.client, settler, confirmations=0)

    with world_on(market_url, valkey_url, tmp_path, gateway, stage.now) as world:
        yield SimpleNamespace(world=world, stage=stage)
    stage.anvil.rpc("evm_revert", snapshot)


def device(world: World, stage: Stage, name: str, stake: int = 300 * 10**15) -> Device:
    """A device that is bound and staked on chain, and polls."""
    owner = key_of(f"owner of {name}")
    made = Device(world, name)
    binding = Binding(made.address, address_of(owner))
    domain = stage.client.deployment.domain
    consents = binding.sign(domain, made.key), binding.sign(domain, owner)
    stage.send(f"owner of {name}", "StakeVault", "bind", binding.device, binding.owner, *consents)
    if stake:
        stage.send(f"owner of {name}", "StakeVault", "stake", made.address, stake)
    assert made.open_session().status_code == 200
    made.offer()
    made.poll()
    return made


def tick(world: World, *, build_epochs: bool = True) -> None:
    """What Celery does, once."""
    chain_tick(world.context)
    expire_leases(world.context)
    match_tick(world.context)
    if build_epochs:
        build.tick(world.context)
    settle.tick(world.context)
    chain_tick(world.context)


def until(world: World, stage: Stage, done: Callable[[], bool], seconds: int = 1) -> None:
    """Ticks, with time passing, until it is done."""
    for _ in range(40):
        tick(world)
        if done():
            return
        stage.anvil.advance(seconds)
    raise AssertionError("it never came to that")


def phase(world: World, epoch: int) -> str:
    """The state of an epoch as the market tells it."""
    return str(world.http.get(f"/v1/epochs/{epoch}").json().get("state"))


def attest(world: World, stage: Stage, epoch: int, silent: tuple[str, ...] = ()) -> None:
    """Every verifier commits and reveals "right" for its leaves; silent ones do nothing."""
    with world.context.sessions() as session:
        leaves = list(session.scalars(select(EpochLeaf)))
    said = {}
    for name in VERIFIERS:
        mine = {
            leaf.leaf_number: (Verdict.RIGHT, b"\1" * 32) for leaf in leaves if address_of(key_of(name)) in leaf.seats
        }
        said[name] = Verdicts.of(mine)
    salt = keccak256(uint_word(epoch))
    active = [name for name in VERIFIERS if name not in silent]
    for name in active:
        commitment = said[name].commitment(salt, address_of(key_of(name)), epoch)
        stage.send(name, "Attestations", "commit", epoch, commitment)
    if silent:
        stage.anvil.advance(16)
    for name in active:
        stage.send(name, "Attestations", "reveal", epoch, salt, said[name].packed, said[name].digests)
    if silent:
        stage.anvil.advance(9)


def opened(world: World, **changes: Any) -> str:
    """A job opened on chain."""
    world.add_program()
    bid = world.bid(budget=200 * PRICE, **changes)
    response = world.post_job(bid)
    assert response.status_code == 202, response.text
    tick(world)
    tick(world)
    job = str(response.json()["jobId"])
    assert world.job(job)["state"] == "open", world.job(job)
    return job


def test_job_on_the_real_contracts_ends_paid_and_closed(real: SimpleNamespace) -> None:
    world, stage = real.world, real.stage
    one, two = device(world, stage, "one"), device(world, stage, "two", stake=0)
    job = opened(world)
    two.do_all()  # stakeless: one lease of one span, no more before it is attested
    assert world.job(job)["tasks"]["accepted"] == 2
    one.do_all()
    until(world, stage, lambda: phase(world, 1) == "seeded")
    attest(world, stage, 1)
    until(world, stage, lambda: world.job(job)["tasks"]["final"] == 8, seconds=5)
    one.open_session()
    one.offer()
    one.poll()
    until(world, stage, lambda: one.poll().status_code == 200)
    one.do_all()
    until(world, stage, lambda: phase(world, 2) == "seeded", seconds=3)
    attest(world, stage, 2)
    until(world, stage, lambda: world.job(job)["state"] == "closed", seconds=5)
    bill = world.http.get(f"/v1/jobs/{job}/receipt").json()
    spent, refunded = int(bill["spent"]), int(bill["refunded"])
    assert spent + refunded == 200 * PRICE
    stakeless = next(item for item in bill["items"] if item["device"] == two.address)
    assert int(stakeless["deduction"]) == int(stakeless["amount"]) // 2
    assert int(stakeless["bonded"]) > 0


def test_leaf_whose_seats_are_silent_is_redrawn_and_the_others_are_paid(real: SimpleNamespace) -> None:
    world, stage = real.world, real.stage
    one, two = device(world, stage, "one"), device(world, stage, "two")
    job = opened(world)
    one.do_all()
    two.do_all()
    until(world, stage, lambda: phase(world, 1) == "seeded")
    leaves = world.http.get("/v1/epochs/1").json()["leaves"]
    with world.context.sessions() as session:
        seats = {leaf.leaf_number: set(leaf.seats) for leaf in session.scalars(select(EpochLeaf))}
    silent = next(name for name in VERIFIERS if address_of(key_of(name)) in seats[leaves[0]["leaf"]])
    attest(world, stage, 1, silent=(silent,))
    until(world, stage, lambda: any(leaf["redraws"] for leaf in world.http.get("/v1/epochs/1").json()["leaves"]))
    until(world, stage, lambda: phase(world, 1) == "final", seconds=5)
    states = {leaf["leaf"]: leaf for leaf in world.http.get("/v1/epochs/1").json()["leaves"]}
    assert states[leaves[0]["leaf"]]["redraws"] == 1
    silenced = address_of(key_of(silent))
    until(world, stage, lambda: all(
        leaf["state"] == "claimed" or silenced in seats[leaf["leaf"]]
        for leaf in world.http.get("/v1/epochs/1").json()["leaves"]
    ))  # fmt: skip
    # Nobody votes in the redraws: both hang, the leaf is void, and its spans are worked again.
    until(
        world,
        stage,
        lambda: "voided" in {leaf["state"] for leaf in world.http.get("/v1/epochs/1").json()["leaves"]},
        seconds=20,
    )
    assert world.job(job)["tasks"]["open"] > 0


def test_reorg_of_the_posting_is_posted_again(real: SimpleNamespace) -> None:
    world, stage = real.world, real.stage
    one = device(world, stage, "one")
    job = opened(world, tasks=2)
    one.do_all()
    tick(world)
    tick(world, build_epochs=False)
    assert phase(world, 1) in ("posted", "seeded")
    stage.anvil.reorganise(3)
    until(world, stage, lambda: phase(world, 1) == "seeded")
    assert world.job(job)["tasks"]["committed"] == 2
    attest(world, stage, 1)
    until(world, stage, lambda: world.job(job)["state"] == "closed", seconds=5)


def call_wallet(stage: Stage, wallet: str | None, data: str) -> Any:
    """A transaction of anvil's first account: to the wallet, or making it; its receipt."""
    rpc = stage.anvil.rpc
    priced = {"from": rpc("eth_accounts")[0], "data": data, "gasPrice": hex(2 * 10**9)}
    transaction = priced | ({"to": wallet} if wallet else {})
    sent = rpc("eth_sendTransaction", transaction)
    for _ in range(500):  # a busy anvil answers before it has mined
        receipt = rpc("eth_getTransactionReceipt", sent)
        if receipt is not None:
            return receipt
        time.sleep(0.01)
    raise AssertionError(f"{sent} is not mined")


def test_contract_wallet_opens_a_job_and_signs_in_with_what_it_approves(real: SimpleNamespace) -> None:
    from deploy.toolchain import ROOT
    from market.people.service import _digest

    world, stage = real.world, real.stage
    world.add_program()
    code = json.loads((ROOT / "build" / "contracts" / "ContractBuyer.json").read_text())["bytecode"]
    wallet = checksum_address(call_wallet(stage, None, "0x" + code.removeprefix("0x"))["contractAddress"])
    addresses = stage.client.deployment.address
    stage.send("buyer", "MultitudeToken", "transfer", wallet, 900 * PRICE)
    deposit = encode(
        ["address", "address", "uint128"], [addresses("MultitudeToken"), addresses("JobEscrow"), 900 * PRICE]
    )
    call_wallet(stage, wallet, "0x" + (keccak256(b"deposit(address,address,uint128)")[:4] + deposit).hex())
    approve = keccak256(b"approve(bytes32)")[:4]
    bid = world.bid(buyer=wallet, budget=800 * PRICE)
    body = {"bid": bid.to_json(), "signature": "0xabcd"}
    assert world.http.post("/v1/jobs", json=body).json()["code"] == "message_invalid"
    call_wallet(stage, wallet, "0x" + (approve + bid.digest(stage.client.deployment.domain)).hex())
    job = world.http.post("/v1/jobs", json=body).json()["jobId"]
    until(world, stage, lambda: world.job(job)["state"] == "open")
    message = world.http.post("/v1/sign-in/challenge", json={"address": wallet}).json()["message"]
    signed = {"message": message, "signature": "0x"}
    assert world.http.post("/v1/sign-in", json=signed).json()["code"] == "signature_invalid"
    call_wallet(stage, wallet, "0x" + (approve + _digest(message)).hex())
    assert world.http.post("/v1/sign-in", json=signed).json()["address"] == wallet
    bill = world.http.get(f"/v1/jobs/{job}/receipt").json()
    assert [row["what"] for row in bill["transactions"]] == ["open"]


def test_address_without_code_or_with_code_that_burns_gas_takes_no_signature(real: SimpleNamespace) -> None:
    stage, gateway = real.stage, real.world.context.chain
    burner, liar, short = ("0x" + bytes([number] * 20).hex() for number in (0xB1, 0xB2, 0xB3))
    stage.anvil.rpc("anvil_setCode", burner, "0x5b600056")  # jumps to itself for ever
    stage.anvil.rpc("anvil_setCode", liar, "0x600160005260206000f3")  # answers 1
    stage.anvil.rpc("anvil_setCode", short, "0x631626ba7e60e01b60005260046000f3")  # the magic value in 4 bytes
    for signer in (address_of(key_of("nobody")), burner, liar, short, address_of(key_of("buyer"))):
        assert not gateway.is_valid_signature(checksum_address(signer), bytes(32), b"")
