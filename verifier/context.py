"""What the verifier's processes share: the database, the chain, the blobs, and the evidence of an epoch."""

import time
from collections.abc import Callable
from functools import cached_property

import sqlalchemy as sa

from chain import tables
from chain.client import ChainClient
from chain.deployment import Deployment
from chain.indexer import Indexer
from protocol.program import ProgramFacts
from protocol.sampling import Seat
from verifier import db
from verifier.audit import DeviceFacts, Evidence, gather
from verifier.blobs import HttpBlobs
from verifier.replay import Replayer
from verifier.settings import Settings
from verifier.views import ChainView

_EVIDENCE_KEPT = 4
_WITHHELD_MOST = 64
_ASK_AGAIN_S = 3.0
_PATIENCE_PART = 3
"""Of a commit phase, a third is given to a store that withholds an epoch's data before the verdict is "unavailable"."""


class Context:
    """The parts that a verifier process is made of, each built when it is first asked for."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self._clock = clock
        self._kept: dict[tuple[int, bytes], Evidence] = {}
        self._withheld: dict[tuple[int, bytes], tuple[Evidence, float, float]] = {}

    @cached_property
    def engine(self) -> sa.Engine:
        """The verifier's own database."""
        return sa.create_engine(self.settings.database_url, pool_pre_ping=True)

    @cached_property
    def client(self) -> ChainClient:
        """The chain."""
        return ChainClient(self.settings.rpc_url, Deployment.load(self.settings.deployment))

    @cached_property
    def indexer(self) -> Indexer:
        """Events, as far behind the head as the settings say."""
        return Indexer(self.engine, self.client, max(0, self.settings.confirmations - 1))

    @cached_property
    def blobs(self) -> HttpBlobs:
        """Content-addressed blobs."""
        return HttpBlobs(self.settings.blobs_url, self.settings.state_dir / "blobs", self.settings.max_blob_bytes)

    @cached_property
    def replayer(self) -> Replayer:
        """Runs tasks."""
        return Replayer(self.blobs, self.settings.task_wall_s)

    def create_tables(self) -> None:
        """Creates the tables where they are missing."""
        db.metadata.create_all(self.engine)
        tables.create(self.engine)

    def read_view(self) -> ChainView:
        """The view folded from all indexed events."""
        view = ChainView()
        view.fold(self.indexer.events())
        return view

    def programs(self, view: ChainView) -> dict[bytes, ProgramFacts]:
        """What is registered of each program."""
        return {program_id: program.facts for program_id, program in view.programs.items()}

    def seats_in(self, snapshot: int) -> list[Seat]:
        """The seats of a snapshot in order."""
        return [Seat(seat["verifier"], seat["owner"]) for seat in self.client.call("Seats", "seatsIn", snapshot)]

    def device_facts(self, evidence: Evidence) -> dict[str, DeviceFacts]:
        """Owner, and stake at the posting, of each device of an epoch."""
        found = {}
        for device in {leaf.device for leaf in evidence.leaves.values()}:
            owner = self.client.call("StakeVault", "deviceOf", device)["owner"]
            stake = self.client.call("StakeVault", "stakeAt", device, evidence.head.post_block)
            found[device] = DeviceFacts(owner, int(stake))
        return found

    def evidence_of(self, epoch_id: int, head_hash: bytes) -> Evidence | None:
        """The evidence of an epoch; None when the chain no longer has it, or while its data may still come.

        What was had is kept; a store that gave nothing is asked again every few seconds, and after a third of a commit
        phase its silence is the evidence.
        """
        key = epoch_id, head_hash
        if key in self._kept:
            return self._kept[key]
        found, asked_first, asked = self._withheld.get(key, (None, self._clock(), 0.0))
        if found is None or self._clock() - asked >= _ASK_AGAIN_S:
            fresh = self._gather(epoch_id, head_hash)
            if fresh is None or not fresh.withheld:
                self._withheld.pop(key, None)
                return None if fresh is None else self._keep(key, fresh)
            found = fresh
            while len(self._withheld) >= _WITHHELD_MOST:
                del self._withheld[next(iter(self._withheld))]
            self._withheld[key] = found, asked_first, self._clock()
        return found if self._clock() - asked_first >= self._patience_s else None

    def _keep(self, key: tuple[int, bytes], found: Evidence) -> Evidence:
        while len(self._kept) >= _EVIDENCE_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = found
        return found

    @cached_property
    def _patience_s(self) -> float:
        return self.client.deployment.clocks.get("commit", 0) / _PATIENCE_PART

    def _gather(self, epoch_id: int, head_hash: bytes) -> Evidence | None:
        """The evidence of an epoch; None when the chain no longer has an epoch of this id with this head."""
        view = self.read_view()
        epoch = view.epochs.get(epoch_id)
        if epoch is None or epoch.head.hash != head_hash:
            return None
        return gather(self.blobs, epoch_id, epoch.head, view.fees_ppm, self.client.deployment.domain)
