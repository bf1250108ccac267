"""What devices have earned, lost and are still owed, in token wei, out of the chain's events; each item with its link.

What a claimed leaf was worth = deducted + bonded + paid, and what was paid = credited + withdrawn. `Earnings.check`
says so. A claim either credits the owner in the escrow or sends it tokens: tokens that left the escrow for the owner in
a claim's own transaction count as withdrawn by it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chain.accounting import TOKEN
from chain.client import ChainClient
from chain.codec import Event
from protocol.encoding import ZERO_ADDRESS, to_hex
from worker.leaves import GetBlob, Leaf, Posted, find_leaves, why_not


@dataclass(frozen=True)
class Item:
    """One amount in wei with where it can be looked up: a transaction, and the epoch that it belongs to."""

    kind: str
    device: str | None
    wei: int
    tx: str | None
    epoch: int | None = None
    note: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "kind": self.kind,
            "device": self.device,
            "wei": str(self.wei),
            "tx": self.tx,
            "epoch": self.epoch,
            "note": self.note,
        }


@dataclass(frozen=True)
class DeviceEarnings:
    """One device. `accepted` is the market's word, everything else the chain's.

    `accepted` (posted nowhere yet), `posted` (not final), `waiting` (final, and no claim would pass now) and `due` (a
    claim would pass) are worth their whole amount; of `due`, `due_paid` would go to the owner. `earned` was claimed.
    `stake` and `unbonding` are what the device has now.
    """

    device: str
    accepted: int
    posted: int
    waiting: int
    due: int
    due_paid: int
    earned: int
    deducted: int
    bonded: int
    paid: int
    voided: int
    slashed: int
    stake: int
    unbonding: int
    convicted: bool

    @property
    def pending(self) -> int:
        """Done, and not to be claimed yet."""
        return self.accepted + self.posted + self.waiting

    def to_json(self) -> dict[str, Any]:
        """The JSON form; wei as decimal strings."""
        amounts = {
            f"{name}_wei": str(value) for name, value in vars(self).items() if name not in ("device", "convicted")
        }
        return {"device": self.device, "convicted": self.convicted, "pending_wei": str(self.pending), **amounts}


@dataclass(frozen=True)
class Earnings:
    """An owner's devices. `credited` lies in the escrow for the owner, `withdrawn` left it."""

    owner: str
    devices: tuple[DeviceEarnings, ...]
    credited: int
    withdrawn: int
    items: tuple[Item, ...]
    due: tuple[Leaf, ...] = field(repr=False)
    notes: tuple[str, ...] = ()

    def total(self, name: str) -> int:
        """An amount of `DeviceEarnings` over all devices, in wei."""
        return sum(getattr(device, name) for device in self.devices)

    @property
    def claimable(self) -> int:
        """What the owner would have in hand after `claim`: credited, and the owner's part of what is due."""
        return self.credited + self.total("due_paid")

    def check(self) -> bool:
        """Whether the amounts add up, for each device and in all."""
        parts = all(one.earned == one.deducted + one.bonded + one.paid for one in self.devices)
        return parts and self.total("paid") == self.credited + self.withdrawn

    def to_json(self) -> dict[str, Any]:
        """The JSON form; wei as decimal strings."""
        names = ("pending", "due", "earned", "deducted", "bonded", "paid", "voided", "slashed", "stake", "unbonding")
        totals = {f"{name}_wei": str(self.total(name)) for name in names}
        owner = {
            "claimable_wei": str(self.claimable),
            "credited_wei": str(self.credited),
            "withdrawn_wei": str(self.withdrawn),
        }
        return {
            "owner": self.owner,
            "totals": {**totals, **owner},
            "adds_up": self.check(),
            "devices": [device.to_json() for device in self.devices],
            "items": [item.to_json() for item in self.items],
            "notes": list(self.notes),
        }


def read_earnings(
    client: ChainClient, device: str, get_blob: GetBlob, unfinal_of: Mapping[str, int], owner: str | None = None
) -> Earnings:
    """Of the owner that `device` is bound to (or `owner`, before it is bound), as of the newest block.

    `unfinal_of` is what the market says it accepted from each device and did not see settled, in wei.
    Raises ChainError.
    """
    head = client.head()
    events = client.logs(client.deployment.deploy_block, head.number)
    bound = str(client.call("StakeVault", "deviceOf", device, block=head.hash)["owner"])
    owner = bound if bound != ZERO_ADDRESS else owner or ZERO_ADDRESS
    devices = sorted({e.args["device"] for e in events if e.name == "Bound" and e.args["owner"] == owner} | {device})
    posted = find_leaves(client, events, devices, get_blob, head)
    refusals = {leaf.hash: why_not(client, events, [leaf], owner) for leaf in posted.leaves if leaf.is_final}
    due = tuple(leaf for leaf in posted.leaves if leaf.is_final and refusals[leaf.hash] is None)
    lines = tuple(_device(client, events, posted, due, one, unfinal_of.get(one, 0), head.hash) for one in devices)
    paid = sum(line.paid for line in lines)
    credit, taken = _credit(client, events, owner, devices)
    credited = min(credit, int(client.call("JobEscrow", "balanceOf", owner, block=head.hash)))
    items = [item for one in devices for item in _items(events, one)]
    items += [*taken, *_posted_items(posted, due, refusals)]
    return Earnings(owner, lines, credited, paid - credited, tuple(items), due, _notes(posted))


def _device(
    client: ChainClient,
    events: Sequence[Event],
    posted: Posted,
    due: Sequence[Leaf],
    device: str,
    unfinal: int,
    block: bytes,
) -> DeviceEarnings:
    money = [event.args["money"] for event in events if event.name == "Claimed" and event.args["device"] == device]
    mine = [leaf for leaf in posted.leaves if leaf.device == device]
    known = sum(leaf.money.amount for leaf in mine)
    facts = client.call("StakeVault", "deviceOf", device, block=block)
    ready = [leaf for leaf in due if leaf.device == device]
    return DeviceEarnings(
        device=device,
        accepted=max(0, unfinal - known),
        posted=sum(leaf.money.amount for leaf in mine if not leaf.is_final),
        waiting=sum(leaf.money.amount for leaf in mine if leaf.is_final and leaf not in ready),
        due=sum(leaf.money.amount for leaf in ready),
        due_paid=sum(leaf.money.paid for leaf in ready),
        earned=sum(one["amount"] for one in money),
        deducted=sum(one["deduction"] for one in money),
        bonded=sum(one["bonded"] for one in money),
        paid=sum(one["paid"] for one in money),
        voided=sum(e.args["debit"] for e in events if e.name == "LeafVoided" and e.args["device"] == device),
        slashed=sum(e.args["slashed"] for e in events if e.name == "Convicted" and e.args["device"] == device),
        stake=int(facts["stake"]),
        unbonding=int(facts["unbonding"]),
        convicted=bool(facts["convicted"]),
    )


def _items(events: Iterable[Event], device: str) -> list[Item]:
    """What happened to a device's money, in order, an item for each part that is not nothing."""
    items = []
    for event in events:
        if event.args.get("device") != device:
            continue
        tx, epoch = to_hex(event.tx_hash), event.args.get("epochId")
        if event.name == "Claimed":
            money = event.args["money"]
            parts = (("deducted", money["deduction"]), ("bonded", money["bonded"]), ("paid", money["paid"]))
            items += [Item(kind, device, wei, tx, epoch) for kind, wei in parts if wei]
        elif event.name == "LeafVoided":
            items.append(Item("voided", device, event.args["debit"], tx, epoch, "the debit that went back to its job"))
        elif event.name == "Convicted":
            items.append(Item("slashed", device, event.args["slashed"], tx))
        elif event.name in ("Staked", "Unstaked"):
            items.append(Item(event.name.lower(), device, event.args["amount"], tx))
    return items


def _credit(client: ChainClient, events: Sequence[Event], owner: str, devices: Sequence[str]) -> tuple[int, list[Item]]:
    """What claims credited to the owner and it did not take out, and what it took out or was sent.

    The balance may hold what the owner deposited as a buyer too: what it takes out comes from what it earned first.
    """
    claims = {event.tx_hash for event in events if event.name == "Claimed"}
    escrow = client.deployment.address("JobEscrow")
    credit, taken = 0, []
    for event in events:
        args, tx = event.args, to_hex(event.tx_hash)
        if event.name == "Claimed" and args["device"] in devices:
            credit += args["money"]["paid"]
        elif event.name == "Withdrawn" and owner in args.values() and credit > 0:
            taken.append(Item("withdrawn", None, min(credit, args["amount"]), tx, note="out of the owner's balance"))
            credit -= taken[-1].wei
        elif event.tx_hash in claims and (event.contract, event.name) == (TOKEN, "Transfer"):
            sent = args["value"] if (args["from"], args["to"]) == (escrow, owner) else 0
            taken += [Item("withdrawn", None, sent, tx, note="sent by the claim itself")] if sent else []
            credit -= sent
    return max(0, credit), taken


def _posted_items(posted: Posted, due: Sequence[Leaf], refusals: Mapping[bytes, str | None]) -> list[Item]:
    items = []
    for leaf in posted.leaves:
        kind = "due" if leaf in due else "waiting" if leaf.is_final else "posted"
        place = (leaf.device, leaf.money.amount, to_hex(leaf.posted_tx), leaf.epoch_id)
        items.append(Item(kind, *place, refusals.get(leaf.hash)))
    return items


def _notes(posted: Posted) -> tuple[str, ...]:
    return tuple(f"epoch {epoch} cannot be read: {reason}" for epoch, reason in sorted(posted.unread.items()))
