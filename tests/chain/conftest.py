import json
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from eth_account import Account
from sqlalchemy import create_engine

from chain import abi, client, tables
from chain.client import ChainClient
from chain.deployment import Deployment
from chain.fees import USUAL_FEES
from chain.outbox import Outbox
from deploy.toolchain import solc_directory
from tests.chain.proxy import Proxy

Account.enable_unaudited_hdwallet_features()
MNEMONIC = "test test test test test test test test test test test junk"


def account(index):
    return Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")


def mined(anvil, tx_hash):
    """The receipt: even an automining anvil answers before it has mined, and after a revert it may want a push."""
    for attempt in range(200):
        receipt = anvil.rpc("eth_getTransactionReceipt", tx_hash)
        if receipt is not None:
            return receipt
        if attempt % 20 == 19:
            anvil.mine(1)
        time.sleep(0.005)
    raise AssertionError(f"{tx_hash} was not mined")


@pytest.fixture
def send(anvil, chain):
    """Send a transaction to the probe from anvil's first account and wait until it is mined."""

    def call(function, *args):
        data = "0x" + chain.encode("Probe", function, args).hex()
        common = {"from": account(0).address, "gas": hex(500_000), "gasPrice": "0x0"}
        to = chain.deployment.address("Probe")
        return mined(anvil, anvil.rpc("eth_sendTransaction", common | {"to": to, "data": data}))

    return call


@pytest.fixture(scope="session")
def compiled():
    """The probe contract, compiled: (abi, creation code)."""
    source = (Path(__file__).parent / "Probe.sol").read_text()
    settings = {"outputSelection": {"*": {"*": ["abi", "evm.bytecode.object"]}}, "evmVersion": "cancun"}
    request = {"language": "Solidity", "sources": {"Probe.sol": {"content": source}}, "settings": settings}
    command = [str(solc_directory() / "solc-v0.8.30"), "--standard-json"]
    answer = json.loads(
        subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=True).stdout
    )
    probe = answer["contracts"]["Probe.sol"]["Probe"]
    return probe["abi"], probe["evm"]["bytecode"]["object"]


@pytest.fixture
def probe_abi(compiled, tmp_path, monkeypatch):
    (tmp_path / "Probe.json").write_text(json.dumps(compiled[0]))
    caches = (abi.load, abi.all_errors, client._abi_or_empty)
    monkeypatch.setattr(abi, "FOLDER", tmp_path)
    for cache in caches:
        cache.cache_clear()
    yield abi.load("Probe")
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def chain(anvil, compiled, probe_abi):
    """A client of a freshly deployed probe."""
    anvil.rpc("anvil_dropAllTransactions")
    creation = {"from": account(9).address, "data": "0x" + compiled[1], "gas": hex(3_000_000), "gasPrice": "0x0"}
    receipt = mined(anvil, anvil.rpc("eth_sendTransaction", creation))
    deployment = Deployment(
        anvil.chain_id, int(receipt["blockNumber"], 16), {"Probe": client.checksum_address(receipt["contractAddress"])}
    )
    return ChainClient(anvil.rpc_url, deployment)


@pytest.fixture
def proxy(anvil):
    """A node in front of anvil whose answers the test bends."""
    with Proxy(anvil.rpc_url) as running:
        yield running


@pytest.fixture
def engine(postgres_url):
    made = create_engine(postgres_url)
    tables.create(made)
    yield made
    made.dispose()


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self):
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self):
        return self.now

    def move(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make_outbox(engine, chain, clock):
    def make(index=0, confirmations=2, on=engine, client=chain, policy=USUAL_FEES):
        return Outbox(on, client, account(index), confirmations, clock, policy)

    return make


@pytest.fixture
def move(engine, make_outbox):
    """Enqueue a move of the probe's counter under a key."""

    def enqueue(outbox, ident, key=None, attempts=1, value=0):
        with engine.begin() as connection:
            args = ((key or ident.encode()).ljust(32, b"\0"), [])
            return outbox.enqueue(connection, "move", ident, "Probe", "move", args, value, attempts)

    return enqueue
