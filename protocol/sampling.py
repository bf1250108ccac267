"""Draws: tasks, seats of a leaf, ballots (section 6), and the chance that wrong work escapes."""

from collections.abc import Collection, Iterable, Sequence
from math import expm1, log1p
from typing import NamedTuple

from protocol.encoding import UINT32_MAX, check_bytes32, check_uint, uint_word
from protocol.errors import DrawInvalid
from protocol.hashing import keccak256
from protocol.messages import Receipt
from protocol.money import PPM

LEAF_TRIES = 64
BALLOT_TRIES = 256
REDRAW_SEATS = 3
PANEL_SEATS = 3
APPEAL_SEATS = 6
PROGRAM_SEATS = 3
TWO_SEATS_ONE_IN = 10
DETECTION = 0.9
"""The chance that a drawn seat finds a wrong result, which the rule is built on."""


class Seat(NamedTuple):
    """A seat of a snapshot: who replays for it and whose devices it is not drawn for."""

    verifier: str
    owner: str


# --- tasks


def price_of_task(wu: int, amount: int, total_wu: int) -> int:
    """price_k: the task's part of the amount in wei, rounded up."""
    return -(-wu * amount // total_wu)


def p_ppm(price_wei: int, stake: int, rate_floor_ppm: int) -> int:
    """The chance in ppm that a task of this price is replayed."""
    if stake == 0:
        return PPM
    return max(rate_floor_ppm, min(PPM, -(-40 * PPM * price_wei // (9 * stake))))


def is_drawn(seed: bytes, receipt_digest: bytes, position: int, chance_ppm: int) -> bool:
    """True when the task at this position of the receipt is replayed."""
    digest = keccak256(seed + receipt_digest + uint_word(position))
    return int.from_bytes(digest[16:], "big") < (chance_ppm << 128) // PPM


def drawn_tasks(seed: bytes, receipt: Receipt, wus: Sequence[int], stake: int, rate_floor_ppm: int) -> tuple[int, ...]:
    """The positions of the receipt's replayed tasks, rising.

    `wus` is the WU of each position; `stake` that of the device at the posting, in wei. DrawInvalid if the WU are not
    the receipt's.
    """
    check_bytes32(seed, "seed")
    if len(wus) != receipt.count or sum(wus) != receipt.total_wu or not receipt.total_wu:
        raise DrawInvalid("the WU of the tasks are not the receipt's")
    chances = {wu: p_ppm(price_of_task(wu, receipt.amount, receipt.total_wu), stake, rate_floor_ppm) for wu in set(wus)}
    digest = receipt.struct_hash
    return tuple(k for k, wu in enumerate(wus) if is_drawn(seed, digest, k, chances[wu]))


def miss_probability(chances_ppm: Iterable[int]) -> float:
    """The chance that not one of these independent tasks is drawn, from the chance of each in ppm."""
    total = 0.0
    for chance in chances_ppm:
        if chance >= PPM:
            return 0.0
        total += log1p(-chance / PPM)
    return 1.0 + expm1(total)


# --- seeds and subjects


def epoch_seed(randomness: bytes, epoch_id: int) -> bytes:
    """The seed of an epoch, from the beacon's randomness."""
    return keccak256(check_bytes32(randomness, "randomness") + uint_word(check_uint(epoch_id, 64, "epochId")))


def ballot_seed(randomness: bytes, subject: bytes) -> bytes:
    """The seed of a ballot, from the beacon's randomness."""
    return keccak256(check_bytes32(randomness, "randomness") + check_bytes32(subject, "subject"))


def redraw_subject(epoch_id: int, leaf_hash: bytes, round_number: int) -> bytes:
    """The subject of a leaf's redraw."""
    words = uint_word(check_uint(epoch_id, 64, "epochId")) + check_bytes32(leaf_hash, "leafHash")
    return keccak256(words + uint_word(check_uint(round_number, 8, "round")))


def panel_subject(game_id: bytes, round_number: int) -> bytes:
    """The subject of a panel's ballot: round 0, or 1 on appeal."""
    return keccak256(check_bytes32(game_id, "gameId") + uint_word(check_uint(round_number, 8, "round")))


# --- seats


def wanted_seats(seed: bytes, leaf_hash: bytes) -> int:
    """How many seats a leaf goes to: a tenth of the leaves to two, the others to one."""
    return 2 if _draw(seed, leaf_hash, UINT32_MAX) % TWO_SEATS_ONE_IN == 0 else 1


def seats_of_leaf(seed: bytes, leaf_hash: bytes, seats: Sequence[Seat], device_owner: str) -> tuple[int, ...]:
    """The indices in the snapshot of a leaf's seats in drawing order; fewer than wanted, even none, if tries run out.

    Addresses are compared as they are: checksummed on both sides.
    """
    wanted = wanted_seats(seed, leaf_hash)
    taken: list[int] = []
    verifiers: set[str] = set()
    for candidate in _candidates(seed, leaf_hash, len(seats), LEAF_TRIES):
        seat = seats[candidate]
        if seat.owner == device_owner or seat.verifier in verifiers:
            continue
        taken.append(candidate)
        verifiers.add(seat.verifier)
        if len(taken) == wanted:
            break
    return tuple(taken)


def ballot_seats(
    seed: bytes, subject: bytes, seats: Sequence[Seat], wanted: int, excluded: Collection[str] = ()
) -> tuple[int, ...]:
    """The indices in the snapshot of a ballot's distinct seats in drawing order; fewer than wanted if tries run out.

    `excluded` addresses neither verify nor own a drawn seat.
    """
    taken: list[int] = []
    for candidate in _candidates(seed, subject, len(seats), BALLOT_TRIES):
        seat = seats[candidate]
        if candidate in taken or seat.verifier in excluded or seat.owner in excluded:
            continue
        taken.append(candidate)
        if len(taken) == wanted:
            break
    return tuple(taken)


def _candidates(seed: bytes, subject: bytes, count: int, tries: int) -> Iterable[int]:
    return (_draw(seed, subject, i) % count for i in range(tries if count else 0))


def _draw(seed: bytes, subject: bytes, index: int) -> int:
    return int.from_bytes(keccak256(seed + subject + uint_word(index)), "big")
