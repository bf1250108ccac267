from dataclasses import replace
from random import Random

import pytest

from protocol.signing import address_of
from tests.worker.driver import BID, OUTPUTS, TERMS, Driver, base_of
from tests.worker.fake_market import (
    NETWORK,
    OTHER,
    PRICE,
    START,
    make_grant,
    results_of,
)
from worker import moves
from worker.errors import IllegalTransition
from worker.facts import Convicted, LeaseSettled, LeaseTaken, Outcome, ReceiptSigned, ResultsRecorded
from worker.grants import Network
from worker.state import BACKOFF_MAX_S, TRANSITIONS, Device, Phase

# --- sessions, polling, backing off


def test_start_without_journal_opens_a_session():
    assert Driver().kinds() == [moves.OpenSession]


def test_session_opened_polls(driver):
    assert driver.kinds() == [moves.Poll]


def test_session_nearly_over_is_renewed_before_the_next_poll(driver):
    driver.now += 850
    driver.answer(moves.NoLease)
    assert driver.kinds() == [moves.OpenSession]


def test_session_that_is_over_at_once_backs_off():
    driver = Driver()
    driver.answer(moves.SessionOpened, NETWORK, driver.now - 1)
    assert driver.kinds() == [moves.Wait]


@pytest.mark.parametrize("lifetime", [1, 30, 60])
def test_short_session_is_used(lifetime):
    driver = Driver()
    driver.answer(moves.SessionOpened, NETWORK, driver.now + lifetime)
    assert driver.kinds() == [moves.Poll]


def test_session_on_another_network_than_the_journals_stops():
    driver = Driver(Driver().open().facts)
    other = Network(replace(NETWORK.domain, chain_id=1), NETWORK.settler, NETWORK.blobs_url)
    driver.answer(moves.SessionOpened, other, driver.now + 900)
    assert driver.kinds() == [moves.Stop]
    assert driver.device.phase is Phase.STOPPED


def test_session_with_another_settler_than_the_journals_stops():
    driver = Driver(Driver().open().facts)
    driver.answer(moves.SessionOpened, replace(NETWORK, settler=address_of(OTHER)), driver.now + 900)
    assert driver.kinds() == [moves.Stop]


def test_session_lost_once_opens_another_twice_waits(driver):
    driver.answer(moves.SessionLost)
    assert driver.kinds() == [moves.OpenSession]
    driver.open().answer(moves.SessionLost)
    assert driver.kinds() == [moves.Wait]


def test_unreachable_waits_longer_each_time_up_to_a_bound_with_jitter(driver):
    waits = []
    for _ in range(12):
        driver.answer(moves.Unreachable, "gone")
        waits.append(driver.step.seconds)
        driver.answer(moves.Waited)
        assert driver.kinds() == [moves.OpenSession]
    assert 0.25 <= waits[0] <= 0.5
    assert all(wait <= BACKOFF_MAX_S for wait in waits)
    assert waits[5] > 3 * waits[0]
    assert len(set(waits[-5:])) == 5


def test_unreachable_waits_at_least_as_long_as_the_market_wishes(driver):
    driver.answer(moves.Unreachable, "later", 40.0)
    assert driver.step.seconds == 40.0


def test_backoff_starts_again_after_an_answer(driver):
    for _ in range(6):
        driver.answer(moves.Unreachable, "gone")
        driver.answer(moves.Waited)
    driver.open()
    driver.now += 1
    driver.answer(moves.NoLease)
    driver.answer(moves.Unreachable, "gone")
    assert driver.step.seconds <= 0.5


def test_no_lease_at_once_waits_before_the_next_poll(driver):
    driver.answer(moves.NoLease)
    assert driver.kinds() == [moves.Wait]


def test_no_lease_after_the_long_poll_polls_again(driver):
    driver.now += 20
    driver.answer(moves.NoLease)
    assert driver.kinds() == [moves.Poll]


def test_paused_asks_again_later_without_polling(driver):
    driver.answer(moves.Paused)
    assert driver.kinds() == [moves.Wait]


# --- leases


def test_lease_is_recorded_before_it_is_prepared(driver):
    grant = make_grant(BID)
    driver.give(grant)
    assert driver.said[0] == moves.Record(LeaseTaken(grant))
    assert driver.step == moves.Prepare(driver.step.ticket, grant)


def test_lease_below_the_price_is_released_and_leaves_no_trace(driver):
    grant = make_grant(BID, price_wei_per_gwu=PRICE // 2 - 1)
    facts = len(driver.facts)
    driver.give(grant)
    assert driver.kinds() == [moves.Release, moves.Wait]
    assert len(driver.facts) == facts
    assert driver.device.phase is Phase.IDLE


def test_work_refused_releases_and_waits(driver):
    grant = make_grant(BID)
    driver.give(grant)
    driver.answer(moves.WorkRefused, "another program")
    assert driver.kinds() == [moves.Abort, moves.Release, moves.Wait]
    assert driver.facts[-1] == LeaseSettled(grant.key, Outcome.DROPPED)


def test_device_failure_releases_without_a_receipt(driver):
    grant = make_grant(BID)
    driver.run(grant)
    driver.answer(moves.DeviceFailed, "killed")
    assert driver.kinds() == [moves.Abort, moves.Release, moves.Wait]
    assert not any(isinstance(fact, ResultsRecorded | ReceiptSigned) for fact in driver.facts)


def test_device_failures_wait_longer_each_time(driver):
    waits = []
    for number in range(1, 5):
        driver.run(make_grant(BID, number, expiry=int(driver.now) + 60))
        driver.answer(moves.DeviceFailed, "killed")
        waits.append(driver.step.seconds)
        driver.answer(moves.Waited)
    assert waits[3] > waits[0]


@pytest.mark.parametrize("code", ["lease_expired", "lease_fenced"])
def test_heartbeat_refused_while_running_aborts_and_polls(driver, code):
    grant = make_grant(BID)
    driver.run(grant)
    stale = driver.step
    driver.tell(moves.HeartbeatRefused(grant.key, code))
    assert driver.kinds() == [moves.Abort, moves.Poll]
    assert driver.device.handle(moves.ResultsComputed(stale.ticket, results_of(grant), OUTPUTS), driver.now) == []
    assert driver.device.phase is Phase.IDLE


def test_heartbeat_refused_for_another_lease_changes_nothing(driver):
    driver.run(make_grant(BID, 2))
    assert driver.tell(moves.HeartbeatRefused(make_grant(BID, 1).key, "lease_fenced")) == []
    assert driver.device.phase is Phase.RUNNING


def test_heartbeat_refused_while_submitting_waits_for_the_answer(driver):
    grant = make_grant(BID)
    driver.compute(grant)
    assert driver.tell(moves.HeartbeatRefused(grant.key, "lease_expired")) == []
    assert driver.device.phase is Phase.SUBMITTING


def test_market_out_of_reach_while_preparing_tries_again_until_the_expiry(driver):
    grant = make_grant(BID)
    driver.give(grant)
    driver.answer(moves.Unreachable, "gone")
    driver.answer(moves.Waited)
    driver.open()
    assert driver.kinds() == [moves.Prepare]
    driver.answer(moves.Unreachable, "gone")
    driver.now = grant.lease.expiry
    driver.answer(moves.Waited)
    assert driver.facts[-1] == LeaseSettled(grant.key, Outcome.DROPPED)


def test_results_of_other_tasks_are_not_signed(driver):
    grant = make_grant(BID)
    driver.run(grant)
    driver.answer(moves.ResultsComputed, results_of(make_grant(BID, 1, (1,))), OUTPUTS)
    assert driver.kinds() == [moves.Forget, moves.Abort, moves.Release, moves.Wait]


def test_results_above_the_task_limit_are_not_signed(driver):
    grant = make_grant(BID)
    driver.run(grant)
    driver.answer(moves.ResultsComputed, results_of(grant, BID.task_limit_wu + 1), OUTPUTS)
    assert moves.Submit not in driver.kinds()


def test_answer_to_another_step_tells_the_story(driver):
    with pytest.raises(IllegalTransition, match=r"Accepted does not answer Poll\n.*started idle"):
        driver.answer(moves.Accepted)


def test_stale_answers_change_nothing(driver):
    ticket = driver.step.ticket
    driver.now += 20
    driver.answer(moves.NoLease)
    assert driver.device.handle(moves.LeaseGiven(ticket, make_grant(BID)), driver.now) == []


def test_every_phase_can_end():
    assert {before for before, after in TRANSITIONS if after is Phase.STOPPED} == set(Phase) - {Phase.STOPPED}


# --- ends


def test_conviction_while_running_aborts_and_stops_for_good(driver):
    driver.run(make_grant(BID))
    driver.tell(moves.DeviceConvicted())
    assert driver.kinds() == [moves.Abort, moves.Stop]
    assert Convicted() in driver.facts
    assert Driver(driver.facts).kinds() == [moves.Stop]


def test_shutdown_while_idle_stops(driver):
    driver.tell(moves.ShutdownAsked())
    assert driver.kinds() == [moves.Stop]


def test_shutdown_while_checking_gives_the_lease_back(driver):
    driver.give(make_grant(BID))
    driver.tell(moves.ShutdownAsked())
    assert driver.kinds() == [moves.Abort, moves.Release, moves.Stop]


def test_shutdown_while_running_finishes_and_stops(driver):
    grant = make_grant(BID)
    driver.run(grant)
    step = driver.step
    assert driver.tell(moves.ShutdownAsked()) == []
    driver.said = [step]
    driver.answer(moves.ResultsComputed, results_of(grant), OUTPUTS)
    driver.sign().answer(moves.Accepted)
    assert driver.kinds() == [moves.Forget, moves.Stop]


def test_shutdown_twice_while_running_gives_the_lease_back(driver):
    driver.run(make_grant(BID))
    driver.tell(moves.ShutdownAsked())
    driver.tell(moves.ShutdownAsked())
    assert driver.kinds() == [moves.Abort, moves.Release, moves.Stop]


def test_shutdown_while_the_market_is_gone_keeps_the_receipt_for_the_next_start(driver):
    grant = make_grant(BID)
    driver.compute(grant).sign()
    driver.tell(moves.ShutdownAsked())
    driver.said = [moves.Submit(driver.device._step.ticket, grant.key, None, (), b"")]
    driver.answer(moves.Unreachable, "gone")
    assert driver.kinds() == [moves.Stop]
    again = Driver(driver.facts).open()
    assert isinstance(again.step, moves.Submit)


def test_stopped_machine_says_nothing(driver):
    driver.tell(moves.ShutdownAsked())
    assert driver.tell(moves.DeviceConvicted()) == []


# --- resuming


def test_resumed_with_a_lease_prepares_it_again(driver):
    grant = make_grant(BID)
    driver.run(grant)
    again = Driver(driver.facts).open()
    assert again.step == moves.Prepare(again.step.ticket, grant)


def test_resumed_with_an_expired_lease_drops_it(driver):
    grant = make_grant(BID)
    driver.run(grant)
    again = Driver(driver.facts, now=float(grant.lease.expiry))
    assert again.facts[-1] == LeaseSettled(grant.key, Outcome.DROPPED)


@pytest.mark.parametrize("signed", [False, True])
def test_resumed_with_results_submits_the_same_receipt(driver, signed):
    first, second = make_grant(BID, 1, (0,)), make_grant(BID, 2, (1,))
    driver.accept(first)
    driver.compute(replace(second, base=base_of(first)))
    receipt = driver.step.receipt
    if signed:
        driver.sign()
    again = Driver(driver.facts).open()
    assert isinstance(again.step, moves.Submit)
    assert again.step.receipt == receipt


def test_pruned_book_replays_to_the_same_receipts(driver):
    grants = [make_grant(BID, 1, (0,)), make_grant(BID, 2, (1,)), make_grant(BID, 3, (2,), period=1)]
    driver.accept(grants[0]).accept(replace(grants[1], base=base_of(grants[0])))
    driver.accept(grants[2])
    driver.device.book.prune(driver.now)
    kept = [fact for fact in driver.facts if driver.device.book.keeps(fact)]
    assert len(kept) < len(driver.facts)
    fourth = replace(make_grant(BID, 4, (3,), period=1), base=base_of(grants[2]))
    receipts = [Driver(facts).open().compute(fourth).step.receipt for facts in (kept, driver.facts)]
    assert receipts[0] == receipts[1]


def test_pruned_book_with_a_moved_lease_replays(driver):
    first, second = make_grant(BID, 1, (0,)), make_grant(BID, 2, (1,))
    driver.accept(first)
    driver.compute(replace(second, base=base_of(first))).sign()
    driver.answer(moves.PeriodClosed, 1)
    driver.sign().answer(moves.Accepted)
    driver.device.book.prune(driver.now)
    kept = [fact for fact in driver.facts if driver.device.book.keeps(fact)]
    assert set(Device(TERMS, Random(1), kept).book.holdings) == {second.key}


def test_prune_keeps_a_period_until_all_its_post_by_have_passed(driver):
    first = make_grant(BID, 1, (0,), post_by=int(START) + 70)
    second = make_grant(BID, 2, (1,), post_by=int(START) + 170)
    driver.accept(first).accept(replace(second, base=base_of(first)))
    book = driver.device.book
    book.prune(START + 100)
    assert len(book.holdings) == 2
    book.prune(START + 171)
    assert not book.holdings
