"""Verdicts on the leaves of an epoch, their commitments, ballots' votes, salts and state digests (section 7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from protocol.encoding import ZERO_BYTES32, address_word, check_bytes32, check_uint, checksum_address, uint_word
from protocol.errors import VerdictsInvalid
from protocol.hashing import keccak256

LEAVES_MAX = 128
NOTHING_DRAWN = uint_word(1)
"""The state digest of a leaf with no drawn task."""


class Verdict(IntEnum):
    """What a seat says of a leaf; a ballot's vote uses the same numbers from 1 on."""

    NOT_MINE = 0
    RIGHT = 1
    WRONG = 2
    UNAVAILABLE = 3


@dataclass(frozen=True)
class Verdicts:
    """A verifier's verdicts on an epoch: two bits for each leaf, and a digest for each leaf that is its own.

    VerdictsInvalid if the number of digests is not that of the verdicts, or one that is not "right" has a digest.
    """

    packed: int
    digests: tuple[bytes, ...]

    def __post_init__(self) -> None:
        check_uint(self.packed, 256, "verdicts")
        mine = self.by_leaf
        if len(mine) != len(self.digests):
            raise VerdictsInvalid(f"{len(self.digests)} digests for {len(mine)} verdicts")
        for verdict, digest in zip(mine.values(), self.digests, strict=True):
            check_bytes32(digest, "digest")
            if (verdict == Verdict.RIGHT) == (digest == ZERO_BYTES32):
                raise VerdictsInvalid("a digest goes with the verdict right, and only with it")

    @classmethod
    def of(cls, verdicts: Mapping[int, tuple[Verdict, bytes]]) -> "Verdicts":
        """From each leaf's number to its verdict and state digest (bytes32(0) unless right)."""
        packed, digests = 0, []
        for leaf in sorted(verdicts):
            verdict, digest = verdicts[leaf]
            if not 0 <= leaf < LEAVES_MAX or verdict == Verdict.NOT_MINE:
                raise VerdictsInvalid(f"no verdict {verdict} on leaf {leaf}")
            packed |= verdict << (2 * leaf)
            digests.append(digest)
        return cls(packed, tuple(digests))

    @cached_property
    def by_leaf(self) -> dict[int, Verdict]:
        """The verdicts that are not "not mine", by leaf number, rising."""
        found = ((leaf, Verdict(self.packed >> (2 * leaf) & 3)) for leaf in range(LEAVES_MAX))
        return {leaf: verdict for leaf, verdict in found if verdict != Verdict.NOT_MINE}

    def digest_of(self, leaf: int) -> bytes | None:
        """The state digest that was given for a leaf, None where the leaf was not this verifier's."""
        return dict(zip(self.by_leaf, self.digests, strict=True)).get(leaf)

    @property
    def digests_hash(self) -> bytes:
        """H(encodePacked(digests))."""
        return keccak256(b"".join(self.digests))

    @property
    def hash(self) -> bytes:
        """What the contract stores of a revealed verdict; its last bit is 1, which a stored commitment's is not."""
        return stored_hash(self.packed, self.digests)

    def commitment(self, salt: bytes, verifier: str, epoch_id: int) -> bytes:
        """What the verifier commits to before it reveals."""
        return keccak256(
            check_bytes32(salt, "salt")
            + address_word(checksum_address(verifier))
            + uint_word(check_uint(epoch_id, 64, "epochId"))
            + uint_word(self.packed)
            + self.digests_hash
        )


def stored_hash(packed: int, digests: Sequence[bytes]) -> bytes:
    """What the contract stores of a reveal, whether its digests fit its verdicts or not."""
    found = keccak256(uint_word(packed) + keccak256(b"".join(digests)))
    return found[:-1] + bytes([found[-1] | 1])


def ballot_commitment(salt: bytes, verifier: str, subject: bytes, vote: Verdict) -> bytes:
    """What a seat's verifier commits to in a redraw or a panel; VerdictsInvalid for the vote 0."""
    if vote == Verdict.NOT_MINE:
        raise VerdictsInvalid("a vote is 1, 2 or 3")
    words = check_bytes32(salt, "salt") + address_word(checksum_address(verifier))
    return keccak256(words + check_bytes32(subject, "subject") + uint_word(vote))


def salt_of(key: bytes, subject: bytes) -> bytes:
    """The salt of a verifier for a subject, from its private key: a restart finds it again."""
    return keccak256(check_bytes32(key, "key") + check_bytes32(subject, "subject"))


def epoch_salt(key: bytes, epoch_id: int) -> bytes:
    """The salt of a verifier for an epoch."""
    return salt_of(key, uint_word(check_uint(epoch_id, 64, "epochId")))


def state_digest(task_digests: Sequence[bytes]) -> bytes:
    """The state digest of a leaf, from those of its drawn tasks in rising order of position."""
    if not task_digests:
        return NOTHING_DRAWN
    return keccak256(b"".join(check_bytes32(digest, "state digest") for digest in task_digests))
