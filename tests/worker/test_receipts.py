"""The receipts that the state machine signs: cumulative, once, and never too late."""

from dataclasses import replace
from random import Random

import pytest

from protocol.merkle import ResultTree
from tests.worker.driver import BID, OUTPUTS, base_of
from tests.worker.fake_market import (
    PRICE,
    START,
    make_grant,
    results_of,
)
from worker import moves
from worker.facts import LeaseSettled, LeaseTaken, Outcome, PeriodMoved, ResultsRecorded


def test_results_are_recorded_before_they_are_submitted(driver):
    grant = make_grant(BID, spans=(1,))
    driver.compute(grant)
    assert driver.said[0] == moves.Record(ResultsRecorded(grant.key, results_of(grant), OUTPUTS))
    receipt = driver.step.receipt
    assert (receipt.period, receipt.count, receipt.post_by) == (0, 4, grant.lease.post_by)
    assert receipt.total_wu == 4 * 1_000 + 4 + 5 + 6 + 7
    assert receipt.amount == receipt.total_wu * PRICE // 10**9


def test_accepted_settles_forgets_outputs_and_polls(driver):
    grant = make_grant(BID)
    driver.accept(grant)
    assert driver.kinds() == [moves.Forget, moves.Poll]
    assert driver.facts[-1] == LeaseSettled(grant.key, Outcome.ACCEPTED)


def test_accepted_with_a_lease_takes_it_without_a_poll(driver):
    first = make_grant(BID, 1, (0,))
    second = replace(make_grant(BID, 2, (1,)), base=base_of(first))
    driver.compute(first).sign()
    assert driver.step.wants_next
    driver.answer(moves.Accepted, second)
    assert driver.kinds() == [moves.Forget, moves.Prepare]
    assert driver.facts[-2:] == [LeaseSettled(first.key, Outcome.ACCEPTED), LeaseTaken(second)]


def test_accepted_with_a_lease_below_the_price_gives_that_one_back(driver):
    first = make_grant(BID, 1, (0,))
    second = replace(make_grant(BID, 2, (1,), price_wei_per_gwu=PRICE // 4), base=base_of(first))
    driver.compute(first).sign()
    driver.answer(moves.Accepted, second)
    assert driver.kinds() == [moves.Forget, moves.Release, moves.Wait]
    assert driver.facts[-1] == LeaseSettled(first.key, Outcome.ACCEPTED)


def test_shutdown_while_submitting_gives_back_the_lease_that_comes_with_the_answer(driver):
    first = make_grant(BID, 1, (0,))
    second = replace(make_grant(BID, 2, (1,)), base=base_of(first))
    driver.compute(first).sign()
    submit = driver.step
    driver.tell(moves.ShutdownAsked())
    driver._take(driver.device.handle(moves.Accepted(submit.ticket, second), driver.now))
    assert driver.kinds() == [moves.Forget, moves.Release, moves.Stop]
    assert not any(isinstance(fact, LeaseTaken) and fact.grant == second for fact in driver.facts)


def test_submission_while_stopping_wants_no_lease(driver):
    grant = make_grant(BID)
    driver.run(grant)
    execute = driver.step
    driver.tell(moves.ShutdownAsked())
    driver._take(driver.device.handle(moves.ResultsComputed(execute.ticket, results_of(grant), OUTPUTS), driver.now))
    assert not driver.step.wants_next


@pytest.mark.parametrize("seed", range(8))
def test_receipts_of_leases_in_any_order_are_those_of_the_whole_tree(driver, seed):
    """The book grows its tree where it can; the root is that of all results in task order whatever it did."""
    spans, taken = Random(seed).sample(range(10), 6), []
    if seed == 0:
        spans.sort()
    for number, span in enumerate(spans, 1):
        grant = make_grant(BID, number, (span,))
        driver.compute(replace(grant, base=base_of(*taken) if taken else None)).sign()
        taken.append(grant)
        receipt = driver.step.receipt
        results = [result for one in taken for result in results_of(one)]
        tree = ResultTree(sorted(results, key=lambda result: result.task_index))
        sums = (tree.total_wu, tree.total_squared_wu)
        assert (receipt.results_root, receipt.count, receipt.total_wu, receipt.total_squared_wu) == (
            tree.root, tree.count, *sums,
        )  # fmt: skip
        if number == 3:
            driver.answer(moves.ResultsRefused, "lease_fenced", "")
            driver.answer(moves.Waited)
            taken.pop()
        else:
            driver.answer(moves.Accepted)


def test_second_receipt_of_a_period_is_cumulative(driver):
    first = make_grant(BID, 1, (3,), post_by=int(START) + 70)
    driver.accept(first)
    second = replace(make_grant(BID, 2, (1,)), base=base_of(first))
    driver.compute(second)
    receipt = driver.step.receipt
    assert (receipt.count, receipt.post_by) == (8, first.lease.post_by)
    assert receipt.total_wu == sum(result.wu for result in results_of(first) + results_of(second))


def test_receipt_of_a_new_period_starts_anew(driver):
    first = make_grant(BID, 1, (0,))
    driver.accept(first)
    driver.compute(make_grant(BID, 2, (1,), period=1))
    assert (driver.step.receipt.period, driver.step.receipt.count) == (1, 4)


def test_period_closed_moves_this_lease_alone(driver):
    first, second = make_grant(BID, 1, (0,)), make_grant(BID, 2, (1,))
    driver.accept(first)
    driver.compute(replace(second, base=base_of(first))).sign()
    driver.answer(moves.PeriodClosed, 3)
    assert driver.said[0] == moves.Record(PeriodMoved(second.key, 3))
    assert (driver.step.receipt.period, driver.step.receipt.count) == (3, 4)
    driver.sign().answer(moves.Accepted)
    third = replace(make_grant(BID, 3, (2,), period=3), base=base_of(second))
    driver.compute(third)
    assert (driver.step.receipt.period, driver.step.receipt.count) == (3, 8)


def test_period_closed_backwards_is_not_signed_again(driver):
    driver.compute(make_grant(BID, 1, period=2)).sign()
    driver.answer(moves.PeriodClosed, 2)
    assert driver.kinds() == [moves.Forget, moves.Wait]
    assert driver.facts[-1].outcome is Outcome.UNKNOWN


def test_results_after_post_by_are_never_signed(driver):
    grant = make_grant(BID)
    driver.run(grant)
    driver.now = grant.lease.post_by
    driver.answer(moves.ResultsComputed, results_of(grant), OUTPUTS)
    assert moves.Submit not in driver.kinds()
    assert driver.facts[-1] == LeaseSettled(grant.key, Outcome.DROPPED)


def test_period_closed_after_post_by_is_never_signed(driver):
    grant = make_grant(BID)
    driver.compute(grant).sign()
    driver.now = grant.lease.post_by
    driver.answer(moves.PeriodClosed, 1)
    assert moves.Submit not in driver.kinds()


def test_resending_stops_at_post_by(driver):
    grant = make_grant(BID)
    driver.compute(grant).sign()
    receipt = driver.step.receipt
    driver.answer(moves.Unreachable, "gone")
    driver.answer(moves.Waited)
    driver.open()
    assert driver.step.receipt == receipt
    driver.answer(moves.Unreachable, "gone")
    driver.now = grant.lease.post_by
    driver.answer(moves.Waited)
    assert driver.facts[-1] == LeaseSettled(grant.key, Outcome.UNKNOWN)


def test_refused_results_that_the_base_shows_are_accepted_after_all(driver):
    first, second = make_grant(BID, 1, (0,)), make_grant(BID, 2, (1,))
    driver.compute(first).sign()
    driver.answer(moves.ResultsRefused, "lease_expired", "too late")
    driver.answer(moves.Waited)
    driver.compute(replace(second, base=base_of(first)))
    assert LeaseSettled(first.key, Outcome.ACCEPTED) in driver.facts
    assert driver.step.receipt.count == 8


def test_refused_results_that_the_base_lacks_stay_out(driver):
    first, second = make_grant(BID, 1, (0,)), make_grant(BID, 2, (1,))
    driver.compute(first).sign()
    driver.answer(moves.ResultsRefused, "lease_fenced", "too late")
    driver.answer(moves.Waited)
    driver.compute(second)
    assert driver.step.receipt.count == 4


def test_task_that_comes_out_differently_than_signed_before_is_not_signed(driver):
    first, again = make_grant(BID, 1, (0,)), make_grant(BID, 2, (0,))
    driver.compute(first).sign()
    driver.answer(moves.ResultsRefused, "lease_fenced", "too late")
    driver.answer(moves.Waited)
    driver.run(again)
    driver.answer(moves.ResultsComputed, results_of(again, 1_001), OUTPUTS)
    assert moves.Submit not in driver.kinds()
    assert moves.Release in driver.kinds()


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (make_grant(BID, 2, (1,)), "does not have span 0"),
        (replace(make_grant(BID, 2, (1,)), base=base_of(make_grant(BID, 1, (0, 2)))), "no results"),
        (replace(make_grant(BID, 2, (1,)), base=base_of(make_grant(BID, 1, (0,)), wu=999)), "count or WU"),
        (replace(make_grant(BID, 2, (0,)), base=base_of(make_grant(BID, 1, (0,)))), "accepted in this period"),
        (replace(make_grant(BID, 1, (1,)), base=base_of(make_grant(BID, 1, (0,)))), "not newer"),
        (
            replace(make_grant(BID, 2, (1,), price_wei_per_gwu=PRICE - 1), base=base_of(make_grant(BID, 1, (0,)))),
            "another price",
        ),
    ],
)
def test_lease_on_a_base_that_contradicts_the_book_is_released(driver, second, reason):
    driver.accept(make_grant(BID, 1, (0,)))
    driver.give(second)
    release = driver.said[0]
    assert isinstance(release, moves.Release)
    assert reason in release.reason


def test_lease_of_a_period_that_is_over_is_released(driver):
    driver.accept(make_grant(BID, 1, (0,), period=2))
    driver.give(make_grant(BID, 2, (1,), period=1))
    assert driver.kinds() == [moves.Release, moves.Wait]


def test_base_without_a_lease_whose_post_by_passed_goes_on_without_it(driver):
    first = make_grant(BID, 1, (0,))
    driver.accept(first)
    driver.now = first.lease.post_by
    times = {"expiry": int(driver.now) + 60, "post_by": int(driver.now) + 120}
    driver.compute(make_grant(BID, 2, (1,), **times))
    assert LeaseSettled(first.key, Outcome.LAPSED) in driver.facts
    assert (driver.step.receipt.count, driver.step.receipt.post_by) == (4, times["post_by"])


def test_base_without_a_period_whose_earliest_post_by_passed_goes_on_without_all_of_it(driver):
    """A receipt is postable until the earliest postBy of its leases: the market lets the whole of it go then."""
    first = make_grant(BID, 1, (0,))
    second = replace(make_grant(BID, 2, (1,), post_by=first.lease.post_by + 500), base=base_of(first))
    driver.accept(first).accept(second)
    driver.now = first.lease.post_by
    times = {"expiry": int(driver.now) + 60, "post_by": int(driver.now) + 120}
    driver.compute(make_grant(BID, 3, (2,), **times))
    assert driver.step.receipt.count == 4
