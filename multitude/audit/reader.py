"""Reading a deployment's chain: one scan of its events, and views at one block. No archive node is needed: what is
asked about the past (snapshots of seats, stake at a block) the contracts keep as checkpoints."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from chain.client import ChainClient
from chain.errors import ReorgDuringRead
from multitude.audit.errors import EpochUnknown
from multitude.audit.evidence import Evidence
from multitude.audit.facts import EpochFacts, EpochState, EventLog, Outstanding, draws_of
from protocol.sampling import Seat

TRIES = 3

T = TypeVar("T")


class ChainReader:
    """Everything is read as of the block that was the newest when it was made. Raises ChainError, RpcFailed."""

    def __init__(self, client: ChainClient) -> None:
        self.client = client
        self.log, self.block = _patiently(lambda: _scan(client))

    def epoch_ids(self) -> list[int]:
        """Every epoch that was posted."""
        return [int(event.args["epochId"]) for event in self.log.named("Posted")]

    def state(self, epoch_id: int) -> EpochState:
        """Where an epoch stands."""
        return EpochState(self._view("Attestations", "stateOf", epoch_id))

    def epoch(self, epoch_id: int) -> EpochFacts:
        """What is to be known of an epoch before its data is. Raises EpochUnknown."""
        posted = self.log.first("Posted", epochId=epoch_id)
        if posted is None:
            raise EpochUnknown(f"there is no epoch {epoch_id}: the chain has {len(self.epoch_ids())}")
        count = len(posted.args["head"]["entries"])
        draws = draws_of(self.log, epoch_id)
        verifiers = {event.args["verifier"] for event in self.log.named("Revealed", epochId=epoch_id)}
        hashes = {number: self.client.block_hash(number) for number, _ in draws}
        return EpochFacts(
            epoch_id=epoch_id,
            posted=posted,
            state=self.state(epoch_id),
            head_hash=self._view("EpochLedger", "headHash", epoch_id),
            seed=self._view("Attestations", "seedOf", epoch_id),
            outstanding=tuple(
                Outstanding(*self._view("EpochLedger", "outstanding", epoch_id, i)) for i in range(count)
            ),
            log=self.log,
            minimum_stake=self._view("StakeVault", "minimumStake"),
            beacon_delay=self._view("BlockBeacon", "delay_blocks"),
            seats={snapshot: self._seats(snapshot) for _, snapshot in draws},
            block_hashes={number: found for number, found in hashes.items() if found is not None},
            verdict_hashes={v: self._view("Attestations", "verdictHash", epoch_id, v) for v in verifiers},
        )

    def complete(self, facts: EpochFacts, evidence: Evidence) -> EpochFacts:
        """The facts with what is asked by the devices and leaves that the data names."""
        leaves, block = evidence.leaves.values(), facts.head.post_block
        stakes = {leaf.device: self._view("StakeVault", "stakeAt", leaf.device, block) for leaf in leaves}
        drawn = {}
        if facts.is_seeded:
            for leaf in leaves:
                owner = facts.log.owner_of(leaf.device) or "0x" + "00" * 20
                seats = self._view("Attestations", "drawnSeats", facts.epoch_id, leaf.hash, owner)
                drawn[leaf.hash] = tuple(seats)
        return replace(facts, stakes=stakes, drawn_seats=drawn)

    def _seats(self, snapshot: int) -> tuple[Seat, ...]:
        return tuple(Seat(s["verifier"], s["owner"]) for s in self._view("Seats", "seatsIn", snapshot))

    def _view(self, contract: str, function: str, *args: object) -> Any:
        return self.client.call(contract, function, *args, block=self.block)


def _scan(client: ChainClient) -> tuple[EventLog, bytes]:
    head = client.head()
    events = client.logs(client.deployment.deploy_block, head.number)
    if client.block_hash(head.number) != head.hash:
        raise ReorgDuringRead(f"block {head.number} changed")
    return EventLog(events), head.hash


def _patiently(read: Callable[[], T]) -> T:
    for _ in range(TRIES - 1):
        try:
            return read()
        except ReorgDuringRead:
            continue
    return read()
