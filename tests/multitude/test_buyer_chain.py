"""The SDK with real contracts on anvil and the market's own application: deposits, results, refunds, wallets."""

import json
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from eth_abi import encode

from market.app import create_app
from multitude import AccountIsContract, BalanceTooLow, Client, JobCancelled, JobFailed, KeySigner, Quote, Terms
from multitude.buyer.pricing import budget_for
from multitude.buyer.wallet import Permit
from protocol.encoding import checksum_address
from protocol.hashing import keccak256
from protocol.messages import Domain
from protocol.signing import sign_digest
from tests.market.conftest import market_template, market_url  # noqa: F401 - fixtures
from tests.market.test_onchain import attest, device, phase, real, stage, tick, until  # noqa: F401 - fixtures too
from tests.market.world import FACTS, GWU, LIMIT_WU, PRICE, key_of
from tests.multitude.test_market_app import served

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PROGRAM = "0x" + FACTS.program_id.hex()
INPUTS = [bytes([number]) for number in range(4)]
CAP = budget_for(len(INPUTS), LIMIT_WU, PRICE, 30_000, 10_000)
QUOTE = Quote(4, 4, GWU, GWU, GWU, LIMIT_WU, 2, PRICE, PRICE, PRICE, 30_000, CAP, CAP, 0, 0, 0, 0, 2, 1.0, 1.0, 1.0)
TERMS = Terms(max_output_bytes=64)


class Elsewhere(KeySigner):
    """A buyer whose permits are signed by somebody else's key, and nothing else is."""

    def sign_digest(self, digest):
        return sign_digest(digest, key_of("somebody"))


def call_wallet(stage, wallet, data):  # noqa: F811
    """A transaction of anvil's first account, to the wallet or making it; its receipt, once it is mined."""
    rpc = stage.anvil.rpc
    sent = {"from": rpc("eth_accounts")[0], "data": data, "gasPrice": hex(2 * 10**9)}
    name = rpc("eth_sendTransaction", sent | ({"to": wallet} if wallet else {}))
    deadline = time.monotonic() + 20
    while (receipt := rpc("eth_getTransactionReceipt", name)) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return receipt


@pytest.fixture
def ground(real):  # noqa: F811
    """A served market on the contracts, and clients of it."""
    world = real.world
    with served(create_app(world.context)) as port:
        url = f"http://127.0.0.1:{port}"
        object.__setattr__(world.context.settings, "public_url", url)
        made = SimpleNamespace(world=world, stage=real.stage, clients=[])

        def client(key=key_of("buyer"), **options):  # noqa: B008 - the same for all
            made.clients.append(Client(url, key, real.stage.anvil.rpc_url, **options))
            return made.clients[-1]

        made.client = client
        world.add_program()
        yield made
        for opened in made.clients:
            opened.close()


def opened(ground, job):
    """The job, once the chain has it."""
    until(ground.world, ground.stage, lambda: job.status().state == "open")
    return job


def test_deposit_is_one_transaction_by_permit(ground):
    client = ground.client()
    before = client.wallet.deposited()
    count = client.chain.nonce(client.address)
    client.deposit(5 * PRICE)
    assert client.wallet.deposited() == before + 5 * PRICE
    assert client.chain.nonce(client.address) == count + 1


def test_deposit_whose_permit_somebody_used_first_goes_through(ground):
    client = ground.client()
    token, escrow = (client.chain.deployment.address(name) for name in ("MultitudeToken", "JobEscrow"))
    ground.stage.send("buyer", "MultitudeToken", "approve", escrow, 0)
    before = client.wallet.deposited()
    client.deposit(1)  # the nonce is 1 now
    nonce = client.chain.call("MultitudeToken", "nonces", client.address)
    head = client.chain.head().timestamp
    deadline = max(int(time.time()), head) + 3_600
    permit = Permit(client.address, escrow, 7, nonce, deadline)
    signature = permit.sign(Domain(client.chain.deployment.chain_id, token), key_of("buyer"))
    v, r, s = signature[64], signature[:32], signature[32:64]
    ground.stage.send("settler", "MultitudeToken", "permit", client.address, escrow, 7, deadline, v, r, s)
    client.wallet.send(("JobEscrow", "depositWithPermit", (7, deadline, v, r, s)))
    assert client.wallet.deposited() == before + 8


def test_deposit_whose_permit_fails_falls_back_to_an_approval(ground):
    ground.stage.send("buyer", "MultitudeToken", "approve", ground.stage.client.deployment.address("JobEscrow"), 0)
    client = ground.client(Elsewhere(key_of("buyer")))
    before = client.wallet.deposited()
    client.deposit(5 * PRICE)
    assert client.wallet.deposited() == before + 5 * PRICE


def test_deposit_of_more_than_there_is_sends_nothing(ground):
    client = ground.client()
    count = client.chain.nonce(client.address)
    with pytest.raises(BalanceTooLow):
        client.deposit(10**30)
    assert client.chain.nonce(client.address) == count


def test_job_final_outputs_are_verified_against_the_chain(ground):
    world, stage, client = ground.world, ground.stage, ground.client()  # noqa: F811
    one, two = device(world, stage, "one"), device(world, stage, "two")
    job = opened(ground, client.submit(PROGRAM, INPUTS, TERMS, QUOTE))
    with pytest.raises(JobFailed, match="0 of 4"):
        job.results()
    tick(world)
    one.do_all()
    two.do_all()
    assert {task.verified for task in job.as_completed("accepted", timeout_s=20)} == {False}
    until(world, stage, lambda: phase(world, 1) == "seeded")
    attest(world, stage, 1)
    until(world, stage, lambda: job.status().reached("attested") == 4)
    assert {task.state for task in job.reached("attested")} <= {"attested", "final"}
    until(world, stage, lambda: job.status().reached("final") == 4, seconds=5)
    found = list(job.as_completed(timeout_s=20))
    assert {task.task: task.output for task in found} == {task: b"out %d" % task for task in range(4)}
    assert all(task.verified and task.replayed is not None for task in found)
    assert job.results() == [b"out %d" % task for task in range(4)]
    until(world, stage, lambda: job.status().state == "closed", seconds=5)
    receipt = job.receipt()
    assert receipt.spent + receipt.refunded == job.bid.budget
    assert {"open", "post", "claim", "close"} <= {sent.what for sent in receipt.transactions}


def test_cancel_tells_the_refund_and_when_and_it_comes(ground):
    client = ground.client()
    before = client.wallet.deposited()
    job = opened(ground, client.submit(PROGRAM, INPUTS, TERMS, QUOTE))
    assert client.wallet.deposited() == before - CAP
    stranger = ground.client(key_of("settler")).job(job.job_id)
    with pytest.raises(Exception, match="NotBuyer"):
        stranger.cancel()
    found = job.cancel()
    assert (found.refund, found.refund_most) == (CAP, CAP)
    assert found.closes_at > client.chain.head().timestamp
    assert job.cancel() == found
    until(ground.world, ground.stage, lambda: job.status().state == "closed", seconds=5)
    assert client.chain.head().timestamp >= found.closes_at
    assert client.wallet.deposited() == before
    with pytest.raises(JobCancelled):
        job.wait(5)
    with pytest.raises(JobFailed, match="closed already"):
        job.cancel()


def test_contract_account_buys_with_its_owners_signature(ground):
    stage = ground.stage  # noqa: F811
    from deploy.toolchain import ROOT

    code = json.loads((ROOT / "build" / "contracts" / "ContractBuyer.json").read_text())["bytecode"]
    wallet = checksum_address(call_wallet(stage, None, "0x" + code.removeprefix("0x"))["contractAddress"])
    token, escrow = (stage.client.deployment.address(name) for name in ("MultitudeToken", "JobEscrow"))

    class Approving(KeySigner):
        """The test wallet accepts what was approved before."""

        def sign_digest(self, digest):
            call_wallet(stage, wallet, "0x" + (keccak256(b"approve(bytes32)")[:4] + digest).hex())
            return super().sign_digest(digest)

    client = ground.client(Approving(key_of("buyer"), wallet))
    stage.send("buyer", "MultitudeToken", "transfer", wallet, CAP)
    with pytest.raises(AccountIsContract) as caught:
        client.submit(PROGRAM, INPUTS, TERMS, QUOTE, deposit=True)
    assert [to for to, _ in caught.value.calls] == [token, escrow]
    deposit = keccak256(b"deposit(address,address,uint128)")[:4]
    call_wallet(stage, wallet, "0x" + (deposit + encode(["address", "address", "uint128"], [token, escrow, CAP])).hex())
    job = opened(ground, client.submit(PROGRAM, INPUTS, TERMS, QUOTE))
    assert job.bid.buyer == wallet
    with pytest.raises(AccountIsContract) as caught:
        job.cancel()
    assert [to for to, _ in caught.value.calls] == [escrow]
    client.sign_in()
    assert client.webhooks.add("https://hooks.example/multitude", job.job_id).job_id == job.job_id


def test_submit_two_jobs_at_once_deposits_for_both(ground):
    client = ground.client()
    client.wallet.withdraw(client.wallet.deposited())
    jobs = [client.submit(PROGRAM, INPUTS, replace(TERMS, deadline_s=4_000 + n), QUOTE, deposit=True) for n in range(3)]
    assert client.wallet.deposited() == 3 * CAP
    for job in jobs:
        opened(ground, job)
    assert client.wallet.deposited() == 0
