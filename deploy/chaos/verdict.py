"""What must hold when the jobs of some cells are over: asked of the chain and blobs, every outbox, every queue."""

import time
from collections.abc import Sequence

import redis

from chain.accounting import holdings
from deploy.chaos.ground import AWAY, Ground, Submitted
from deploy.chaos.trial import Trial
from deploy.local.mainjob import measure
from deploy.local.mainjob.play import TookTooLong
from deploy.local.supervisor import SupervisorError

PAID_TIMEOUT_S = 300.0
QUIET_TIMEOUT_S = 90.0
UNSETTLED = ("queued", "sent", "mined")


def settle(ground: Ground, trials: Sequence[Trial]) -> None:
    """Waits until every job is paid and notes how long each took and what is wrong with it."""
    for trial in trials:
        for submitted in trial.jobs:
            try:
                _settle_job(ground, trial, submitted)
            except (*AWAY, TookTooLong, SupervisorError) as error:
                trial.faults.append(f"{type(error).__name__}: {error}")


def _settle_job(ground: Ground, trial: Trial, submitted: Submitted) -> None:
    job = submitted.job
    try:
        ground.wait_for(lambda: ground.is_closed(job), PAID_TIMEOUT_S, f"{job.job_id} to be paid")
    except TookTooLong as error:
        raise TookTooLong(f"{error}; its spans are {_where(ground, submitted)}") from None
    if trial.killed_at is not None:
        trial.paid_s = round(max(trial.paid_s or 0.0, ground.closed_at(job) - trial.killed_at), 1)
    trial.faults += faults_of_job(ground, submitted)


def _where(ground: Ground, submitted: Submitted) -> str:
    try:
        return str(dict(ground.spans(submitted).spans))
    except AWAY as error:
        return str(error)


def faults_of_job(ground: Ground, submitted: Submitted) -> list[str]:
    """What is wrong with one job that is closed: each task is paid once, with the reference's output."""
    record = measure.Record(ground.play.client, submitted.job.bid, ground.play.buyer.api.get_blob)
    settled = record.settled()  # refuses a task that was settled twice
    expected = [ground.play.work.expected[image] for image in submitted.images]
    found = measure.find(record, ground.play.cast, settled, expected)
    paid = sum(leaf.data.receipt.count for leaf in record.leaves if leaf.money)
    faults = [f"{len(found.wrong_outputs)} outputs differ from the reference"] if found.wrong_outputs else []
    faults += [f"{len(found.unsettled)} tasks were not paid"] if found.unsettled else []
    if paid != submitted.job.bid.task_count:
        faults.append(f"{paid} tasks were paid, not {submitted.job.bid.task_count}")
    return faults


def faults_of_ground(ground: Ground, some: Submitted) -> list[str]:
    """What is wrong with the network once all its jobs are closed; `some` is any of them."""
    try:
        return [*_faults_of_money(ground, some), *_faults_of_rest(ground)]
    except AWAY as error:
        return [f"{type(error).__name__}: {error}"]


def _faults_of_money(ground: Ground, some: Submitted) -> list[str]:
    record = measure.Record(ground.play.client, some.job.bid, ground.play.buyer.api.get_blob)
    lost = measure.find(record, ground.play.cast, [], []).honest_losses
    held = [line for line in holdings(ground.play.client) if not line.holds]
    return [f"an honest party lost: {loss}" for loss in lost] + [f"not conserved: {line}" for line in held]


def _faults_of_rest(ground: Ground) -> list[str]:
    """Waits for outboxes and queues to run dry; what is left then."""
    start = time.monotonic()
    while (left := leftovers(ground)) and time.monotonic() - start < QUIET_TIMEOUT_S:
        time.sleep(0.2)
    return left


def leftovers(ground: Ground) -> list[str]:
    """Work that nobody has finished: transactions, leases, receipts, replays, messages."""
    left = []
    for name in ("market", *ground.verifiers):
        rows = ground.sql(name, "select purpose, ident, state from outbox where state = any(%s)", list(UNSETTLED))
        left += [f"outbox of {name}: {' '.join(row)}" for row in rows]
    for question, what in (
        ("select count(*) from leases where state = 'live'", "leases are live"),
        ("select count(*) from receipts where state in ('accepted', 'posting', 'committed')", "receipts are unpaid"),
        ("select count(*) from spans where state <> 'final'", "spans are not final"),
        ("select count(*) from jobs where state <> 'closed'", "jobs are not closed"),
    ):
        count = ground.sql("market", question)[0][0]
        left += [f"{count} {what}"] if count else []
    return left + _messages(ground)


def _messages(ground: Ground) -> list[str]:
    """What a killed replayer had taken is not asked about: its agent has queued it again since."""
    left = []
    for number, queue in enumerate(["market", *["replay"] * len(ground.verifiers)]):
        with redis.Redis.from_url(ground.network.valkey.url(number)) as broker:
            waiting, taken = broker.llen(queue), 0 if number else broker.hlen("unacked")
        left += [f"broker {number}: {waiting} messages wait, {taken} are not acknowledged"] if waiting or taken else []
    return left
