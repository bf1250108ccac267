import threading

import pytest
from sqlalchemy import select, update

from chain.errors import AbiUnknown, OutboxInvalid, RpcFailed
from chain.sends import sends_of
from chain.tables import outbox as table


def state(outbox, ident):
    return outbox.find("move", ident).state


def counter(chain):
    return chain.call("Probe", "count")


def sends(outbox, ident):
    """What was signed for a move, the newest first."""
    (row,) = outbox._rows(select(table).where(table.c.ident == ident))
    return sends_of(outbox._engine, row.id, row.tx_hash)


def settle(outbox, anvil):
    """Pump and mine until nothing is left to do."""
    for _ in range(8):
        outbox.pump()
        anvil.mine(2)
        outbox._clock.move(6)
    assert outbox.unsettled() == 0, [
        (r.state, r.nonce, r.error, r.next_attempt_at, r.attempts) for r in outbox._rows(select(table))
    ]


@pytest.fixture
def slow(anvil):
    """No automining: the test mines."""
    anvil.rpc("evm_setAutomine", False)
    return anvil


def test_enqueue_rolled_back_sends_nothing(engine, make_outbox):
    outbox = make_outbox()
    with engine.connect() as connection:
        outbox.enqueue(connection, "move", "a", "Probe", "move", (bytes(32), []))
        connection.rollback()
    assert outbox.find("move", "a") is None
    assert outbox.pump().sent == 0


def test_enqueue_unknown_function_is_refused(engine, make_outbox):
    with engine.begin() as connection, pytest.raises(AbiUnknown):
        make_outbox().enqueue(connection, "move", "a", "Probe", "none", ())


def test_enqueue_twice_has_one_effect(chain, slow, make_outbox, move):
    outbox = make_outbox()
    assert move(outbox, "a", b"first")
    assert not move(outbox, "a", b"second")
    settle(outbox, slow)
    assert counter(chain) == 1
    assert chain.call("Probe", "taken", b"first".ljust(32, b"\0"))


def test_pump_revert_in_estimate_fails_with_its_name(slow, make_outbox, move, send):
    outbox = make_outbox()
    move(outbox, "a", b"same")
    settle(outbox, slow)
    move(outbox, "b", b"same")
    assert outbox.pump().failed == 1
    row = outbox.find("move", "b")
    assert (row.state, row.gas_used) == ("failed", None)
    assert row.error.startswith("Probe_Taken(0x")


def test_pump_revert_on_chain_fails_with_its_name(chain, slow, make_outbox, move):
    """Both pass their estimates; the one that is mined first takes the key."""
    first, second = make_outbox(0), make_outbox(1)
    move(second, "b", b"same")
    second.pump()
    slow.rpc("anvil_dropAllTransactions")
    move(first, "a", b"same")
    settle(first, slow)
    chain.send_raw(sends(second, "b")[0].raw)
    slow.mine(1)
    assert second.pump().failed == 1
    row = second.find("move", "b")
    assert row.error.startswith("Probe_Taken(")
    assert row.gas_used > 20_000
    assert counter(chain) == 1


def test_retry_what_did_not_fail_is_refused(make_outbox, move):
    outbox = make_outbox()
    move(outbox, "a")
    with pytest.raises(OutboxInvalid):
        outbox.retry("move", "a")
    with pytest.raises(OutboxInvalid):
        outbox.retry("move", "nothing")


def test_retry_failed_is_sent_again_with_new_arguments(chain, slow, make_outbox, move):
    outbox = make_outbox()
    move(outbox, "a", b"same")
    move(outbox, "b", b"same")
    settle(outbox, slow)
    assert state(outbox, "b") == "failed"
    outbox.retry("move", "b", args=(b"other".ljust(32, b"\0"), []))
    settle(outbox, slow)
    assert (state(outbox, "b"), counter(chain)) == ("confirmed", 2)


def test_pump_attempts_back_off_then_fail(anvil, make_outbox, move, send, clock):
    outbox = make_outbox()
    send("setOpen", False)
    move(outbox, "a", attempts=3)
    outbox.pump()
    outbox.pump()
    assert outbox.find("move", "a")[2:5] == ("queued", "Probe_Closed()", 1)
    clock.move(1)
    outbox.pump()
    clock.move(1)
    outbox.pump()
    assert outbox.find("move", "a").attempts == 2
    clock.move(1)
    assert outbox.pump().failed == 1
    send("setOpen", True)
    outbox.retry("move", "a")
    settle(outbox, anvil)


def test_pump_many_get_nonces_in_order_and_gas_is_recorded(chain, slow, make_outbox, move):
    outbox = make_outbox()
    for number in range(5):
        move(outbox, str(number))
    assert outbox.pump().sent == 5
    slow.mine(1)
    result = outbox.pump()
    assert (result.mined, result.confirmed) == (5, 0)
    assert state(outbox, "0") == "mined"
    slow.mine(1)
    assert outbox.pump().confirmed == 5
    row = outbox.find("move", "4")
    assert row.gas_used == chain.receipt(row.tx_hash).gas_used
    assert counter(chain) == 5


def test_pump_value_is_sent(chain, slow, make_outbox, move):
    outbox = make_outbox()
    move(outbox, "a", value=7)
    settle(outbox, slow)
    assert chain.balance(chain.deployment.address("Probe")) == 7


def test_pump_crash_before_broadcast_sends_the_same_bytes(chain, slow, make_outbox, move, monkeypatch, clock):
    outbox = make_outbox()
    move(outbox, "a")

    def away(_):
        raise RpcFailed("away")

    with monkeypatch.context() as patch:
        patch.setattr(outbox._client, "send_raw", away)
        with pytest.raises(RpcFailed):
            outbox.pump()
    signed = outbox.find("move", "a").tx_hash
    settle(make_outbox(), slow)
    assert (outbox.find("move", "a").tx_hash, counter(chain)) == (signed, 1)


def test_pump_dropped_from_the_pool_is_broadcast_again(slow, make_outbox, move, clock):
    outbox = make_outbox()
    move(outbox, "a")
    outbox.pump()
    slow.rpc("anvil_dropAllTransactions")
    slow.mine(1)
    outbox.pump()
    assert int(slow.rpc("txpool_status")["pending"], 16) == 0
    clock.move(5)
    outbox.pump()
    assert int(slow.rpc("txpool_status")["pending"], 16) == 1


@pytest.mark.parametrize("depth", [2, 5])
def test_pump_reorg_sends_confirmed_again_once(chain, slow, make_outbox, move, depth):
    outbox = make_outbox()
    slow.mine(8)  # the contract's own block stays well below what is replaced
    for ident in "abc":
        move(outbox, ident)
        outbox.pump()
        slow.mine(1)
    slow.mine(2)
    outbox.pump()
    assert state(outbox, "a") == state(outbox, "c") == "confirmed"
    slow.reorganise(depth)
    slow.rpc("anvil_dropAllTransactions")
    lost = 3 - counter(chain)
    assert lost == (0 if depth == 2 else 3)
    assert outbox.pump().lost == lost
    settle(outbox, slow)
    assert counter(chain) == 3


def test_pump_chain_falls_back_and_everything_is_sent_again(chain, slow, make_outbox, move, clock):
    outbox = make_outbox()
    snapshot = slow.rpc("evm_snapshot")
    for ident in "abcd":
        move(outbox, ident)
        settle(outbox, slow)
    slow.rpc("evm_revert", snapshot)
    slow.rpc("evm_setAutomine", False)
    assert counter(chain) == 0
    assert outbox.pump().lost == 0, "the node may only be behind"
    clock.move(5)
    assert outbox.pump().lost == 4
    settle(outbox, slow)
    assert counter(chain) == 4


def test_pump_nonce_taken_by_another_transaction_signs_anew(chain, slow, make_outbox, move, send):
    outbox = make_outbox()
    move(outbox, "a")
    outbox.pump()
    slow.rpc("anvil_dropAllTransactions")
    slow.automine()
    send("setOpen", True)
    slow.rpc("evm_setAutomine", False)
    settle(outbox, slow)
    assert (state(outbox, "a"), counter(chain)) == ("confirmed", 1)


def test_pump_gap_below_is_signed_anew(chain, slow, make_outbox, move, send):
    """A transaction of the account that the outbox did not send was lost in a fall-back: its nonce is free again."""
    outbox = make_outbox()
    snapshot = slow.rpc("evm_snapshot")
    slow.automine()
    send("setOpen", True)
    slow.rpc("evm_setAutomine", False)
    move(outbox, "a")
    settle(outbox, slow)
    slow.rpc("evm_revert", snapshot)
    slow.rpc("evm_setAutomine", False)
    settle(outbox, slow)
    assert (state(outbox, "a"), counter(chain)) == ("confirmed", 1)


def test_pump_two_processes_send_once(chain, slow, make_outbox, move):
    """The second finds the account's lock taken and leaves."""
    first, second = make_outbox(), make_outbox()
    move(first, "a")
    inside, leave = threading.Event(), threading.Event()
    honest = first._send

    def dawdle(head):
        inside.set()
        leave.wait(5)
        return honest(head)

    first._send = dawdle
    runner = threading.Thread(target=first.pump)
    runner.start()
    inside.wait(5)
    assert second.pump() == (0, 0, 0, 0, 0)
    leave.set()
    runner.join()
    settle(second, slow)
    assert counter(chain) == 1


def test_pump_leaves_other_accounts_alone(engine, slow, make_outbox, move):
    first, second = make_outbox(0), make_outbox(1)
    move(first, "a")
    assert second.pump().sent == 0
    with engine.begin() as connection:
        connection.execute(update(table).values(sender=second._sender))
        assert connection.scalar(select(table.c.state)) == "queued"
    assert second.pump().sent == 1
