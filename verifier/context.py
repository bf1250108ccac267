"""What the verifier's processes share: the database, the chain, the blobs, and the evidence of an epoch."""

from functools import cached_property, lru_cache

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


class Context:
    """The parts that a verifier process is made of, each built when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.evidence_of = lru_cache(maxsize=_EVIDENCE_KEPT)(self._gather)

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

    def _gather(self, epoch_id: int, head_hash: bytes) -> Evidence | None:
        """The evidence of an epoch; None when the chain no longer has an epoch of this id with this head."""
        view = self.read_view()
        epoch = view.epochs.get(epoch_id)
        if epoch is None or epoch.head.hash != head_hash:
            return None
        return gather(self.blobs, epoch_id, epoch.head, view.fees_ppm, self.client.deployment.domain)
