import pytest
from sqlalchemy import delete

from chain.errors import RpcFailed
from chain.indexer import Indexer
from chain.tables import chain_blocks

PART = ("0x70997970C51812dc3A010C7d01b50e0d17dc79C8", 2**100, (b"\7" * 32,))


def key(text):
    return text.encode().ljust(32, b"\0")


def keys(events):
    return [event.args["key"].rstrip(b"\0").decode() for event in events]


@pytest.fixture
def indexer(engine, chain):
    return Indexer(engine, chain)


def test_sync_node_away_raises_and_keeps_what_was_read(indexer, send, monkeypatch):
    send("move", key("a"), [])
    indexer.sync()

    def away(*_):
        raise RpcFailed("away")

    monkeypatch.setattr(indexer._client, "head", away)
    with pytest.raises(RpcFailed):
        indexer.sync()
    assert keys(indexer.events()) == ["a"]


def test_sync_apply_fails_keeps_nothing(indexer, send):
    send("move", key("a"), [])

    def refuse(*_):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        indexer.sync(refuse)
    assert indexer.events() == []
    assert keys(indexer.sync().new) == ["a"]


def test_sync_reads_each_event_once(indexer, send):
    send("move", key("a"), [PART])
    send("move", key("b"), [])
    assert keys(indexer.sync().new) == ["a", "b"]
    assert indexer.sync().new == []
    send("move", key("c"), [])
    assert keys(indexer.sync().new) == ["c"]
    stored = indexer.events("Probe", "Moved")
    assert keys(stored) == ["a", "b", "c"]
    assert stored[0].args["parts"] == [{"who": PART[0], "amount": PART[1], "marks": list(PART[2])}]
    assert keys(indexer.events(after_block=stored[0].block_number)) == ["b", "c"]


def test_sync_stays_behind_the_head_by_the_confirmations(engine, chain, anvil, send):
    indexer = Indexer(engine, chain, confirmations=2)
    send("move", key("a"), [])
    assert indexer.sync().new == []
    anvil.mine(2)
    assert keys(indexer.sync().new) == ["a"]


def test_sync_after_reorg_reports_what_is_gone(indexer, anvil, send):
    send("move", key("a"), [])
    indexer.sync()
    send("move", key("b"), [])
    send("move", key("c"), [])
    indexer.sync()
    anvil.reorganise(2)
    anvil.rpc("anvil_dropAllTransactions")
    result = indexer.sync()
    assert (keys(result.removed), result.new) == (["c", "b"], [])
    assert keys(indexer.events()) == ["a"]
    send("move", key("c"), [])
    assert keys(indexer.sync().new) == ["c"]
    assert keys(indexer.events()) == ["a", "c"]


def test_sync_reorg_above_an_event_leaves_it_out_of_the_result(engine, chain, anvil, send):
    """The last block read is gone, so its range is read again; the event in it is still the same one."""
    indexer = Indexer(engine, chain)
    indexer.sync()
    send("move", key("a"), [])
    snapshot = anvil.rpc("evm_snapshot")
    anvil.mine(3)
    indexer.sync()
    with engine.begin() as connection:
        connection.execute(delete(chain_blocks).where(chain_blocks.c.number == indexer.events()[0].block_number))
    anvil.rpc("evm_revert", snapshot)
    anvil.advance(100)
    result = indexer.sync()
    assert (result.new, result.removed) == ([], [])
    assert keys(indexer.events()) == ["a"]


def test_sync_shorter_chain_rolls_back(indexer, anvil, send):
    send("move", key("a"), [])
    snapshot = anvil.rpc("evm_snapshot")
    send("move", key("b"), [])
    anvil.mine(5)
    indexer.sync()
    anvil.rpc("evm_revert", snapshot)
    assert keys(indexer.sync().removed) == ["b"]


def test_sync_apply_sees_the_change_in_its_transaction(indexer, send):
    seen = []
    send("move", key("a"), [])
    indexer.sync(lambda connection, result: seen.append((connection.in_transaction(), keys(result.new))))
    indexer.sync(lambda *_: seen.append("nothing happened"))
    assert seen == [(True, ["a"])]
