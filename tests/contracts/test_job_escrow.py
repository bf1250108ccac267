"""JobEscrow: deposits, opening on a signed bid, closing, postings, settlements, spans paid once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import brownie
import pytest

from protocol.messages import Bid, Domain
from tests.contracts.chain import ZERO, Signer, advance, now, reverts, set_next_time
from tests.contracts.conftest import BUYER, POSTING_GRACE_S, PROGRAM_LIMIT_WU, P, bid, deploy_desk, program, struct

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
BOND = 10_000 * P
OPEN, CLOSING, CLOSED = 1, 2, 3


@pytest.fixture(scope="module")
def world(desk: SimpleNamespace, accounts: Any) -> SimpleNamespace:
    """BUYER with 1,000 P in the escrow, two bonded settlers (accounts 8 and 9) and a registered program."""
    buyer = accounts.add(BUYER.key.hex())
    accounts[0].transfer(buyer, 10**18)
    desk.token.transfer(buyer, 2_000 * P, {"from": accounts[0]})
    desk.token.approve(desk.escrow, 1_000 * P, {"from": buyer})
    desk.escrow.deposit(1_000 * P, {"from": buyer})
    for account in accounts[8:10]:
        desk.seats.depositBond(BOND, 20_000, {"from": account})
    tx = desk.registry.register(program(), {"from": accounts[7]})
    return SimpleNamespace(
        **vars(desk),
        buyer=buyer,
        settler=accounts[8],
        rival=accounts[9],
        stranger=accounts[7],
        program_id=bytes(tx.return_value),
    )


def open_bid(world: SimpleNamespace, order: Bid, signature: bytes | None = None, sender: Any = None) -> bytes:
    """Opens a job; the buyer's signature unless another is given."""
    if signature is None:
        signature = order.sign(world.domain, BUYER.key)
    tx = world.escrow.openJob(struct(order), signature, {"from": sender or world.stranger})
    return bytes(tx.return_value)


def an_order(world: SimpleNamespace, **changes: Any) -> Bid:
    return bid(**{"program_id": world.program_id, "settler": world.settler, **changes})


@pytest.fixture
def order(world: SimpleNamespace) -> Bid:
    """A bid that opens."""
    return an_order(world)


@pytest.fixture
def job(world: SimpleNamespace, order: Bid) -> bytes:
    """The job that `order` opened."""
    return open_bid(world, order)


def job_field(world: SimpleNamespace, job_id: bytes, name: str) -> Any:
    return world.escrow.jobOf(job_id).dict()[name]


def debit(world: SimpleNamespace, job_id: bytes, amount: int, settler: Any = None) -> Any:
    return world.escrow.debit(job_id, settler or world.settler, amount, {"from": world.ledger})


def settle(
    world: SimpleNamespace, job_id: bytes, words: list[int], total: int, *payments: tuple[Any, int], bonded: int = 0
) -> Any:
    """Credits the payments; what is bonded goes to the stranger as tokens."""
    accounts, amounts = [account for account, _ in payments], [amount for _, amount in payments]
    payout = (accounts, amounts, world.stranger, bonded)
    return world.escrow.settle(job_id, 0, words, total, payout, {"from": world.ledger})


def held(world: SimpleNamespace, *job_ids: bytes) -> int:
    """What the escrow owes: balances and the jobs' money."""
    owed = sum(world.escrow.balanceOf(account) for account in (world.buyer, world.stranger, world.rival))
    return int(owed + sum(job_field(world, j, "available") + job_field(world, j, "debited") for j in job_ids))


# --- deposits


def test_withdraw_above_the_balance_reverts(world: SimpleNamespace) -> None:
    with reverts("JobEscrow_BalanceTooLow", 1_000 * P, 1_000 * P + 1):
        world.escrow.withdraw(1_000 * P + 1, {"from": world.buyer})
    with reverts("JobEscrow_BalanceTooLow", 0, 1):
        world.escrow.withdraw(1, {"from": world.stranger})


def test_deposit_without_allowance_reverts(world: SimpleNamespace) -> None:
    with reverts("ERC20InsufficientAllowance"):
        world.escrow.deposit(1, {"from": world.buyer})


def test_withdraw_pays_the_buyer(world: SimpleNamespace) -> None:
    world.escrow.withdraw(400 * P, {"from": world.buyer})
    assert world.token.balanceOf(world.buyer) == 1_400 * P
    assert world.token.balanceOf(world.escrow) == held(world) == 600 * P


def permit(world: SimpleNamespace, amount: int) -> tuple[int, int, bytes, bytes]:
    """deadline, v, r, s of BUYER's permit for the escrow."""
    from eth_account import Account

    deadline = now() + 1_000
    types = {
        "Permit": [
            {"name": name, "type": kind}
            for name, kind in (
                ("owner", "address"),
                ("spender", "address"),
                ("value", "uint256"),
                ("nonce", "uint256"),
                ("deadline", "uint256"),
            )
        ]
    }
    domain = {
        "name": "Multitude",
        "version": "1",
        "chainId": world.domain.chain_id,
        "verifyingContract": world.token.address,
    }
    message = {
        "owner": BUYER.address,
        "spender": world.escrow.address,
        "value": amount,
        "nonce": world.token.nonces(BUYER.address),
        "deadline": deadline,
    }
    signed = Account.sign_typed_data(BUYER.key, domain, types, message)
    return deadline, signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


def test_deposit_with_a_bad_permit_and_no_allowance_reverts(world: SimpleNamespace) -> None:
    deadline, v, r, s = permit(world, 5 * P)
    with reverts("JobEscrow_AllowanceTooLow", 0, 6 * P):
        world.escrow.depositWithPermit(6 * P, deadline, v, r, s, {"from": world.buyer})


def test_deposit_with_permit_of_another_reverts(world: SimpleNamespace) -> None:
    with reverts("JobEscrow_AllowanceTooLow"):
        world.escrow.depositWithPermit(5 * P, *permit(world, 5 * P), {"from": world.ledger})


def test_deposit_with_permit_deposits(world: SimpleNamespace) -> None:
    world.escrow.depositWithPermit(5 * P, *permit(world, 5 * P), {"from": world.buyer})
    assert world.escrow.balanceOf(world.buyer) == 1_005 * P


def test_deposit_with_a_permit_sent_by_another_first_falls_back_to_the_allowance(world: SimpleNamespace) -> None:
    signed = permit(world, 5 * P)
    world.token.permit(world.buyer, world.escrow, 5 * P, *signed, {"from": world.stranger})
    world.escrow.depositWithPermit(5 * P, *signed, {"from": world.buyer})
    assert world.escrow.balanceOf(world.buyer) == 1_005 * P


# --- openJob


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"program_id": b"\x09" * 32}, "JobEscrow_UnknownProgram"),
        ({"task_limit_wu": PROGRAM_LIMIT_WU + 1}, "JobEscrow_BadTaskLimit"),
        ({"task_limit_wu": 0}, "JobEscrow_BadTaskLimit"),
        ({"task_count": 0}, "JobEscrow_BadTaskCount"),
        ({"task_count": 2**24 + 1}, "JobEscrow_BadTaskCount"),
        ({"span_tasks": 0}, "JobEscrow_BadSpanTasks"),
        ({"span_tasks": 257}, "JobEscrow_BadSpanTasks"),
        ({"max_output_bytes": (1 << 20) + 1}, "JobEscrow_OutputTooLarge"),
        ({"rate_floor_ppm": 9_999}, "JobEscrow_BadRateFloor"),
        ({"rate_floor_ppm": 1_000_001}, "JobEscrow_BadRateFloor"),
        ({"max_fee_ppm": 30_001}, "JobEscrow_FeeTooHigh"),
        ({"max_fee_ppm": 19_999}, "JobEscrow_FeeTooHigh"),
        ({"deadline": 1_000_000_000}, "JobEscrow_DeadlinePassed"),
        ({"settler": BUYER.address}, "JobEscrow_NotBonded"),
        ({"budget": 1_000 * P + 1}, "JobEscrow_BalanceTooLow"),
        ({"buyer": ZERO}, "JobEscrow_BadSignature"),
    ],
)
def test_open_job_of_a_bad_bid_reverts(world: SimpleNamespace, changes: dict[str, Any], error: str) -> None:
    with reverts(error):
        open_bid(world, an_order(world, **changes))


def test_open_job_with_a_forged_signature_reverts(world: SimpleNamespace, order: Bid) -> None:
    thief = Signer("thief")
    other = an_order(world, budget=99 * P)
    good = order.sign(world.domain, BUYER.key)
    for signature in (order.sign(world.domain, thief.key), other.sign(world.domain, BUYER.key), b"", good[:64]):
        with reverts("JobEscrow_BadSignature", BUYER.address):
            open_bid(world, order, signature)


def test_open_job_with_a_signature_for_elsewhere_reverts(world: SimpleNamespace, order: Bid) -> None:
    chain, escrow = world.domain.chain_id, world.escrow.address
    for domain in (Domain(chain + 1, escrow), Domain(chain, world.vault.address)):
        with reverts("JobEscrow_BadSignature", BUYER.address):
            open_bid(world, order, order.sign(domain, BUYER.key))


def test_open_job_with_a_malleable_signature_reverts(world: SimpleNamespace, order: Bid) -> None:
    good = order.sign(world.domain, BUYER.key)
    high = (ORDER - int.from_bytes(good[32:64], "big")).to_bytes(32, "big")
    with reverts("JobEscrow_BadSignature", BUYER.address):
        open_bid(world, order, good[:32] + high + bytes([55 - good[64]]))


def test_open_job_again_reverts_also_when_it_is_closed(world: SimpleNamespace, order: Bid, job: bytes) -> None:
    with reverts("JobEscrow_AlreadyOpened", job):
        open_bid(world, order)
    world.escrow.cancelJob(job, {"from": world.buyer})
    advance(POSTING_GRACE_S + 1)
    world.escrow.closeJob(job, struct(order), {"from": world.stranger})
    with reverts("JobEscrow_AlreadyOpened", job):
        open_bid(world, order)


def test_open_job_by_an_unbonded_opener_of_a_bid_without_settler_reverts(world: SimpleNamespace) -> None:
    with reverts("JobEscrow_NotBonded", world.stranger):
        open_bid(world, an_order(world, settler=ZERO), sender=world.stranger)


def test_open_job_of_a_contract_that_did_not_agree_reverts(world: SimpleNamespace) -> None:
    wallet = world.stranger.deploy(brownie.ContractBuyer)
    world.token.transfer(wallet, 100 * P, {"from": world.stranger})
    wallet.deposit(world.token, world.escrow, 100 * P, {"from": world.stranger})
    order = an_order(world, buyer=wallet.address)
    with reverts("JobEscrow_BadSignature", wallet):
        open_bid(world, order, b"")
    wallet.approve(order.digest(world.domain), {"from": world.stranger})
    job_id = open_bid(world, order, b"")
    assert job_field(world, job_id, "buyer") == wallet.address


def test_open_job_locks_the_budget_and_fixes_settler_and_fee(world: SimpleNamespace, order: Bid, job: bytes) -> None:
    assert job == order.job_id
    world.seats.depositBond(1, 30_000, {"from": world.settler})
    record = world.escrow.jobOf(job).dict()
    assert (record["buyer"], record["settler"], record["feePpm"]) == (BUYER.address, world.settler.address, 20_000)
    assert (record["phase"], record["period"], record["spansUnpaid"]) == (OPEN, 0, 63)
    assert (record["available"], record["debited"]) == (100 * P, 0)
    assert world.escrow.balanceOf(world.buyer) == 900 * P


def test_open_job_of_a_bid_without_settler_takes_the_opener(world: SimpleNamespace) -> None:
    job_id = open_bid(world, an_order(world, settler=ZERO), sender=world.rival)
    assert job_field(world, job_id, "settler") == world.rival.address


def test_digest_of_is_the_typed_data_digest(world: SimpleNamespace, order: Bid) -> None:
    assert bytes(world.escrow.digestOf(order.struct_hash)) == order.digest(world.domain)


# --- only the ledger


def test_ledger_functions_called_by_anyone_revert(world: SimpleNamespace, job: bytes) -> None:
    for sender in (world.buyer, world.settler, world.panel):
        with reverts("JobEscrow_NotLedger", sender):
            world.escrow.debit(job, world.settler, 1, {"from": sender})
        with reverts("JobEscrow_NotLedger", sender):
            world.escrow.settle(job, 0, [1], 0, ([sender], [0], sender, 0), {"from": sender})
        with reverts("JobEscrow_NotLedger", sender):
            world.escrow.restore(job, 0, {"from": sender})


# --- postings


def test_debit_above_the_jobs_own_budget_reverts(world: SimpleNamespace, job: bytes) -> None:
    other = open_bid(world, an_order(world, salt=b"\x01" * 32))
    debit(world, job, 60 * P)
    with reverts("JobEscrow_BudgetTooLow", 40 * P, 40 * P + 1):
        debit(world, job, 40 * P + 1)
    assert job_field(world, other, "available") == 100 * P


def test_debit_of_an_unknown_job_reverts(world: SimpleNamespace) -> None:
    with reverts("JobEscrow_MayNotPost"):
        debit(world, b"\x09" * 32, 0)
    assert not world.escrow.mayPost(b"\x09" * 32, world.settler)


def test_debit_by_another_settler_while_its_own_posts_reverts(world: SimpleNamespace, job: bytes) -> None:
    advance(POSTING_GRACE_S - 10)
    debit(world, job, 1)
    advance(POSTING_GRACE_S - 10)
    assert not world.escrow.mayPost(job, world.rival)
    with reverts("JobEscrow_MayNotPost", job, world.rival):
        debit(world, job, 1, world.rival)


def test_debit_by_another_settler_after_silence_does_not_end_the_silence(world: SimpleNamespace, job: bytes) -> None:
    advance(POSTING_GRACE_S + 1)
    for _ in range(2):
        assert world.escrow.mayPost(job, world.rival)
        debit(world, job, 1, world.rival)
    assert world.escrow.mayPost(job, world.settler)
    debit(world, job, 1)
    assert not world.escrow.mayPost(job, world.rival)


def test_may_post_needs_a_bond_of_another_settler(world: SimpleNamespace, job: bytes) -> None:
    advance(POSTING_GRACE_S + 1)
    assert not world.escrow.mayPost(job, world.stranger)
    world.seats.requestBondBack(BOND, {"from": world.rival})
    assert not world.escrow.mayPost(job, world.rival)


def test_debit_counts_periods_and_moves_money(world: SimpleNamespace, job: bytes) -> None:
    assert [debit(world, job, 10 * P).return_value for _ in range(3)] == [0, 1, 2]
    assert (job_field(world, job, "available"), job_field(world, job, "debited")) == (70 * P, 30 * P)


# --- settlement


def test_settle_of_a_span_that_is_paid_reverts(world: SimpleNamespace, job: bytes) -> None:
    debit(world, job, 30 * P)
    settle(world, job, [0b0110], 10 * P, (world.stranger, 10 * P))
    for words in ([0b0010], [0b1100], [0b0110]):
        with reverts("JobEscrow_SpanPaid"):
            settle(world, job, words, 10 * P, (world.stranger, 10 * P))
    settle(world, job, [0b1001], 10 * P, (world.stranger, 10 * P))
    assert world.escrow.paidWord(job, 0) == 0b1111
    assert job_field(world, job, "spansUnpaid") == 59


def test_settle_of_a_paid_span_after_a_void_and_by_another_settler_reverts(world: SimpleNamespace, job: bytes) -> None:
    debit(world, job, 10 * P)
    settle(world, job, [1], 10 * P, (world.stranger, P))
    advance(POSTING_GRACE_S + 1)
    debit(world, job, 10 * P, world.rival)
    world.escrow.restore(job, 5 * P, {"from": world.ledger})
    with reverts("JobEscrow_SpanPaid"):
        settle(world, job, [1], 5 * P, (world.stranger, P))


def test_settle_of_more_than_the_debit_reverts(world: SimpleNamespace, job: bytes) -> None:
    debit(world, job, 10 * P)
    with reverts("JobEscrow_PaymentsExceedDebit", 10 * P + 1, 10 * P):
        settle(world, job, [1], 10 * P, (world.stranger, 6 * P), (world.rival, 4 * P + 1))
    with reverts("Integer overflow"):
        settle(world, job, [1], 10 * P + 1, (world.stranger, P))
    with reverts("Integer overflow"):
        world.escrow.restore(job, 10 * P + 1, {"from": world.ledger})


def test_settle_of_more_spans_than_the_job_has_reverts(world: SimpleNamespace, job: bytes) -> None:
    debit(world, job, 10 * P)
    with reverts("Integer overflow"):
        settle(world, job, [2**64 - 1], P)


def test_settle_pays_and_returns_the_rest_to_the_job(world: SimpleNamespace, job: bytes) -> None:
    before = world.token.balanceOf(world.stranger)
    debit(world, job, 10 * P)
    payments = ((world.stranger, 5 * P), (world.rival, 0), (world.stranger, P))
    settle(world, job, [0b11, 1 << 255], 10 * P, *payments, bonded=P)
    assert world.escrow.balanceOf(world.stranger) == 6 * P
    assert world.token.balanceOf(world.stranger) == before + P
    assert (job_field(world, job, "available"), job_field(world, job, "debited")) == (93 * P, 0)
    assert (world.escrow.paidWord(job, 0), world.escrow.paidWord(job, 1)) == (0b11, 1 << 255)
    assert world.token.balanceOf(world.escrow) == held(world, job)


# --- closing


def all_spans_paid(world: SimpleNamespace, job_id: bytes) -> None:
    debit(world, job_id, 10 * P)
    settle(world, job_id, [2**63 - 1], 10 * P, (world.stranger, 4 * P))


def test_close_with_another_bid_reverts(world: SimpleNamespace, job: bytes) -> None:
    with reverts("JobEscrow_WrongBid"):
        world.escrow.closeJob(job, struct(an_order(world, deadline=now())), {"from": world.stranger})


def test_close_before_the_deadline_reverts(world: SimpleNamespace, order: Bid, job: bytes) -> None:
    with reverts("JobEscrow_TooSoon"):
        world.escrow.closeJob(job, struct(order), {"from": world.buyer})


def test_close_within_the_posting_grace_reverts(world: SimpleNamespace, order: Bid, job: bytes) -> None:
    world.escrow.cancelJob(job, {"from": world.buyer})
    set_next_time(job_field(world, job, "closesAt"))
    with reverts("JobEscrow_TooSoon"):
        world.escrow.closeJob(job, struct(order), {"from": world.buyer})


def test_close_and_cancel_of_a_closed_or_unknown_job_revert(world: SimpleNamespace, order: Bid, job: bytes) -> None:
    all_spans_paid(world, job)
    world.escrow.closeJob(job, struct(order), {"from": world.stranger})
    unknown = an_order(world, salt=b"\x01" * 32)
    for known in (order, unknown):
        with reverts("JobEscrow_WrongPhase"):
            world.escrow.closeJob(known.job_id, struct(known), {"from": world.buyer})
        with reverts("JobEscrow_WrongPhase"):
            world.escrow.cancelJob(known.job_id, {"from": world.buyer})


def test_cancel_by_another_or_again_reverts(world: SimpleNamespace, job: bytes) -> None:
    with reverts("JobEscrow_NotBuyer", world.settler, BUYER.address):
        world.escrow.cancelJob(job, {"from": world.settler})
    world.escrow.cancelJob(job, {"from": world.buyer})
    with reverts("JobEscrow_WrongPhase", CLOSING):
        world.escrow.cancelJob(job, {"from": world.buyer})


def test_close_with_every_span_paid_and_a_debit_open_is_not_at_once(
    world: SimpleNamespace, order: Bid, job: bytes
) -> None:
    debit(world, job, P)
    all_spans_paid(world, job)
    with reverts("JobEscrow_TooSoon"):
        world.escrow.closeJob(job, struct(order), {"from": world.buyer})
    world.escrow.restore(job, P, {"from": world.ledger})
    world.escrow.closeJob(job, struct(order), {"from": world.buyer})
    assert world.escrow.balanceOf(world.buyer) == 996 * P


def test_close_with_every_span_paid_refunds_at_once(world: SimpleNamespace, order: Bid, job: bytes) -> None:
    all_spans_paid(world, job)
    tx = world.escrow.closeJob(job, struct(order), {"from": world.stranger})
    assert tx.events["JobClosed"]["refunded"] == 96 * P
    assert job_field(world, job, "phase") == CLOSED
    assert world.token.balanceOf(world.escrow) == held(world, job) == 1_000 * P


def test_debit_by_another_settler_at_once_after_a_cancel_reverts(world: SimpleNamespace, job: bytes) -> None:
    """Else a buyer keeps work and money: it cancels and lets a settler of its own debit the budget with nonsense."""
    advance(POSTING_GRACE_S + 1)  # also where the job's own settler had nothing to post for long
    world.escrow.cancelJob(job, {"from": world.buyer})
    assert not world.escrow.mayPost(job, world.rival)
    with reverts("JobEscrow_MayNotPost", job, world.rival):
        debit(world, job, 100 * P, world.rival)
    debit(world, job, 100 * P)


def test_both_settlers_may_post_in_the_second_half_of_a_cancelled_job_s_grace(
    world: SimpleNamespace, job: bytes
) -> None:
    world.escrow.cancelJob(job, {"from": world.buyer})
    advance(POSTING_GRACE_S // 2 + 1)
    for settler in (world.settler, world.rival):
        assert world.escrow.mayPost(job, settler)
        debit(world, job, P, settler)


def test_nobody_may_post_once_the_grace_is_over(world: SimpleNamespace, order: Bid, job: bytes) -> None:
    world.escrow.cancelJob(job, {"from": world.buyer})
    advance(POSTING_GRACE_S + 1)
    for settler in (world.settler, world.rival):
        assert not world.escrow.mayPost(job, settler)
        with reverts("JobEscrow_MayNotPost"):
            debit(world, job, P, settler)
    world.escrow.closeJob(job, struct(order), {"from": world.stranger})
    with reverts("JobEscrow_MayNotPost"):
        debit(world, job, 0)


def test_close_past_the_deadline_starts_the_grace_and_then_refunds(
    world: SimpleNamespace, order: Bid, job: bytes
) -> None:
    debit(world, job, 30 * P)
    advance(3_601)
    world.escrow.closeJob(job, struct(order), {"from": world.stranger})
    assert job_field(world, job, "phase") == CLOSING
    debit(world, job, 10 * P)
    advance(POSTING_GRACE_S + 1)
    world.escrow.closeJob(job, struct(order), {"from": world.stranger})
    assert world.escrow.balanceOf(world.buyer) == 960 * P


def test_what_returns_after_closing_goes_to_the_buyer(world: SimpleNamespace, order: Bid, job: bytes) -> None:
    debit(world, job, 30 * P)
    world.escrow.cancelJob(job, {"from": world.buyer})
    advance(POSTING_GRACE_S + 1)
    world.escrow.closeJob(job, struct(order), {"from": world.stranger})
    settle(world, job, [1], 10 * P, (world.stranger, 4 * P))
    world.escrow.restore(job, 20 * P, {"from": world.ledger})
    assert (job_field(world, job, "available"), job_field(world, job, "debited")) == (0, 0)
    assert world.escrow.balanceOf(world.buyer) == 996 * P == world.token.balanceOf(world.escrow) - 4 * P


# --- a hostile token


@pytest.fixture
def hostile(accounts: Any) -> SimpleNamespace:
    """A desk around a token that calls back; the token itself holds 100 in the escrow, account 0 another 100."""
    token = accounts[0].deploy(brownie.HostileToken)
    contracts = deploy_desk(accounts, token)
    token.transfer(token, 100, {"from": accounts[0]})
    token.act(token, token.approve.encode_input(contracts.escrow, 100), {"from": accounts[0]})
    token.act(contracts.escrow, contracts.escrow.deposit.encode_input(100), {"from": accounts[0]})
    token.approve(contracts.escrow, 100, {"from": accounts[0]})
    contracts.escrow.deposit(100, {"from": accounts[0]})
    return contracts


def test_withdraw_reentered_pays_once(hostile: SimpleNamespace) -> None:
    token, escrow = hostile.token, hostile.escrow
    data = escrow.withdraw.encode_input(100)
    token.arm(escrow, data, {"from": hostile.deployer})
    token.act(escrow, data, {"from": hostile.deployer})
    assert token.attempts() == 1
    assert not token.reentered()
    assert token.balanceOf(escrow) == 100


def test_withdraw_reentered_within_the_balance_pays_what_is_owed(hostile: SimpleNamespace) -> None:
    token, escrow = hostile.token, hostile.escrow
    data = escrow.withdraw.encode_input(50)
    token.arm(escrow, data, {"from": hostile.deployer})
    token.act(escrow, data, {"from": hostile.deployer})
    assert token.reentered()
    assert escrow.balanceOf(token) == 0
    assert token.balanceOf(escrow) == 100
