"""An epoch in memory as the chain would tell it: events in order, what the contracts store, blobs. Honest by default.

Verdicts come from the verifier's own code, so that the audit is held against another reading of the protocol.
"""

from collections import Counter

from chain.codec import Event
from multitude.audit.audit import report_on
from multitude.audit.errors import BlobMissing
from multitude.audit.evidence import gather
from multitude.audit.facts import EpochFacts, EpochState, EventLog, Outstanding
from multitude.audit.judgement import wanted_runs
from multitude.audit.replay import Replayer as Runner
from protocol.encoding import uint_word
from protocol.hashing import keccak256
from protocol.money import leaf_money, shares_of
from protocol.sampling import Seat, ballot_seats, ballot_seed, epoch_seed, panel_subject, redraw_subject, seats_of_leaf
from protocol.verdicts import Verdict, Verdicts
from tests.verifier.epochs import DOMAIN, FEE_PPM, address, real_epoch
from verifier.audit import DeviceFacts, conclude, duties_of_epoch
from verifier.audit import gather as gather_as_verifier
from verifier.replay import Replayer

ADDRESSES = {name: address(name) for name in ("JobEscrow", "StakeVault", "Seats")}
NAMES = ("vera", "viktor", "vanda", "vito")
SEATS = tuple(Seat(address(name), address(name)) for name in NAMES)
EPOCH, ROUND = 1, 12
STAKE = 10**12
SETTLER = address("settler")


def hash_of(block):
    return keccak256(b"block" + uint_word(block))


class MemoryBlobs:
    def __init__(self, held):
        self.held = dict(held)

    def get(self, name):
        if name not in self.held:
            raise BlobMissing(name.hex())
        return self.held[name]


class World:
    """`ann` has stake, `bob` none: his leaf is replayed whole. `lies` as in tests.verifier.epochs."""

    def __init__(self, lies=(), stored_seed=None):
        self.epoch = real_epoch(lies)
        self.blobs = MemoryBlobs(self.epoch.blobs.held)
        self.raw = self.epoch.data.blob
        self.entry, self.head = self.epoch.data.entries[0], self.epoch.head
        self.stakes = {address("ann"): STAKE, address("bob"): 0}
        self.block, self.events, self.verdict_hashes = 1, [], {}
        self.state, self.head_hash, self.block_hashes = EpochState.FINAL, self.head.hash, {}
        self.seed = epoch_seed(hash_of(ROUND), EPOCH) if stored_seed is None else stored_seed
        self.leaves = {}
        self.settled = 0
        self.paid_seats = {}
        self.left = self.head.entries[0].sum
        self._open()

    # --- what the chain says

    def emit(self, name, block=None, **args):
        self.block = self.block if block is None else block
        self.block_hashes[self.block] = hash_of(self.block)
        tx = keccak256(b"tx" + uint_word(self.block))
        event = Event(name, "", args, self.block, hash_of(self.block), tx, len(self.events))
        self.events.append(event)
        return event

    def _open(self):
        bid = self.entry.bid
        facts = next(iter(self.epoch.programs.values()))
        values = (getattr(facts, name) for name in facts.__dataclass_fields__)
        program = dict(enumerate(values))
        self.emit("Registered", 2, programId=bid.program_id, author=SETTLER, program=program)
        spelled = {field.json_name: getattr(bid, field.name) for field in bid.fields}
        self.emit("JobOpened", 3, jobId=bid.job_id, buyer=bid.buyer, settler=SETTLER, feePpm=FEE_PPM, bid=spelled)
        for name in ("ann", "bob"):
            self.emit("Bound", 4, device=address(name), owner=address(name + "-owner"))
        self.emit("Staked", 5, device=address("ann"), payer=address("ann-owner"), amount=STAKE)
        self.emit("SnapshotTaken", 6, snapshot=0, seats=len(SEATS), verifiers=len(SEATS))
        self._post()

    def _post(self):
        head, entry = self.head, self.head.entries[0]
        self.emit("JobDebited", 10, jobId=entry.job_id, settler=SETTLER, period=0, sum=entry.sum)
        part = {"jobId": entry.job_id, "subroot": entry.subroot, "count": entry.count, "sum": entry.sum}
        spelled = {"settler": head.settler, "dataId": head.data_id, "snapshot": 0, "postedAt": head.posted_at}
        spelled |= {"postBlock": 10, "entries": [part], "periods": [0]}
        self.emit("Posted", 10, epochId=EPOCH, settler=SETTLER, head=spelled)
        self.emit("EpochOpened", 10, epochId=EPOCH, round=ROUND, snapshot=0)
        self.block_hashes[ROUND] = hash_of(ROUND)

    def seeded(self):
        self.emit("Seeded", 13, epochId=EPOCH, seed=self.seed)
        return self

    def judged(self, change=None):
        """Every verifier commits and reveals what its own code finds; `change(name, verdicts)` may turn it."""
        evidence = gather_as_verifier(self.epoch.blobs, EPOCH, self.head, self.epoch.fees_ppm, DOMAIN)
        self.leaves = dict(evidence.leaves)
        devices = {d: DeviceFacts(self.owner_of(d), stake) for d, stake in self.stakes.items()}
        replayer = Replayer(self.epoch.blobs, 30)
        try:
            for name in NAMES:
                duties = duties_of_epoch(evidence, self.seed, SEATS, address(name), devices)
                played = [
                    one
                    for leaf, positions in duties.draws.items()
                    for one in replayer.replay(evidence.leaves[leaf], positions, self.epoch.programs)
                ]
                self._reveal(name, conclude(duties, played).verdicts, change)
        finally:
            replayer.close()
        return self

    def _reveal(self, name, verdicts, change):
        verdicts = change(name, verdicts) if change else verdicts
        self.emit("Committed", 14, epochId=EPOCH, verifier=address(name))
        said = {"verdicts": verdicts.packed, "digests": list(verdicts.digests)}
        self.emit("Revealed", 15, epochId=EPOCH, verifier=address(name), **said)
        self.verdict_hashes[address(name)] = verdicts.hash

    def owner_of(self, device):
        return next(address(f"{name}-owner") for name in ("ann", "bob") if address(name) == device)

    def drawn(self, number):
        if number in self.paid_seats:
            return self.paid_seats[number]
        leaf = self.leaves[number]
        chosen = seats_of_leaf(self.seed, leaf.leaf_hash, SEATS, self.owner_of(leaf.device))
        return [SEATS[index].verifier for index in chosen]

    def claimed(self, *numbers):
        """One call of claim for these leaves, paid by the rules."""
        credited, bonds, debit, spent = Counter(), [], 0, 0
        job, self.block = self.entry.bid.job_id, 40
        for number in numbers:
            leaf = self.leaves[number]
            receipt, owner = leaf.place.leaf.receipt, self.owner_of(leaf.device)
            stake = self.stakes[leaf.device]
            money = leaf_money(receipt, self.entry.bid, FEE_PPM, stake, stake)
            parts = {n: getattr(money, n) for n in ("amount", "fee", "deduction", "surcharge", "paid", "bonded")}
            names = {"epochId": EPOCH, "jobId": job, "device": leaf.device, "receiptDigest": receipt.struct_hash}
            self.emit("Claimed", **names, money=parts)
            credited[owner] += money.paid
            credited[SETTLER] += money.fee
            for verifier, share in zip(
                self.drawn(number), shares_of(money.verification, len(self.drawn(number))), strict=True
            ):
                credited[verifier] += share
            bonds.append((leaf.device, money.bonded))
            debit, spent, self.left = debit + money.debit, spent + money.spent, self.left - money.debit
            self.settled |= 1 << leaf.place.leaf_index
        paid = {"accounts": list(credited), "amounts": list(credited.values())}
        self.emit("JobSettled", jobId=job, debit=debit, spent=spent, spans=3, **paid)
        ways = {"from": ADDRESSES["JobEscrow"], "to": ADDRESSES["StakeVault"]}
        self.emit("Transfer", **ways, value=sum(amount for _, amount in bonds))
        for device, amount in bonds:
            self.emit("Bonded", device=device, amount=amount)
        self._empty()
        return self

    def redrawn(self, number, *votes, outcome=1):
        """A redraw with these votes of its seats in drawing order; who voted "right" is paid for the leaf."""
        leaf = self.leaves[number]
        subject = redraw_subject(EPOCH, leaf.leaf_hash, 1)
        names = {"epochId": EPOCH, "leafHash": leaf.leaf_hash, "subject": subject}
        self.emit("RedrawOpened", 20, **names, round=1, beaconRound=22, leafNumber=number)
        self.block_hashes[22] = hash_of(22)
        owner = self.owner_of(leaf.device)
        chosen = ballot_seats(ballot_seed(hash_of(22), subject), subject, SEATS, 3, (owner,))
        seats = [SEATS[index].verifier for index in chosen]
        for verifier, vote in zip(seats, votes, strict=True):
            self.emit("BallotRevealed", 25, subject=subject, verifier=verifier, vote=int(vote))
        self.emit("RedrawSettled", 30, **names, outcome=outcome)
        self.paid_seats[number] = [v for v, vote in zip(seats, votes, strict=True) if vote == Verdict.RIGHT]
        return self

    def voided(self, number):
        """A leaf void, its debit returned."""
        leaf, job = self.leaves[number], self.entry.bid.job_id
        digest, debit = leaf.place.leaf.receipt.struct_hash, leaf.reference().debit
        self.emit("LeafVoided", 50, epochId=EPOCH, jobId=job, device=leaf.device, receiptDigest=digest, debit=debit)
        self.left -= debit
        self.settled |= 1 << leaf.place.leaf_index
        self._empty()
        return self

    def convicted(self, number, task, votes=Verdict.WRONG):
        """A challenge of one task, its panel unanimous, and what follows."""
        leaf, opener, game = self.leaves[number], address("vera"), keccak256(b"game")
        names = {"gameId": game, "epochId": EPOCH, "device": leaf.device, "opener": opener, "leafHash": leaf.leaf_hash}
        self.emit("ChallengeOpened", 20, **names, leafNumber=number, task=task, seatBond=True)
        subject = panel_subject(game, 0)
        self.emit("PanelDrawn", 20, gameId=game, subject=subject, round=0, beaconRound=22, snapshot=0)
        self.block_hashes[22] = hash_of(22)
        chosen = ballot_seats(ballot_seed(hash_of(22), subject), subject, SEATS, 3, (opener,))
        for verifier in dict.fromkeys(SEATS[index].verifier for index in chosen):
            self.emit("VoteRevealed", 25, gameId=game, subject=subject, verifier=verifier, vote=int(votes))
        upheld = votes == Verdict.WRONG
        self.emit("ChallengeResolved", 30, gameId=game, device=leaf.device, outcome=5 if upheld else 6)
        if upheld:
            self.emit("Convicted", 30, device=leaf.device, slashed=0, toWinners=0, burned=0)
        return self

    def _empty(self):
        if self.settled.bit_count() == self.head.entries[0].count:
            self.left = 0

    def change(self, name, index=0, **args):
        """Turns arguments of an event."""
        found = [i for i, event in enumerate(self.events) if event.name == name]
        event = self.events[found[index]]
        self.events[found[index]] = event._replace(args=event.args | args)

    # --- what the audit makes of it

    def facts(self):
        return EpochFacts(
            epoch_id=EPOCH, posted=next(e for e in self.events if e.name == "Posted"), state=self.state,
            head_hash=self.head_hash, seed=self.seed, outstanding=(Outstanding(self.left, self.settled),),
            log=EventLog(self.events), minimum_stake=1, beacon_delay=2, seats={0: SEATS},
            block_hashes=self.block_hashes, stakes=self.stakes, verdict_hashes=self.verdict_hashes,
        )  # fmt: skip

    def report(self, run=True):
        facts = self.facts()
        evidence = gather(facts, self.raw, DOMAIN)
        runs = None
        if run:
            with Runner(self.blobs, facts.log.programs) as runner:
                runs = {}
                for number, positions in wanted_runs(facts, evidence).items():
                    runs |= runner.run(evidence.leaves[number], positions)
        return report_on(facts, evidence, runs, ADDRESSES)


def settled_world(**settings):
    """An honest epoch, all of it paid."""
    return World(**settings).seeded().judged().claimed(0, 1)


def turned(number, verdict):
    """A change of every verifier's verdict on one leaf, where it has one."""

    def change(_, verdicts):
        said = {leaf: (v, verdicts.digest_of(leaf)) for leaf, v in verdicts.by_leaf.items()}
        if number in said:
            said[number] = (verdict, b"\7" * 32 if verdict == Verdict.RIGHT else bytes(32))
        return Verdicts.of(said)

    return change
