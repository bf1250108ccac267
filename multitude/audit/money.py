"""Where an epoch's money went, against the rules of docs/protocol.md section 5. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chain.codec import Event
from multitude.audit.evidence import Evidence, Leaf
from multitude.audit.facts import BallotOutcome, EpochFacts, EpochState, GameState, position_of
from multitude.audit.findings import Finding, agrees, compared, differs, disagrees, shown, unknown
from multitude.audit.judgement import Runs, attestors, draw_of, games_of, judge, redraws_of
from protocol.errors import ProtocolError
from protocol.money import LeafMoney, leaf_money, shares_of
from protocol.verdicts import Verdict

_PARTS = ("amount", "fee", "deduction", "surcharge", "paid", "bonded")
_MOVES = ("Transfer", "Bonded")


@dataclass
class ClaimCall:
    """One call of `claim`: the leaves that it paid, and everything that it moved, in wei."""

    claims: list[Event]
    settled: Event | None = None
    moves: list[Event] = field(default_factory=list)

    def moved(self, name: str, account: str, **arguments: object) -> Counter[str]:
        """Wei by account of the moves of that name."""
        found: Counter[str] = Counter()
        for event in self.moves:
            if event.name == name and all(event.args[key] == value for key, value in arguments.items()):
                found[str(event.args[account])] += int(event.args.get("amount", event.args.get("value", 0)))
        return found


def claim_calls(events: Iterable[Event], epoch_id: int) -> list[ClaimCall]:
    """The calls that claimed leaves of an epoch. In the log come the claims, the settlement, what it moved."""
    calls: list[ClaimCall] = []
    current: ClaimCall | None = None
    for event in events:
        if event.name == "Claimed" and event.args["epochId"] == epoch_id:
            if current is None or current.settled is not None or current.claims[0].tx_hash != event.tx_hash:
                current = ClaimCall([])
                calls.append(current)
            current.claims.append(event)
        elif current is not None and event.name == "JobSettled" and current.settled is None:
            current.settled = event
        elif current is not None and current.settled is not None and event.name in _MOVES:
            current.moves.append(event)
        else:
            current = None
    return calls


def check_money(
    facts: EpochFacts, evidence: Evidence, runs: Runs | None, addresses: Mapping[str, str]
) -> Iterator[Finding]:
    """Claims, voids and what is left; `addresses` are the contracts'."""
    leaves = {(leaf.bid.job_id, leaf.digest): leaf for leaf in reversed(list(evidence.leaves.values()))}
    for call in claim_calls(facts.log.events, facts.epoch_id):
        yield from _check_call(facts, call, leaves, runs, addresses)
    yield from _check_voids(facts, leaves)
    yield from _check_outstanding(facts, leaves)


# --- claims


def _check_call(
    facts: EpochFacts,
    call: ClaimCall,
    leaves: Mapping[tuple[bytes, bytes], Leaf],
    runs: Runs | None,
    addresses: Mapping[str, str],
) -> Iterator[Finding]:
    expected = _Expected()
    for event in call.claims:
        leaf = leaves.get((event.args["jobId"], event.args["receiptDigest"]))
        if leaf is None:
            expected.whole = False
            yield _unseen_claim(event, leaves)
            continue
        try:
            yield _check_claim(facts, event, leaf, runs, expected)
        except ProtocolError as error:
            expected.whole = False
            yield disagrees(f"claim of leaf {leaf.number}", f"no rule pays it: {error.reason}")
    if expected.whole and call.settled is not None:
        yield _check_moves(call, call.settled, expected, addresses)


def _unseen_claim(event: Event, leaves: Mapping[tuple[bytes, bytes], Leaf]) -> Finding:
    topic = f"claim of receipt {shown(event.args['receiptDigest'])}"
    return (
        disagrees(topic, "paid, and not in the epoch's data") if leaves else unknown(topic, "no data to compare with")
    )


@dataclass
class _Expected:
    """What a call should have moved, by account; `whole` while every leaf of it is known."""

    whole: bool = True
    debit: int = 0
    spent: int = 0
    credits: Counter[str] = field(default_factory=Counter)
    bonded: Counter[str] = field(default_factory=Counter)

    def add(self, leaf: Leaf, money: LeafMoney, poster: str, owner: str, paid_seats: Sequence[str]) -> None:
        self.debit += money.debit
        self.spent += money.spent
        self.credits[poster] += money.fee
        for verifier, share in zip(paid_seats, shares_of(money.verification, len(paid_seats)), strict=True):
            self.credits[verifier] += share
        self.credits[owner] += money.paid
        self.bonded[leaf.device] += money.bonded


def _check_claim(
    facts: EpochFacts,
    event: Event,
    leaf: Leaf,
    runs: Runs | None,
    expected: _Expected,
) -> Finding:
    receipt = leaf.place.leaf.receipt
    owner = facts.log.owner_of(leaf.device) or ""
    stake_then = facts.stakes.get(leaf.device, 0)
    money = leaf_money(
        receipt, leaf.bid, leaf.job.fee_ppm, stake_then, facts.log.stake_before(leaf.device, position_of(event))
    )
    if any(ballot.seats is None for ballot in redraws_of(facts, leaf)):
        expected.whole = False
        return unknown(f"claim of leaf {leaf.number}", "the node lacks the block that drew the seats of its redraw")
    paid_seats = attestors(facts, leaf, draw_of(facts, leaf))
    wrong = _why_not_payable(facts, event, leaf, runs)
    if paid_seats is None:
        expected.whole = False
        wrong.append("it is not attested")
    else:
        expected.add(leaf, money, facts.head.settler, owner, paid_seats)
    for part in _PARTS:
        wrong += differs(part, event.args["money"][part], getattr(money, part))
    parts = ", ".join(f"{part} {getattr(money, part)}" for part in _PARTS)
    return compared(f"claim of leaf {leaf.number}", f"{parts} wei; attested by {shown(paid_seats or ())}", wrong)


def _why_not_payable(facts: EpochFacts, event: Event, leaf: Leaf, runs: Runs | None) -> list[str]:
    wrong = []
    judgement = judge(facts, leaf, runs)
    if judgement.verdict in (Verdict.WRONG, Verdict.UNAVAILABLE):
        wrong.append(f"paid, though it is {judgement.verdict.name.lower()}: {judgement.why}")
    if leaf.job.settler not in (facts.head.settler, leaf.lessor):
        wrong.append("another settler posted it without leases of the job's")
    receipt = leaf.place.leaf.receipt
    if receipt.post_by < facts.head.posted_at:
        wrong.append("it was posted after its postBy")
    if receipt.period > facts.head.periods[leaf.place.entry_index]:
        wrong.append("its period had not begun")
    if facts.stakes.get(leaf.device, 0) < leaf.bid.min_stake:
        wrong.append("the device's stake was below the bid's minimum")
    convicted = facts.log.first("Convicted", device=leaf.device)
    if convicted is not None and position_of(convicted) < position_of(event):
        wrong.append("its device was convicted before")
    return wrong


def _check_moves(call: ClaimCall, settled: Event, expected: _Expected, addresses: Mapping[str, str]) -> Finding:
    credited: Counter[str] = Counter()
    for account, amount in zip(settled.args["accounts"], settled.args["amounts"], strict=True):
        credited[account] += amount
    sent = call.moved("Transfer", "to", **{"from": addresses.get("JobEscrow")})
    to_vault = Counter({addresses.get("StakeVault", "StakeVault"): expected.bonded.total()})
    wrong = differs("the debit that ended", settled.args["debit"], expected.debit)
    wrong += differs("what the buyer spent", settled.args["spent"], expected.spent)
    wrong += _by_account("transferred", sent, to_vault)
    wrong += _by_account("credited", credited, expected.credits)
    wrong += _by_account("bonded", call.moved("Bonded", "device"), expected.bonded)
    spent = f"{expected.spent} of {expected.debit} wei spent on {len(call.claims)} leaves"
    return compared(f"payment in block {settled.block_number}", f"{spent}: transfers, credits and bonds", wrong)


def _by_account(what: str, said: Counter[str], found: Counter[str]) -> list[str]:
    accounts = sorted(said.keys() | found.keys())
    return [line for account in accounts for line in differs(f"{what} to {account}", said[account], found[account])]


# --- what is not claimed


def _check_voids(facts: EpochFacts, leaves: Mapping[tuple[bytes, bytes], Leaf]) -> Iterator[Finding]:
    for event in facts.log.named("LeafVoided", epochId=facts.epoch_id):
        leaf = leaves.get((event.args["jobId"], event.args["receiptDigest"]))
        if leaf is None:
            topic = f"void of receipt {shown(event.args['receiptDigest'])}"
            yield unknown(topic, "no data to compare with")
            continue
        reason = _void_reason(facts, event, leaf)
        wrong = differs("the debit that returned", event.args["debit"], leaf.debit)
        wrong += [] if reason else ["neither a redraw nor a hung game nor a conviction voided it"]
        yield compared(f"void of leaf {leaf.number}", f"{leaf.debit} wei returned: {reason}", wrong)


def _void_reason(facts: EpochFacts, event: Event, leaf: Leaf) -> str:
    convicted = facts.log.first("Convicted", device=leaf.device)
    if convicted is not None and position_of(convicted) < position_of(event):
        return "its device is convicted"
    redraws = redraws_of(facts, leaf)
    if redraws and redraws[-1].seats is None:
        return "a redraw whose seats cannot be recomputed"
    if redraws and redraws[-1].outcome != Verdict.RIGHT:
        return f"its redraw ended {BallotOutcome(redraws[-1].outcome or BallotOutcome.HUNG).name.lower()}"
    for game in games_of(facts, leaf.number):
        if facts.log.first("ChallengeResolved", gameId=game.args["gameId"], outcome=int(GameState.HUNG)):
            return "its challenge hung"
    return ""


def _check_outstanding(facts: EpochFacts, leaves: Mapping[tuple[bytes, bytes], Leaf]) -> Iterator[Finding]:
    voided = facts.log.first("EpochVoided", epochId=facts.epoch_id) is not None
    for index, entry in enumerate(facts.head.entries):
        topic, said = f"rest of entry {index}", facts.outstanding[index]
        returned = facts.log.first("Returned", epochId=facts.epoch_id, jobId=entry.job_id) is not None
        events = facts.log.named("Claimed", "LeafVoided", epochId=facts.epoch_id, jobId=entry.job_id)
        found = [leaves.get((entry.job_id, event.args["receiptDigest"])) for event in events]
        seen = [leaf for leaf in found if leaf is not None]
        settled, count = said.settled.bit_count(), entry.count
        if voided or returned:
            wrong = differs("what is left", said.sum, 0) + differs("the count of settled leaves", settled, count)
        elif len(seen) != len(events):
            yield unknown(topic, f"{len(events) - len(seen)} settled leaves are not in the data")
            continue
        else:
            left = 0 if len(seen) == count else entry.sum - sum(leaf.debit for leaf in seen)
            wrong = differs("what is left", said.sum, left) + differs("the count of settled leaves", settled, len(seen))
        yield compared(topic, f"{said.sum} of {entry.sum} wei, {settled} of {count} leaves settled", wrong)


def check_state(facts: EpochFacts) -> Finding:
    """What a state forbids."""
    claimed = facts.log.named("Claimed", epochId=facts.epoch_id)
    if facts.state != EpochState.FINAL and claimed:
        return disagrees("state", f"{facts.state.name.lower()}, and {len(claimed)} leaves are claimed")
    return agrees("state", f"{facts.state.name.lower()}, {len(claimed)} leaves claimed")
