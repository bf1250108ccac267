"""What the market needs of the chain, as one small interface: `settlement.onchain` is real, tests have a fake."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sqlalchemy.orm import Session

from chain.codec import Event
from chain.deployment import Deployment
from protocol.sampling import Seat


class Call(NamedTuple):
    """A transaction wanted at most once for each (purpose, ident); a revert is tried again up to `attempts` times."""

    purpose: str
    ident: str
    contract: str
    function: str
    args: tuple[object, ...]
    attempts: int = 1


Apply = Callable[[Session, Sequence[Event], Sequence[Event]], None]
"""Applies new events (in order) after taking back removed ones (newest first)."""


class Outcome(NamedTuple):
    """Where a call stands: queued, sent, mined, confirmed or failed (then `error` is the custom error)."""

    state: str
    error: str | None

    @property
    def failed(self) -> bool:
        """True when it will not be sent again by itself."""
        return self.state == "failed"


class Head(NamedTuple):
    """The chain's newest block; `timestamp` in Unix seconds."""

    number: int
    timestamp: int


@dataclass(frozen=True)
class DeviceFacts:
    """A device in the StakeVault; `owner` is None where it is not bound, `stake` in wei."""

    owner: str | None = None
    stake: int = 0
    convicted: bool = False
    open_games: int = 0


@dataclass(frozen=True)
class JobFacts:
    """A job in the JobEscrow."""

    phase: str = "none"
    spans_unpaid: int = 0
    closes_at: int = 0
    debited: int = 0


@dataclass(frozen=True)
class EpochFacts:
    """An epoch in the Attestations; `phase` in lower case, `final_at` in Unix seconds where it is known,
    `voided_leaves` a bitmap of the leaf numbers that hung games made void."""

    phase: str
    final_at: int | None = None
    voided_leaves: int = 0


@dataclass(frozen=True)
class ProgramStanding:
    """A program in the ProgramRegistry."""

    registered: bool = False
    attested: bool = False


@dataclass(frozen=True)
class Limits:
    """What the settler's policy needs of the deployment: S_min and its fee; most expected replay of a leaf in WU."""

    minimum_stake: int = 0
    fee_ppm: int = 0
    max_replay_wu: int | None = None


class ChainGateway(Protocol):
    """The chain as the market sees it. Reads raise ChainError where the node does not answer."""

    deployment: Deployment

    def sync(self, apply: Apply) -> None:
        """Reads new confirmed events; `apply` changes the market's tables in the same SQL transaction."""

    def indexed_block(self) -> int:
        """The last block that `sync` has read; -1 before its first."""
        ...

    def pump(self) -> None:
        """Sends what is queued and looks after what was sent."""

    def enqueue(self, session: Session, call: Call) -> None:
        """Queues a call inside the caller's SQL transaction; nothing to do where it is queued already."""

    def outcome(self, session: Session, purpose: str, ident: str) -> Outcome | None:
        """Where a call stands, None where it was never queued."""

    def retry(self, session: Session, call: Call) -> None:
        """Queues a failed call again, with its present arguments."""

    def dry_run(self, call: Call) -> str | None:
        """The custom error that the call would revert with now, None where it would pass."""

    def head(self) -> Head:
        """The newest block."""

    def limits(self) -> Limits:
        """The settler's fee and the vault's S_min."""

    def device(self, address: str) -> DeviceFacts:
        """A device's standing."""

    def stake_at(self, device: str, block: int) -> int:
        """The stake of a device in wei that counted at the end of a block."""

    def is_valid_signature(self, signer: str, digest: bytes, signature: bytes) -> bool:
        """True when the signer is a contract that takes this for its signature now (EIP-1271)."""

    def job(self, job_id: bytes) -> JobFacts:
        """A job's standing."""

    def program(self, program_id: bytes) -> ProgramStanding:
        """A program's standing."""

    def epoch(self, epoch_id: int) -> EpochFacts:
        """An epoch's phase."""

    def seats(self, snapshot: int) -> Sequence[Seat]:
        """All seats of a snapshot in order."""
