import json

import pytest
from eth_account import Account

from chain.accounting import GasLine, conserved, gas_report, holdings
from chain.client import ChainClient
from chain.deployment import Deployment
from chain.errors import ContractReverted
from chain.sender import Sender
from chain.transactions import Order
from deploy.local.mainjob.cast import make_cast
from deploy.local.mainjob.stage import set_stage
from deploy.toolchain.brownie import Target, run_brownie

PRICE = 10**15

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def deployed(supervisor, tmp_path_factory):
    """The real contracts on a chain of the module's own, with everybody's tokens, bonds, seats and stakes."""
    from deploy.local.anvil import start_anvil

    folder = tmp_path_factory.mktemp("deployed")
    anvil = start_anvil(supervisor, folder, name=f"anvil-{folder.name}")
    path, log = folder / "deployment.json", folder / "brownie.log"
    environment = {
        "MULTITUDE_DEPLOYMENT": str(path),
        "MULTITUDE_DEPLOYER_KEY": "0x" + make_cast(True).deployer.key.hex(),
        "MULTITUDE_PARAMETERS": json.dumps({"expected_price_wei": str(PRICE)}),
    }
    target = Target(anvil.rpc_url, anvil.chain_id)
    status = run_brownie(["run", "deploy", "--network", "target"], target=target, environment=environment, log=log)
    assert status == 0, log.read_text()[-2000:]
    client = ChainClient(anvil.rpc_url, Deployment.load(path))
    set_stage(client, make_cast(True), PRICE)
    return anvil, client


@pytest.fixture
def chain(deployed):
    anvil, client = deployed
    snapshot = anvil.rpc("evm_snapshot")
    yield client
    anvil.rpc("evm_revert", snapshot)


@pytest.fixture
def owner(chain):
    return Sender(chain, make_cast(True).devices[0].owner.account)


def test_conserved_one_wei_too_many_is_false(chain, owner):
    assert conserved(chain)
    expected = {}
    for contract in ("JobEscrow", "StakeVault", "Seats", "EpochLedger", "Panel"):
        owner.send("MultitudeToken", "transfer", chain.deployment.address(contract), 1)
        expected[contract] = 1
        wrong = {line.contract: line.balance - line.owed for line in holdings(chain) if not line.holds}
        assert wrong == expected
    assert not conserved(chain)


def test_conserved_native_coin_forced_in_is_false(deployed, chain):
    deployed[0].rpc("anvil_setBalance", chain.deployment.address("Panel"), "0x1")
    assert not conserved(chain)


def test_conserved_after_moves_of_all_kinds_is_true(chain, owner):
    cast = make_cast(True)
    owner.send("MultitudeToken", "approve", chain.deployment.address("JobEscrow"), 10**18)
    owner.send("JobEscrow", "deposit", 10 * PRICE)
    owner.send("JobEscrow", "withdraw", 3 * PRICE)
    owner.send("StakeVault", "requestUnstake", cast.devices[0].device.address, 7 * PRICE)
    owner.send("MultitudeToken", "burn", 5)
    Sender(chain, cast.verifiers[0].account).send("Seats", "leave", 1)
    Sender(chain, cast.settler.account).send("Seats", "requestBondBack", 11)
    assert {h.contract: h.owed for h in holdings(chain) if h.coin == "token"} == {
        "JobEscrow": 7 * PRICE,
        "StakeVault": 1_700 * PRICE,
        "Seats": 19_000 * PRICE,
        "MultitudeToken": 5,
        **dict.fromkeys(("EpochLedger", "Attestations", "Panel", "ProgramRegistry", "BlockBeacon"), 0),
    }
    assert conserved(chain)


def test_set_stage_gives_everybody_what_the_plan_says(chain):
    cast = make_cast(True)
    for plan in cast.devices:
        device = chain.call("StakeVault", "deviceOf", plan.device.address)
        assert (device["owner"], device["stake"]) == (plan.owner.address, plan.stake_tasks * PRICE)
        assert chain.balance(plan.device.address) == 0
    assert chain.call("Seats", "isBonded", cast.settler.address)
    assert [chain.call("Seats", "verifierOf", v.address)["seats"] for v in cast.verifiers] == [3, 3, 3]


def test_gas_report_sums_receipts_reverted_ones_too(deployed, chain, owner):
    first = chain.head().number + 1
    receipts = [
        owner.send("MultitudeToken", "approve", chain.deployment.address("JobEscrow"), amount) for amount in (1, 2)
    ]
    data = chain.encode("JobEscrow", "deposit", (10**30,))
    order = Order(chain.deployment.chain_id, chain.deployment.address("JobEscrow"), data, 0)
    receipts.append(owner._wait(order, [owner._broadcast(order, 200_000)]))
    stranger = Sender(chain, Account.from_key(make_cast(True).buyer.key))
    deployed[0].rpc("anvil_setBalance", stranger.address, hex(10**20))
    report = gas_report(chain, first)
    assert report == {
        "MultitudeToken.approve": GasLine(2, receipts[0].gas_used + receipts[1].gas_used),
        "JobEscrow.deposit": GasLine(1, receipts[2].gas_used),
    }
    between = gas_report(chain, first, None, receipts[1].tx_hash, receipts[1].tx_hash)
    assert between == {"MultitudeToken.approve": GasLine(1, receipts[1].gas_used)}


def test_send_reverting_raises_the_custom_error(chain, owner):
    with pytest.raises(ContractReverted) as caught:
        owner.send("JobEscrow", "withdraw", 1)
    assert caught.value.name == "JobEscrow_BalanceTooLow"


def test_deployment_domain_is_the_contracts_own(chain):
    """The digest of a binding, computed here and by JobEscrow."""
    from protocol.messages import Binding

    plan = make_cast(True).devices[0]
    binding = Binding(plan.device.address, plan.owner.address)
    assert chain.call("JobEscrow", "digestOf", binding.struct_hash) == binding.digest(chain.deployment.domain)
