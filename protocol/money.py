"""The money of a leaf: fee, debit, deduction, surcharge, bonding, and what a claim refuses (section 5). All in wei."""

from dataclasses import dataclass

from protocol.encoding import UINT128_MAX, check_uint
from protocol.errors import MoneyInvalid
from protocol.messages import Bid, Receipt

PPM = 1_000_000
WU_PER_GWU = 10**9
BONDED_TASKS = 300
"""The target stake of a device, in average task prices."""

_RULE_NUMERATOR = 40 * PPM
_RULE_DENOMINATOR = 9


@dataclass(frozen=True)
class LeafMoney:
    """Where a leaf's debit goes, in wei; `rule_ppm` is the expected share of its work that the rule has replayed."""

    amount: int
    fee: int
    debit: int
    rule_ppm: int
    deduction: int
    surcharge: int
    bonded: int

    @property
    def verification(self) -> int:
        """Shared by the seats that attested the leaf."""
        return self.deduction + self.surcharge

    @property
    def net(self) -> int:
        """To the device's owner, `bonded` of it to the device's stake."""
        return self.amount - self.deduction

    @property
    def paid(self) -> int:
        """What the owner is sent now."""
        return self.net - self.bonded

    @property
    def spent(self) -> int:
        """What the buyer pays; the rest of the debit goes back to the job."""
        return self.amount + self.fee + self.surcharge

    @property
    def returned(self) -> int:
        """What goes back to the job."""
        return self.debit - self.spent


def amount_of(total_wu: int, price_wei_per_gwu: int) -> int:
    """Pay for work, rounded down; MoneyInvalid if it leaves uint128."""
    amount = total_wu * price_wei_per_gwu // WU_PER_GWU
    if amount > UINT128_MAX:
        raise MoneyInvalid("the amount leaves uint128")
    return amount


def fee_of(amount: int, fee_ppm: int) -> int:
    """The settler's fee, rounded down."""
    return amount * fee_ppm // PPM


def debit_of(amount: int, fee_ppm: int, rate_floor_ppm: int) -> int:
    """The most that a leaf can cost its job: its sum in the receipt tree. MoneyInvalid if it leaves uint128."""
    debit = amount + fee_of(amount, fee_ppm) + amount * rate_floor_ppm // (2 * PPM)
    if debit > UINT128_MAX:
        raise MoneyInvalid("the debit leaves uint128")
    return debit


def rule_ppm(amount: int, total_wu: int, total_squared_wu: int, stake: int) -> int:
    """The expected share of the leaf's work that the draw rule replays, rounded up, in ppm; `total_wu` is not 0."""
    if stake == 0:
        return PPM
    numerator = _RULE_NUMERATOR * amount * total_squared_wu
    return min(PPM, -(-numerator // (_RULE_DENOMINATOR * stake * total_wu**2)))


def leaf_money(receipt: Receipt, bid: Bid, fee_ppm: int, stake_then: int, stake_now: int) -> LeafMoney:
    """The money of an attested leaf.

    `stake_then` is the device's stake in wei at the block of the posting (unbonding counted as zero), `stake_now` that
    at the claim. Raises MoneyInvalid if the receipt has no work or leaves uint128.
    """
    if receipt.count == 0 or receipt.total_wu == 0:
        raise MoneyInvalid("a receipt without work")
    amount, floor = receipt.amount, bid.rate_floor_ppm
    rule = rule_ppm(amount, receipt.total_wu, receipt.total_squared_wu, stake_then)
    deduction = amount * rule // (2 * PPM)
    surcharge = amount * max(0, floor - min(rule, floor)) // (2 * PPM)
    missing = max(0, BONDED_TASKS * (amount // receipt.count) - stake_now)
    return LeafMoney(
        amount=amount,
        fee=fee_of(amount, fee_ppm),
        debit=debit_of(amount, fee_ppm, floor),
        rule_ppm=rule,
        deduction=deduction,
        surcharge=surcharge,
        bonded=min(amount - deduction, missing),
    )


def shares_of(amount: int, seats: int) -> tuple[int, ...]:
    """An amount in as equal parts as wei allow, the first seats getting one wei more."""
    if seats < 1:
        raise MoneyInvalid("no seats to share among")
    part, rest = divmod(check_uint(amount, 128, "amount"), seats)
    return tuple(part + (1 if seat < rest else 0) for seat in range(seats))


def replay_wu(total_wu: int, rule: int, rate_floor_ppm: int) -> int:
    """The WU that a leaf is expected to have replayed, rounded up."""
    return -(-total_wu * max(rule, rate_floor_ppm) // PPM)


def check_receipt(receipt: Receipt, bid: Bid) -> None:
    """MoneyInvalid unless a claim accepts the receipt's amount, WU and count under the bid, whatever the stake."""
    wu, squared = receipt.total_wu, receipt.total_squared_wu
    if receipt.count == 0:
        raise MoneyInvalid("count is 0")
    if receipt.amount * WU_PER_GWU > wu * bid.max_price_wei_per_gwu:
        raise MoneyInvalid("the amount is above the bid's maximum price")
    if wu > receipt.count * bid.task_limit_wu:
        raise MoneyInvalid("totalWU is above the tasks' limit")
    if wu**2 > receipt.count * squared or squared > wu * bid.task_limit_wu:
        raise MoneyInvalid("totalSquaredWU does not belong to totalWU")


def check_replay(receipt: Receipt, bid: Bid, stake_then: int, max_replay_wu: int) -> None:
    """MoneyInvalid if the leaf's expected replay is above what can be claimed, `max_replay_wu`."""
    rule = rule_ppm(receipt.amount, receipt.total_wu, receipt.total_squared_wu, stake_then)
    expected = replay_wu(receipt.total_wu, rule, bid.rate_floor_ppm)
    if expected > max_replay_wu:
        raise MoneyInvalid(f"an expected replay of {expected} WU, above {max_replay_wu}")
