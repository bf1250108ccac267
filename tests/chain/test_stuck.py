"""Transactions that nodes refuse, forget, or leave lying; and chains that fall back."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from chain.client import ChainClient
from chain.errors import FeeTooLow, InsufficientFunds, ReorgTooDeep
from chain.fees import FeePolicy
from chain.outbox import BACK_OFF_MOST
from chain.sender import Sender
from chain.sends import sends_of
from chain.tables import outbox as table
from chain.transactions import Order
from tests.chain.conftest import account
from tests.chain.proxy import Refuse
from tests.chain.test_outbox import counter, sends, settle, state

POLICY = FeePolicy(ceiling=10**12, bump_after=timedelta(seconds=30), bumps_most=3)


@pytest.fixture
def slow(anvil):
    """No automining: the test mines."""
    anvil.rpc("evm_setAutomine", False)
    return anvil


@pytest.fixture
def through(proxy, chain):
    """A client that asks the proxy."""
    return ChainClient(proxy.url, chain.deployment)


def confirm(outbox, anvil, move, idents):
    """Each move in blocks of its own, until all are confirmed."""
    for ident in idents:
        move(outbox, ident)
        outbox.pump()
        anvil.mine(2)
        outbox.pump()
    assert outbox.unsettled() == 0


# --- refused


def test_pump_without_funds_waits_and_lets_the_others_through(chain, slow, make_outbox, move, clock):
    outbox = make_outbox()
    whole = chain.balance(outbox._sender)
    slow.rpc("anvil_setBalance", outbox._sender, hex(10**18))
    move(outbox, "dear", value=10**20)
    move(outbox, "cheap")
    for _ in range(20):
        outbox.pump()
        slow.mine(1)
        clock.move(10)
    assert state(outbox, "cheap") == "confirmed"
    assert (state(outbox, "dear"), outbox.find("move", "dear").attempts) == ("queued", 0)
    slow.rpc("anvil_setBalance", outbox._sender, hex(whole))
    settle(outbox, slow)
    assert state(outbox, "dear") == "confirmed"


@pytest.fixture
def base_fee(slow):
    """Mines a block with this base fee; zero again afterwards, which a snapshot does not bring back."""

    def mine_at(wei):
        slow.rpc("anvil_setNextBlockBaseFeePerGas", hex(wei))
        slow.mine(1)

    yield mine_at
    mine_at(0)


def test_pump_base_fee_above_the_ceiling_waits_for_it_to_fall(base_fee, make_outbox, move):
    outbox = make_outbox(policy=POLICY._replace(ceiling=50))
    base_fee(51)
    move(outbox, "a")
    assert outbox.pump().sent == 0
    assert "ceiling 50" in outbox.find("move", "a").error
    base_fee(50)
    assert outbox.pump().sent == 1
    assert sends(outbox, "a")[0].fees.most == 50


def test_pump_node_wants_a_higher_fee_raises_it_until_the_ceiling(slow, through, proxy, make_outbox, move, clock):
    outbox = make_outbox(client=through, policy=POLICY)

    def underpriced(_, __):
        raise Refuse("transaction underpriced")

    proxy.bend("eth_sendRawTransaction", underpriced)
    move(outbox, "a")
    outbox.pump()
    assert len(sends(outbox, "a")) == 1 + POLICY.bumps_most
    outbox.pump()
    clock.move(40)
    outbox.pump()
    assert len(sends(outbox, "a")) == 1 + POLICY.bumps_most, "the count bounds it"
    assert "underpriced" in outbox.find("move", "a").error
    proxy.straighten("eth_sendRawTransaction")
    clock.move(10)
    settle(outbox, slow)
    assert state(outbox, "a") == "confirmed"


def test_pump_own_key_holds_the_nonce_elsewhere_takes_the_next(chain, slow, through, proxy, make_outbox, move, clock):
    """Somebody with the same key has a dearer transaction waiting, which this node does not count as pending."""
    outbox = make_outbox(client=through, policy=POLICY)
    order = Order(chain.deployment.chain_id, account(5).address, b"", 1)
    sender = Sender(chain, account(0))
    mine = chain.nonce(outbox._sender)
    foreign = sender._broadcast(order, 21_000)
    proxy.bend(
        "eth_getTransactionCount",
        lambda params, _: proxy.forward("eth_getTransactionCount", [params[0], "latest"]),
    )

    def replace(params, forward):
        if chain.receipt(foreign.tx_hash) is None:
            raise Refuse("replacement transaction underpriced")
        return forward()

    proxy.bend("eth_sendRawTransaction", replace)
    move(outbox, "a")
    outbox.pump()
    assert outbox.find("move", "a").state == "sent"
    assert {send.nonce for send in sends(outbox, "a")} == {mine}
    settle(outbox, slow)
    assert (state(outbox, "a"), counter(chain)) == ("confirmed", 1)
    assert sends(outbox, "a")[0].nonce == mine + 1


def test_pump_nonce_too_low_at_first_broadcast_signs_anew(chain, slow, through, proxy, make_outbox, move):
    outbox = make_outbox(client=through)
    refused = []

    def once(_, forward):
        if not refused:
            refused.append(1)
            raise Refuse("nonce too low: next nonce 9, tx nonce 8")
        return forward()

    proxy.bend("eth_sendRawTransaction", once)
    move(outbox, "a")
    assert outbox.pump().sent == 0
    assert "nonce too low" in outbox.find("move", "a").error
    settle(outbox, slow)
    assert (state(outbox, "a"), counter(chain)) == ("confirmed", 1)


def test_pump_refused_in_the_middle_leaves_no_gap(chain, slow, through, proxy, make_outbox, move):
    """The node has no money for the second of three: the third takes its nonce."""
    outbox = make_outbox(client=through)
    seen = []

    def second(_, forward):
        seen.append(1)
        if len(seen) == 2:
            raise Refuse("insufficient funds for gas * price + value")
        return forward()

    proxy.bend("eth_sendRawTransaction", second)
    for ident in "abc":
        move(outbox, ident)
    assert outbox.pump().sent == 2
    slow.mine(1)
    assert outbox.pump().mined == 2
    settle(outbox, slow)
    assert counter(chain) == 3


# --- stuck


def test_pump_stuck_is_replaced_under_its_nonce_by_an_eighth_more(chain, slow, make_outbox, move, clock):
    outbox = make_outbox(policy=POLICY)
    move(outbox, "a")
    outbox.pump()
    (first,) = sends(outbox, "a")
    clock.move(29)
    outbox.pump()
    assert len(sends(outbox, "a")) == 1
    clock.move(1)
    outbox.pump()
    second, _ = sends(outbox, "a")
    assert second.nonce == first.nonce
    assert 8 * second.fees.most >= 9 * first.fees.most
    assert 8 * second.fees.tip >= 9 * first.fees.tip
    assert second.fees.most > first.fees.most
    slow.mine(1)
    outbox.pump()
    assert outbox.find("move", "a").tx_hash == second.tx_hash
    assert counter(chain) == 1


def test_pump_older_hash_is_mined_the_row_is_mined_by_it(chain, slow, make_outbox, move, clock):
    """The replacement was lost, and a builder took the first."""
    outbox = make_outbox(policy=POLICY)
    move(outbox, "a")
    outbox.pump()
    clock.move(30)
    outbox.pump()
    newest, first = sends(outbox, "a")
    slow.rpc("anvil_dropAllTransactions")
    chain.send_raw(first.raw)
    slow.mine(1)
    assert outbox.pump().mined == 1
    assert outbox.find("move", "a").tx_hash == first.tx_hash != newest.tx_hash
    settle(outbox, slow)
    assert (state(outbox, "a"), counter(chain)) == ("confirmed", 1)


def test_pump_stuck_bumps_end_with_their_count(slow, make_outbox, move, clock):
    outbox = make_outbox(policy=POLICY)
    move(outbox, "a")
    for _ in range(10):
        outbox.pump()
        clock.move(30)
    assert len(sends(outbox, "a")) == 1 + POLICY.bumps_most
    slow.rpc("anvil_dropAllTransactions")
    outbox.pump()
    assert int(slow.rpc("txpool_status")["pending"], 16) == 1, "the last one is broadcast again for ever"


def test_pump_given_up_nonce_is_mined_after_all_nothing_is_sent_again(chain, slow, make_outbox, move, clock, engine):
    """Its old transaction comes back from another node's pool while the row waits to be signed anew."""
    outbox = make_outbox()
    move(outbox, "a")
    outbox.pump()
    (old,) = sends(outbox, "a")
    with engine.begin() as connection:
        given_up = {"state": "queued", "nonce": None, "tx_hash": None, "next_attempt_at": clock()}
        connection.execute(update(table).values(**given_up))
    assert outbox.pump().failed == 0, "the estimate fails because the old one waits"
    assert state(outbox, "a") == "queued"
    slow.mine(1)
    clock.move(1)
    assert outbox.pump().mined == 1
    assert (state(outbox, "a"), outbox.find("move", "a").tx_hash) == ("mined", old.tx_hash)
    assert len(sends(outbox, "a")) == 1


def test_pump_row_of_an_older_table_without_its_transaction_is_signed_anew(chain, slow, make_outbox, move, engine):
    outbox = make_outbox()
    move(outbox, "a")
    with engine.begin() as connection:
        connection.execute(update(table).values(state="sent", nonce=chain.nonce(outbox._sender), tx_hash=b"\1" * 32))
    settle(outbox, slow)
    assert (state(outbox, "a"), counter(chain)) == ("confirmed", 1)


# --- attempts


def test_want_failed_is_queued_again_after_a_pause_with_its_new_arguments(
    chain, anvil, make_outbox, clock, engine, send
):
    outbox = make_outbox()
    send("setOpen", False)

    def want(key):
        with engine.begin() as connection:
            return outbox.want(connection, "move", "a", "Probe", "move", (key.ljust(32, b"\0"), []))

    assert want(b"one")
    assert not want(b"one")
    assert outbox.pump().failed == 1
    assert not want(b"two"), "not at once"
    send("setOpen", True)
    clock.move(BACK_OFF_MOST.total_seconds())
    assert want(b"two")
    settle(outbox, anvil)
    assert state(outbox, "a") == "confirmed"
    assert chain.call("Probe", "taken", b"two".ljust(32, b"\0"))
    assert not want(b"two"), "what is done is done"


# --- chains that fall back


def test_pump_node_behind_changes_nothing(chain, slow, through, proxy, make_outbox, move, clock):
    outbox = make_outbox(client=through)
    move(outbox, "a")
    settle(outbox, slow)
    proxy.head = chain.deployment.deploy_block
    assert outbox.pump() == (0, 0, 0, 0, 0)
    proxy.head = None
    clock.move(60)
    outbox.pump()
    assert state(outbox, "a") == "confirmed"
    proxy.head = chain.deployment.deploy_block
    assert outbox.pump().lost == 0, "the doubt began anew"


def test_pump_receipt_behind_a_balancer_is_not_signed_anew_at_once(
    chain, slow, through, proxy, make_outbox, move, clock
):
    """The nonce comes from a node that is ahead, the receipt from one that is behind."""
    outbox = make_outbox(client=through)
    move(outbox, "a")
    outbox.pump()
    slow.mine(1)
    proxy.bend("eth_getTransactionReceipt", lambda *_: None)
    for _ in range(4):
        outbox.pump()
        clock.move(1)
    assert state(outbox, "a") == "sent"
    proxy.straighten("eth_getTransactionReceipt")
    assert outbox.pump().mined == 1


def test_pump_deep_fall_back_sends_confirmed_ones_again_and_asks_few_blocks(
    chain, slow, through, proxy, make_outbox, move, clock
):
    outbox = make_outbox(client=through)
    confirm(outbox, slow, move, "abcd")
    snapshot = slow.rpc("evm_snapshot")
    confirm(outbox, slow, move, "efghijkl")
    before = slow.block_number
    slow.rpc("evm_revert", snapshot)
    slow.rpc("evm_setAutomine", False)
    slow.advance(100)
    slow.mine(before - slow.block_number + 1)
    assert counter(chain) == 4
    proxy.asked.clear()
    assert outbox.pump().lost == 8
    assert proxy.asked.count("eth_getBlockByNumber") <= 7
    settle(outbox, slow)
    assert counter(chain) == 12


def test_pump_another_chain_raises_reorg_too_deep(slow, make_outbox, move, engine, monkeypatch):
    monkeypatch.setattr("chain.outbox.REORG_BLOCKS_MOST", 40)
    outbox = make_outbox()
    for ident in "ab":
        move(outbox, ident)
        settle(outbox, slow)
    slow.mine(50)
    move(outbox, "c")
    settle(outbox, slow)
    with engine.begin() as connection:
        connection.execute(update(table).values(block_hash=b"\7" * 32))
    with pytest.raises(ReorgTooDeep):
        outbox.pump()


# --- the sender without an outbox


def test_sender_nonce_taken_meanwhile_takes_the_next(chain, through, proxy, anvil):
    refused = []

    def thrice(_, forward):
        refused.append(1)
        if len(refused) <= 3:
            raise Refuse("nonce too low")
        return forward()

    proxy.bend("eth_sendRawTransaction", thrice)
    receipt = Sender(through, account(3)).send("Probe", "move", b"k".ljust(32, b"\0"), [])
    assert receipt.ok


def test_sender_without_funds_says_so(through, proxy, anvil):
    def poor(*_):
        raise Refuse("insufficient funds for gas * price + value")

    proxy.bend("eth_sendRawTransaction", poor)
    with pytest.raises(InsufficientFunds):
        Sender(through, account(3)).send("Probe", "move", b"k".ljust(32, b"\0"), [])


def test_sender_fee_at_the_ceiling_raises(through, proxy, anvil):
    def underpriced(*_):
        raise Refuse("max fee per gas less than block base fee")

    proxy.bend("eth_sendRawTransaction", underpriced)
    with pytest.raises(FeeTooLow):
        Sender(through, account(3), policy=POLICY._replace(ceiling=5)).send("Probe", "setOpen", True)


def test_sender_stuck_offers_more_and_takes_whichever_is_mined(chain, slow, clock):
    """The first is dropped from the pool; what replaces it is mined."""
    seen = []

    def sleep(_):
        pending = [tx for txs in slow.rpc("txpool_content")["pending"].values() for tx in txs.values()]
        seen.append(int(pending[0]["maxFeePerGas"], 16))
        if len(set(seen)) == 3:
            slow.mine(1)
        clock.move(30)

    sender = Sender(chain, account(3), sleep=sleep, policy=POLICY, clock=clock)
    assert sender.send("Probe", "move", b"k".ljust(32, b"\0"), []).ok
    assert len(set(seen)) == 3
    assert seen == sorted(seen)
    assert counter(chain) == 1


def test_sends_of_puts_the_current_one_first(slow, make_outbox, move, clock, engine):
    outbox = make_outbox(policy=POLICY)
    move(outbox, "a")
    outbox.pump()
    clock.move(30)
    outbox.pump()
    newest, first = sends(outbox, "a")
    (row,) = outbox._rows(select(table))
    assert [send.tx_hash for send in sends_of(engine, row.id, first.tx_hash)] == [first.tx_hash, newest.tx_hash]
