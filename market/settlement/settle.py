"""The settlement tick: pushes every epoch and job of this settler to its end, one wanted call at a time."""

from collections.abc import Sequence

import structlog
from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from market import events
from market.context import Context
from market.jobs.ending import refuse
from market.jobs.models import Job, JobState, Span, SpanState
from market.leases.models import Receipt, Result
from market.programs.models import Program
from market.sessions.models import Device
from market.settlement.build import take_back
from market.settlement.gateway import Call, EpochFacts
from market.settlement.models import ON_CHAIN, Epoch, EpochEntry, EpochLeaf, EpochState, LeafState, Verdict
from market.settlement.trees import EntryTree, head_from_json, verdicts_of
from protocol.encoding import from_hex
from protocol.sampling import drawn_tasks, seats_of_leaf
from protocol.verdicts import Verdict as Vote
from protocol.verdicts import Verdicts

log = structlog.get_logger(__name__)

SEEDED = (EpochState.SEEDED, EpochState.COMMITTING, EpochState.REVEALING, EpochState.WINDOW, EpochState.FINAL)
JUDGED = (EpochState.WINDOW, EpochState.FINAL)


def tick(context: Context) -> None:
    """Looks at every epoch and job that is not at its end; each in its own transaction."""
    for key in _unposted_epochs(context):
        with context.transaction() as session:
            _check_posting(context, session, session.get_one(Epoch, key, with_for_update=True))
    for key in _running_epochs(context):
        with context.transaction() as session:
            push_epoch(context, session, session.get_one(Epoch, key, with_for_update=True))
    for job_id in _unsettled_jobs(context):
        with context.transaction() as session:
            push_job(context, session, session.get_one(Job, job_id, with_for_update=True))
    with context.transaction() as session:
        _check_programs(context, session)


def want(context: Context, session: Session, call: Call) -> bool:
    """Queues a call that would pass now and is neither under way nor done; True when it was queued."""
    outcome = context.chain.outcome(session, call.purpose, call.ident)
    if outcome is not None and not outcome.failed:
        return False
    reason = context.chain.dry_run(call)
    if reason is not None:
        log.info("call_waits", purpose=call.purpose, ident=call.ident, reason=reason)
        return False
    if outcome is None:
        context.chain.enqueue(session, call)
    else:
        context.chain.retry(session, call)
    log.info("call_queued", purpose=call.purpose, ident=call.ident)
    return True


# --- epochs


def _unposted_epochs(context: Context) -> Sequence[int]:
    with context.sessions() as session:
        return session.scalars(select(Epoch.id).where(Epoch.state == EpochState.POSTING).order_by(Epoch.id)).all()


def _running_epochs(context: Context) -> Sequence[int]:
    with context.sessions() as session:
        return session.scalars(select(Epoch.id).where(Epoch.state.in_(ON_CHAIN)).order_by(Epoch.id)).all()


def _check_posting(context: Context, session: Session, epoch: Epoch) -> None:
    """A posting that failed gives its receipts back."""
    outcome = context.chain.outcome(session, "post_epoch", str(epoch.id))
    if outcome is not None and outcome.failed and epoch.epoch_id is None:
        log.error("posting_failed", epoch=epoch.id, reason=outcome.error)
        epoch.error = outcome.error
        take_back(session, epoch, EpochState.FAILED)


def push_epoch(context: Context, session: Session, epoch: Epoch) -> None:
    """Moves one posted epoch on as far as it can go now."""
    if epoch.epoch_id is None or epoch.head is None or epoch.state not in ON_CHAIN:
        return
    facts = context.chain.epoch(epoch.epoch_id)
    _note_phase(session, epoch, facts)
    if facts.phase == EpochState.POSTED:
        call = Call("draw_seed", str(epoch.epoch_id), "Attestations", "drawSeed", (epoch.epoch_id,), attempts=3)
        want(context, session, call)
    elif facts.phase == EpochState.VOID:
        head = head_from_json(epoch.head)
        want(
            context,
            session,
            Call("void_epoch", str(epoch.epoch_id), "EpochLedger", "voidEpoch", (epoch.epoch_id, head)),
        )
    if epoch.seed is not None and facts.phase in SEEDED:
        draw(context, session, epoch)
    for tree in _trees(session, epoch):
        _push_entry(context, session, epoch, tree, facts)


def _note_phase(session: Session, epoch: Epoch, facts: EpochFacts) -> None:
    epoch.final_at = facts.final_at
    if facts.phase == epoch.state or facts.phase not in ON_CHAIN:
        return
    epoch.state = EpochState(facts.phase)
    jobs = session.scalars(select(EpochEntry.job_id).where(EpochEntry.epoch == epoch.id)).all()
    for job_id in jobs:
        events.record(session, job_id, "epoch.state", epoch=epoch.epoch_id, state=facts.phase)


def _trees(session: Session, epoch: Epoch) -> list[EntryTree]:
    """The trees of entries with leaves that are not settled."""
    query = (
        select(EpochLeaf.entry_index)
        .where(EpochLeaf.epoch == epoch.id, EpochLeaf.state == LeafState.COMMITTED)
        .distinct()
        .order_by(EpochLeaf.entry_index)
    )
    return [EntryTree.load(session, epoch, index) for index in session.scalars(query).all()]


def draw(context: Context, session: Session, epoch: Epoch) -> None:
    """Works out, once for each epoch, the seats of its leaves and the tasks that are replayed."""
    leaves = session.scalars(select(EpochLeaf).where(EpochLeaf.epoch == epoch.id, EpochLeaf.seats.is_(None))).all()
    if not leaves:
        return
    assert epoch.head is not None
    assert epoch.seed is not None
    head, seed = head_from_json(epoch.head), from_hex(epoch.seed, 32)
    seats = context.chain.seats(head.snapshot)
    for leaf in leaves:
        device = session.get_one(Device, leaf.device)
        found = seats_of_leaf(seed, from_hex(leaf.leaf_hash, 32), seats, device.owner or "")
        leaf.seats = [seats[index].verifier for index in found]
        leaf.stake = context.chain.stake_at(leaf.device, head.post_block)
        tasks = _draw_tasks(session, leaf, seed)
        leaf.drawn = None if tasks is None else len(tasks)
        ranges = events.merged((task, task + 1) for task in tasks or ())
        events.record_tasks(session, leaf.job_id, "drawn", ranges, epoch=epoch.epoch_id, device=leaf.device)


def _draw_tasks(session: Session, leaf: EpochLeaf, seed: bytes) -> list[int] | None:
    """Marks the results of a leaf as drawn or undrawn; the drawn tasks, None where they are forgotten already."""
    receipt = session.get_one(Receipt, leaf.receipt_id)
    rows = session.scalars(select(Result).where(Result.receipt_id == receipt.id).order_by(Result.task)).all()
    if len(rows) != receipt.count:
        return None
    floor = session.get_one(Job, leaf.job_id).bid.rate_floor_ppm
    drawn = drawn_tasks(seed, receipt.message, [row.wu for row in rows], leaf.stake or 0, floor)
    tasks = [rows[position].task for position in drawn]
    session.execute(update(Result).where(Result.receipt_id == receipt.id).values(drawn=False))
    session.execute(update(Result).where(Result.receipt_id == receipt.id, Result.task.in_(tasks)).values(drawn=True))
    return tasks


def _push_entry(context: Context, session: Session, epoch: Epoch, tree: EntryTree, facts: EpochFacts) -> None:
    left = [leaf for leaf in tree.leaves if leaf.state == LeafState.COMMITTED]
    devices = {leaf.device: session.get_one(Device, leaf.device) for leaf in left}
    for leaf in left:
        if devices[leaf.device].convicted or facts.voided_leaves >> leaf.leaf_number & 1:
            _want_void(context, session, tree, leaf)
    left = [leaf for leaf in left if not devices[leaf.device].convicted]
    if facts.phase in JUDGED:
        for leaf in left:
            if not _is_left_to_a_challenge(session, tree.epoch_id, leaf, devices[leaf.device], facts):
                _judge(context, session, tree, leaf)
    if facts.phase == EpochState.FINAL:
        able = [leaf for leaf in left if leaf.attested and not devices[leaf.device].open_games]
        _want_claim(context, session, tree, [leaf for leaf in able if not facts.voided_leaves >> leaf.leaf_number & 1])
        _want_return(context, session, epoch, tree)


def _want_void(context: Context, session: Session, tree: EntryTree, leaf: EpochLeaf) -> None:
    ident = f"{tree.epoch_id}.{leaf.leaf_number}"
    want(context, session, Call("void_leaf", ident, "EpochLedger", "voidLeaf", (tree.leaf_ref(leaf),)))


def _is_left_to_a_challenge(
    session: Session, epoch_id: int, leaf: EpochLeaf, device: Device, facts: EpochFacts
) -> bool:
    """True while a challenge decides, or may, on a leaf of a staked device that a seat called wrong.

    A redraw would void the leaf before the conviction, and the settler's bond would pay for it.
    """
    if leaf.redraws or not leaf.stake or not is_accused(session, epoch_id, leaf):
        return False
    return facts.phase == EpochState.WINDOW or bool(device.open_games)


def _judge(context: Context, session: Session, tree: EntryTree, leaf: EpochLeaf) -> None:
    """Notes whether the leaf's own seats attested it; where they did not, asks for a redraw and settles it."""
    if leaf.redraws == 0 and leaf.seats is not None:
        if is_attested(session, tree.epoch_id, leaf):
            note_attested(session, tree.epoch_id, leaf)
        else:
            leaf.attested = False
            verdicts = verdicts_of(session, tree.epoch_id, set(leaf.seats))
            ident = f"{tree.epoch_id}.{leaf.leaf_number}"
            want(context, session, Call("redraw", ident, "Attestations", "redraw", (tree.leaf_ref(leaf), verdicts)))
    elif leaf.redraw_open:
        ident = f"{tree.epoch_id}.{leaf.leaf_number}.{leaf.redraws}"
        want(context, session, Call("settle_redraw", ident, "Attestations", "settleRedraw", (tree.leaf_ref(leaf),)))


def note_attested(session: Session, epoch_id: int, leaf: EpochLeaf) -> None:
    """The leaf's seats, or a redraw, found it right: told once."""
    if leaf.attested:
        return
    leaf.attested = True
    spans = session.get_one(Receipt, leaf.receipt_id).spans
    events.record_spans(session, leaf.job_id, "attested", spans, epoch=epoch_id, device=leaf.device)


def is_accused(session: Session, epoch_id: int, leaf: EpochLeaf) -> bool:
    """True when a drawn seat revealed "wrong"."""
    seats = leaf.seats or []
    said = session.scalars(select(Verdict.packed).where(Verdict.epoch_id == epoch_id, Verdict.verifier.in_(seats)))
    return any(int(packed, 16) >> (2 * leaf.leaf_number) & 3 == Vote.WRONG for packed in said)


def is_attested(session: Session, epoch_id: int, leaf: EpochLeaf) -> bool:
    """True when every drawn seat revealed "right", with equal digests."""
    seats = leaf.seats or []
    rows = session.scalars(select(Verdict).where(Verdict.epoch_id == epoch_id, Verdict.verifier.in_(seats))).all()
    if not seats or len(rows) != len(set(seats)):
        return False
    digests = set()
    for row in rows:
        said = Verdicts(int(row.packed, 16), tuple(from_hex(digest, 32) for digest in row.digests))
        if said.by_leaf.get(leaf.leaf_number) != Vote.RIGHT:
            return False
        digests.add(said.digest_of(leaf.leaf_number))
    return len(digests) == 1


# --- claims


def _want_claim(context: Context, session: Session, tree: EntryTree, leaves: Sequence[EpochLeaf]) -> None:
    """Claims all leaves of an entry in one call; where that would revert, one by one, so that none holds up another."""
    leaves = [leaf for leaf in leaves if _claim_is_free(context, session, leaf)]
    if not leaves or _claim(context, session, tree, leaves) or len(leaves) == 1:
        return
    for leaf in leaves:
        _claim(context, session, tree, [leaf])


def _claim_is_free(context: Context, session: Session, leaf: EpochLeaf) -> bool:
    if leaf.claim_ident is None:
        return True
    outcome = context.chain.outcome(session, "claim", leaf.claim_ident)
    return outcome is None or outcome.failed


def _claim(context: Context, session: Session, tree: EntryTree, leaves: Sequence[EpochLeaf]) -> bool:
    call = claim_call(session, tree, leaves)
    if not want(context, session, call):
        return False
    for leaf in leaves:
        leaf.claim_ident = call.ident
    return True


def claim_call(session: Session, tree: EntryTree, leaves: Sequence[EpochLeaf]) -> Call:
    """The claim of some leaves of an entry, named by their bitmap."""
    bid = session.get_one(Job, leaves[0].job_id).bid
    seats = {seat for leaf in leaves for seat in leaf.seats or ()}
    verdicts = verdicts_of(session, tree.epoch_id, seats)
    bitmap = sum(1 << leaf.leaf_index for leaf in leaves)
    ident = f"{tree.epoch_id}.{tree.entry_index}.{bitmap:x}"
    args = (tree.epoch_id, tree.head, tree.entry_index, bid, tree.claimed(leaves), verdicts)
    return Call("claim", ident, "EpochLedger", "claim", args)


def _want_return(context: Context, session: Session, epoch: Epoch, tree: EntryTree) -> None:
    if epoch.final_at is None or context.chain.head().timestamp < epoch.final_at + context.clock("claim"):
        return
    ident = f"{tree.epoch_id}.{tree.entry_index}"
    args = (tree.epoch_id, tree.head, tree.entry_index)
    want(context, session, Call("return_unclaimed", ident, "EpochLedger", "returnUnclaimed", args))


# --- jobs and programs


def _unsettled_jobs(context: Context) -> Sequence[str]:
    """Jobs that are opening, closing, past their deadline, or with every span paid."""
    unpaid = exists().where(Span.job_id == Job.job_id, Span.state != SpanState.FINAL)
    deadline = Job.bid_json["deadline"].as_integer()
    query = select(Job.job_id).where(
        (Job.state == JobState.OPENING)
        | (Job.state == JobState.CLOSING)
        | ((Job.state == JobState.OPEN) & (~unpaid | (deadline < int(context.now()))))
    )
    with context.sessions() as session:
        return session.scalars(query).all()


def push_job(context: Context, session: Session, job: Job) -> None:
    """Notes what the chain would not open; closes what is paid, past its deadline, or past its grace."""
    if job.state == JobState.OPENING:
        outcome = context.chain.outcome(session, "open_job", job.job_id)
        if outcome is not None and outcome.failed:
            refuse(context, session, job, outcome.error or "")
        return
    facts = context.chain.job(job.id_bytes)
    paid = facts.spans_unpaid == 0 and facts.debited == 0
    # A close that a reorganisation moved before the claims it was for has only started the closing: there is one more.
    stage = f"paid.{facts.phase}" if paid else "grace" if facts.phase == "closing" else "deadline"
    if facts.phase in ("open", "closing"):
        want(
            context,
            session,
            Call("close_job", f"{job.job_id}.{stage}", "JobEscrow", "closeJob", (job.id_bytes, job.bid)),
        )


def _check_programs(context: Context, session: Session) -> None:
    """A registration that failed may be one that somebody else made."""
    for row in session.scalars(select(Program).where(Program.state == "registering")):
        outcome = context.chain.outcome(session, "register_program", row.program_id)
        if outcome is None or not outcome.failed:
            continue
        standing = context.chain.program(from_hex(row.program_id, 32))
        if standing.registered:
            row.state, row.attested = "registered", standing.attested
