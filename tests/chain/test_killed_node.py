"""A real anvil that is killed, and comes back as it was at its last save; and the reorganisation of the main job."""

import pytest

from chain.client import ChainClient, checksum_address
from chain.deployment import Deployment
from chain.errors import RpcFailed
from chain.indexer import Indexer
from deploy.local.anvil import start_anvil
from deploy.local.mainjob.reorg import Reorganisation
from tests.chain.conftest import account, mined
from tests.chain.test_outbox import counter, state


@pytest.mark.slow
@pytest.mark.e2e
def test_anvil_killed_what_was_confirmed_is_sent_and_indexed_again(
    supervisor, tmp_path, compiled, probe_abi, engine, make_outbox, move, clock
):
    saved = tmp_path / "state.json"
    anvil = start_anvil(supervisor, tmp_path / "chain", state=saved, restart=True, name="killed-anvil")
    creation = {"from": account(9).address, "data": "0x" + compiled[1], "gas": hex(3_000_000), "gasPrice": "0x0"}
    receipt = mined(anvil, anvil.rpc("eth_sendTransaction", creation))
    at = checksum_address(receipt["contractAddress"])
    client = ChainClient(anvil.rpc_url, Deployment(anvil.chain_id, int(receipt["blockNumber"], 16), {"Probe": at}))
    outbox, indexer = make_outbox(client=client), Indexer(engine, client, clock=clock)

    def confirm(idents):
        for ident in idents:
            move(outbox, ident)
            outbox.pump()
            anvil.mine(2)
            outbox.pump()
        indexer.sync()

    confirm("ab")
    anvil.save(saved)
    confirm("cdef")
    assert (counter(client), state(outbox, "f")) == (6, "confirmed")
    supervisor.kill("killed-anvil")
    with pytest.raises(RpcFailed):
        outbox.pump()
    supervisor.wait_ready(anvil.service, lambda: answers(client))
    assert counter(client) == 2
    for _ in range(3):
        outbox.pump()
        indexer.sync()
        anvil.mine(2)
        clock.move(6)
    outbox.pump()
    indexer.sync()
    assert counter(client) == 6
    assert outbox.unsettled() == 0
    assert [event.args["count"] for event in indexer.events()] == [1, 2, 3, 4, 5, 6]
    supervisor.end("killed-anvil")


def answers(client):
    try:
        return client.head().number >= 0
    except RpcFailed:
        return False


class OfMoves(Reorganisation):
    """Strikes at a move of the probe instead of a posting."""

    def _is_posting(self, number):
        block = max(number, self._client.deployment.deploy_block)
        return any(event.name == "Moved" for event in self._client.logs(block, block))


def test_reorganisation_strikes_once_and_tells_what_came_back(anvil, chain, send):
    reorganisation = OfMoves(anvil, chain, 5, 60)
    assert reorganisation.line() is None
    keys = [b"a".ljust(32, b"\0"), b"b".ljust(32, b"\0")]
    send("move", keys[0], [])
    first = anvil.block_number
    anvil.mine(3)
    assert not reorganisation.look(), "not yet five blocks"
    send("move", keys[1], [])
    assert reorganisation.look()
    assert (counter(chain), anvil.block_number) == (0, first + 4)
    assert not reorganisation.look()
    assert reorganisation.line().mined_again == 0
    anvil.automine()
    send("move", keys[0], [])
    line = reorganisation.line()
    assert (line.depth, line.block, line.transactions, line.mined_again) == (5, first, 2, 1)


def test_reorganisation_of_depth_zero_never_strikes(anvil, chain, send):
    send("move", b"a".ljust(32, b"\0"), [])
    assert not OfMoves(anvil, chain, 0, 60).look()
