import pytest
from sqlalchemy import delete, select, update

from chain.client import ChainClient
from chain.errors import ReorgTooDeep, RpcFailed
from chain.indexer import Indexer
from chain.tables import chain_blocks
from tests.chain.proxy import Refuse

PART = ("0x70997970C51812dc3A010C7d01b50e0d17dc79C8", 2**100, (b"\7" * 32,))


def key(text):
    return text.encode().ljust(32, b"\0")


def keys(events):
    return [event.args["key"].rstrip(b"\0").decode() for event in events]


@pytest.fixture
def indexer(engine, chain, clock):
    return Indexer(engine, chain, clock=clock)


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


def test_sync_shorter_chain_rolls_back(indexer, anvil, send, clock):
    send("move", key("a"), [])
    snapshot = anvil.rpc("evm_snapshot")
    send("move", key("b"), [])
    anvil.mine(5)
    indexer.sync()
    anvil.rpc("evm_revert", snapshot)
    assert indexer.sync().removed == [], "the node may only be behind"
    clock.move(5)
    assert keys(indexer.sync().removed) == ["b"]


def test_sync_apply_sees_the_change_in_its_transaction(indexer, send):
    seen = []
    send("move", key("a"), [])
    indexer.sync(lambda connection, result: seen.append((connection.in_transaction(), keys(result.new))))
    indexer.sync(lambda *_: seen.append("nothing happened"))
    assert seen == [(True, ["a"])]


@pytest.fixture
def behind_proxy(engine, chain, clock, proxy):
    """An indexer whose node is the proxy."""
    return Indexer(engine, ChainClient(proxy.url, chain.deployment), clock=clock)


def hashes(indexer):
    return {event.block_number: event.block_hash for event in indexer.events()}


def test_sync_node_behind_changes_nothing_until_it_catches_up(behind_proxy, proxy, anvil, send):
    send("move", key("a"), [])
    head = anvil.block_number
    send("move", key("b"), [])
    anvil.mine(3)
    behind_proxy.sync()
    proxy.head = head
    assert behind_proxy.sync() == ([], [], anvil.block_number)
    proxy.head = None
    send("move", key("c"), [])
    result = behind_proxy.sync()
    assert (keys(result.new), result.removed) == (["c"], [])


def test_sync_logs_from_a_node_behind_the_head_are_not_taken_for_all(behind_proxy, proxy, anvil, send):
    """A balancer: the head comes from one node, the logs from another that lacks the newest blocks."""
    behind_proxy.sync()
    send("move", key("a"), [])
    anvil.mine(2)
    real = anvil.block_number

    def lagging(_, __):
        proxy.head = real - 3
        return []

    def ahead(_, forward):
        proxy.head = None
        return forward()

    proxy.bend("eth_getLogs", lagging)
    with pytest.raises(RpcFailed, match="does not reach"):
        behind_proxy._client.logs(real - 2, real)
    proxy.bend("eth_getLogs", ahead)
    proxy.head = None
    assert keys(behind_proxy.sync().new) == ["a"]


def test_sync_range_too_large_is_halved(behind_proxy, proxy, anvil, send):
    for name in "abc":
        send("move", key(name), [])
        anvil.mine(4)
    ranges = []

    def small(params, forward):
        first, last = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
        ranges.append(last - first + 1)
        if last - first + 1 > 4:
            raise Refuse("query exceeds max block range 4", -32005)
        return forward()

    proxy.bend("eth_getLogs", small)
    assert keys(behind_proxy.sync().new) == ["a", "b", "c"]
    assert max(ranges[-3:]) <= 4


def test_sync_range_refused_at_one_block_raises(behind_proxy, proxy, send):
    send("move", key("a"), [])

    def never(*_):
        raise Refuse("rate limit", -32005)

    proxy.bend("eth_getLogs", never)
    with pytest.raises(RpcFailed, match="rate limit"):
        behind_proxy.sync()
    assert behind_proxy.position() == -1


def test_sync_duplicate_and_withdrawn_deliveries_count_once(behind_proxy, proxy, send):
    send("move", key("a"), [])
    send("move", key("b"), [])

    def twice(_, forward):
        logs = forward()
        return [*reversed(logs), *logs, logs[0] | {"removed": True, "logIndex": "0x7"}]

    proxy.bend("eth_getLogs", twice)
    assert keys(behind_proxy.sync().new) == ["a", "b"]
    assert behind_proxy.sync().new == []


def test_sync_logs_of_two_chains_are_read_again(behind_proxy, proxy, send):
    send("move", key("a"), [])
    told = []

    def mixed(_, forward):
        logs = forward()
        told.append(1)
        return logs if len(told) > 1 else [*logs, logs[0] | {"blockHash": "0x" + "77" * 32, "logIndex": "0x9"}]

    proxy.bend("eth_getLogs", mixed)
    (event,) = behind_proxy.sync().new
    assert event.block_hash == behind_proxy._client.block_hash(event.block_number)


def test_sync_reorg_during_a_batch_reads_it_again(behind_proxy, proxy, anvil, send):
    """The chain changes after the first of the batch's ranges was read."""
    behind_proxy._client.head()
    send("move", key("a"), [])
    send("move", key("b"), [])
    anvil.mine(1)
    told = []

    def interrupted(_, forward):
        logs = forward()
        told.append(1)
        if len(told) == 1:
            anvil.reorganise(2)
            anvil.rpc("anvil_dropAllTransactions")
        return logs

    proxy.bend("eth_getLogs", interrupted)
    behind_proxy.sync()
    there = [event for event in behind_proxy.events() if event.block_hash != anvil_hash(anvil, event.block_number)]
    assert there == []
    assert keys(behind_proxy.events()) == ["a"]
    assert len(told) > 1


def anvil_hash(anvil, number):
    return bytes.fromhex(anvil.rpc("eth_getBlockByNumber", hex(number), False)["hash"][2:])


def test_sync_deep_reorg_asks_few_blocks_and_ends_with_the_chains_events(behind_proxy, proxy, anvil, send):
    send("move", key("a"), [])
    behind_proxy.sync()
    for name in "bcdefgh":
        send("move", key(name), [])
        anvil.mine(3)
        behind_proxy.sync()
    depth = anvil.block_number - behind_proxy.events()[0].block_number
    anvil.reorganise(depth)
    anvil.rpc("anvil_dropAllTransactions")
    send("move", key("c"), [])
    proxy.asked.clear()
    result = behind_proxy.sync()
    assert keys(result.removed) == list("hgfedcb")
    assert proxy.asked.count("eth_getBlockByNumber") <= 14
    assert keys(behind_proxy.events()) == ["a", "c"]
    assert all(anvil_hash(anvil, number) == found for number, found in hashes(behind_proxy).items())


def test_sync_past_the_bound_raises_reorg_too_deep_and_keeps_everything(engine, indexer, anvil, send, monkeypatch):
    monkeypatch.setattr("chain.indexer.REORG_BLOCKS_MOST", 10)
    send("move", key("a"), [])
    for _ in range(4):
        anvil.mine(5)
        indexer.sync()
    with engine.begin() as connection:
        kept = connection.execute(select(chain_blocks.c.number).order_by(chain_blocks.c.number)).scalars().all()
        assert kept[0] <= anvil.block_number - 10 < kept[1]
        connection.execute(update(chain_blocks).values(hash=b"\7" * 32))
    with pytest.raises(ReorgTooDeep, match="empty chain_blocks"):
        indexer.sync()
    assert keys(indexer.events()) == ["a"]


def test_sync_short_chain_replaced_whole_is_read_anew(engine, indexer, anvil, send):
    send("move", key("a"), [])
    indexer.sync()
    with engine.begin() as connection:
        connection.execute(update(chain_blocks).values(hash=b"\7" * 32))
    result = indexer.sync()
    assert (result.new, result.removed) == ([], [])
    assert keys(indexer.events()) == ["a"]
