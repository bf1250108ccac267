"""The real chain behind the market's gateway: chain.client, chain.outbox and chain.indexer."""

from collections.abc import Sequence

from eth_abi.abi import encode
from eth_account import Account
from sqlalchemy import Connection, Engine, select
from sqlalchemy.orm import Session

from chain.client import ChainClient
from chain.deployment import Deployment
from chain.errors import ContractReverted, RpcFailed
from chain.fees import USUAL_FEES, FeePolicy
from chain.indexer import Indexer, SyncResult
from chain.outbox import Outbox
from chain.tables import outbox
from market.settings import Settings, SettingsRefused, SettlerKey
from market.settlement.gateway import (
    Apply,
    Call,
    DeviceFacts,
    EpochFacts,
    Head,
    JobFacts,
    Limits,
    Outcome,
    ProgramStanding,
)
from protocol.encoding import ZERO_ADDRESS
from protocol.sampling import Seat

PHASES = ("none", "posted", "seeded", "committing", "revealing", "window", "final", "void")
JOB_PHASES = ("none", "open", "closing", "closed")
IS_VALID_SIGNATURE = bytes.fromhex("1626ba7e")
"""isValidSignature(bytes32,bytes): its selector, and its answer for a signature that is good."""
SIGNATURE_GAS = 500_000
"""What a contract wallet may spend on saying so."""


class OnChain:
    """One deployment on one node, with this settler's outbox."""

    def __init__(
        self,
        engine: Engine,
        client: ChainClient,
        settler: SettlerKey,
        confirmations: int,
        fees: FeePolicy = USUAL_FEES,
    ) -> None:
        self.deployment = client.deployment
        self._client = client
        self._settler = settler.address
        self._outbox = Outbox(engine, client, Account.from_key(settler.key), max(1, confirmations), policy=fees)
        self._indexer = Indexer(engine, client, confirmations)

    @classmethod
    def connect(cls, settings: Settings, engine: Engine, settler: SettlerKey) -> "OnChain":
        """The chain of the settings. SettingsRefused where the deployment or the node is not named."""
        if settings.deployment is None or not settings.rpc_url:
            raise SettingsRefused("MULTITUDE_DEPLOYMENT and MARKET_RPC_URL are needed")
        client = ChainClient(settings.rpc_url, Deployment.load(settings.deployment))
        fees = USUAL_FEES._replace(ceiling=settings.fee_ceiling_wei_per_gas)
        return cls(engine, client, settler, settings.confirmations, fees)

    # --- events and transactions

    def sync(self, apply: Apply) -> None:
        """Reads new confirmed events; `apply` changes the market's tables in the same SQL transaction."""

        def within(connection: Connection, result: SyncResult) -> None:
            with Session(connection, expire_on_commit=False, autoflush=True) as session:
                apply(session, result.new, result.removed)
                session.flush()

        self._indexer.sync(within)

    def indexed_block(self) -> int:
        """The last block that `sync` has read; -1 before its first."""
        return self._indexer.position()

    def pump(self) -> None:
        """Sends what is queued and looks after what was sent."""
        self._outbox.pump()

    def enqueue(self, session: Session, call: Call) -> None:
        """Queues a call inside the caller's SQL transaction; nothing to do where it is queued already."""
        self._outbox.enqueue(
            session, call.purpose, call.ident, call.contract, call.function, call.args, attempts=call.attempts
        )

    def outcome(self, session: Session, purpose: str, ident: str) -> Outcome | None:
        """Where a call stands, None where it was never queued."""
        query = select(outbox.c.state, outbox.c.error).where(outbox.c.purpose == purpose, outbox.c.ident == ident)
        row = session.execute(query).first()
        return None if row is None else Outcome(row.state, row.error)

    def retry(self, session: Session, call: Call) -> None:
        """Queues a failed call again, with its present arguments."""
        self._outbox.retry(call.purpose, call.ident, call.args, call.attempts, session)

    def dry_run(self, call: Call) -> str | None:
        """The custom error that the call would revert with now, None where it would pass."""
        try:
            self._client.call(call.contract, call.function, *call.args, sender=self._settler)
        except ContractReverted as error:
            return str(error)
        return None

    # --- views

    def head(self) -> Head:
        """The newest block."""
        head = self._client.head()
        return Head(head.number, head.timestamp)

    def limits(self) -> Limits:
        """S_min, the settler's fee, and the most expected replay of a leaf."""
        return Limits(
            minimum_stake=int(self._client.call("StakeVault", "minimumStake")),
            fee_ppm=int(self._client.call("Seats", "settlerOf", self._settler)["feePpm"]),
            max_replay_wu=int(self._client.call("EpochLedger", "maxReplayWU")),
        )

    def device(self, address: str) -> DeviceFacts:
        """A device's standing."""
        facts = self._client.call("StakeVault", "deviceOf", address)
        owner = facts["owner"]
        return DeviceFacts(
            owner=None if owner == ZERO_ADDRESS else owner,
            stake=int(facts["stake"]),
            convicted=bool(facts["convicted"]),
            open_games=int(facts["openGames"]),
        )

    def stake_at(self, device: str, block: int) -> int:
        """The stake of a device in wei that counted at the end of a block."""
        return int(self._client.call("StakeVault", "stakeAt", device, block))

    def is_valid_signature(self, signer: str, digest: bytes, signature: bytes) -> bool:
        """True when the signer is a contract that takes this for its signature now (EIP-1271)."""
        data = IS_VALID_SIGNATURE + encode(["bytes32", "bytes"], [digest, signature])
        call = {"to": signer, "data": "0x" + data.hex(), "gas": hex(SIGNATURE_GAS)}
        try:
            answer = self._client.rpc("eth_call", [call, "latest"])
        except ContractReverted:
            return False
        except RpcFailed as error:
            if "gas" in str(error).lower():
                return False
            raise
        return bytes.fromhex(answer[2:])[:32] == IS_VALID_SIGNATURE.ljust(32, b"\0")

    def job(self, job_id: bytes) -> JobFacts:
        """A job's standing."""
        facts = self._client.call("JobEscrow", "jobOf", job_id)
        phase = JOB_PHASES[int(facts["phase"])]
        return JobFacts(phase, int(facts["spansUnpaid"]), int(facts["closesAt"]), int(facts["debited"]))

    def program(self, program_id: bytes) -> ProgramStanding:
        """A program's standing."""
        registered = bool(self._client.call("ProgramRegistry", "limitWU", program_id))
        return ProgramStanding(registered, registered and self._client.call("ProgramRegistry", "attested", program_id))

    def epoch(self, epoch_id: int) -> EpochFacts:
        """An epoch's phase."""
        phase = PHASES[int(self._client.call("Attestations", "stateOf", epoch_id))]
        late = phase in ("window", "final")
        final_at = int(self._client.call("Attestations", "finalAt", epoch_id)) if late else None
        voided = int(self._client.call("Panel", "voidedLeaves", epoch_id)) if late else 0
        return EpochFacts(phase, final_at, voided)

    def seats(self, snapshot: int) -> Sequence[Seat]:
        """All seats of a snapshot in order."""
        return [Seat(seat["verifier"], seat["owner"]) for seat in self._client.call("Seats", "seatsIn", snapshot)]
