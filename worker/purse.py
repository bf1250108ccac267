"""The owner's transactions: claims of what is due, withdrawal of what claims credited, stake and its return.

Who sends them pays the chain's native coin: the owner, whose key has to be on this machine for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

from chain.accounting import TOKEN
from chain.codec import Event
from chain.errors import ContractReverted
from chain.sender import Sender
from protocol.encoding import to_hex
from worker.agreed import get_blob, get_json, open_chain
from worker.control import devices_in
from worker.earnings import Earnings, Item, read_earnings
from worker.errors import KeyElsewhere, MarketError, MoneyRefused
from worker.keystore import device_address, load_key
from worker.leaves import Leaf, claim_arguments, why_not
from worker.settings import Settings


@dataclass(frozen=True)
class Claimed:
    """What `claim` did: transactions with what they claimed or withdrew in wei, and what could not be claimed."""

    done: tuple[Item, ...]
    refused: tuple[str, ...]


class Purse:
    """The money of the owner of this machine's device. Every method raises ChainError."""

    def __init__(self, settings: Settings) -> None:
        """Raises ChainUnusable, KeyUnusable, ChainError."""
        self.settings = settings
        self.client, self.agreed = open_chain(settings)
        self.device = device_address(settings.key_file)

    def earnings(self) -> Earnings:
        """As of now."""
        blobs = partial(get_blob, self.agreed)
        devices = {self.device, *devices_in(self.settings.state_dir)}
        unfinal, silent = _unfinal(self.settings, devices)
        found = read_earnings(self.client, self.device, blobs, unfinal, self.settings.owner)
        return found if silent is None else replace(found, notes=(*found.notes, silent))

    def sender(self) -> Sender:
        """Sends from the owner's account. KeyElsewhere where its key is not on this machine."""
        if self.settings.owner_key_file is None:
            raise KeyElsewhere("the owner's key is not on this machine: set owner_key_file, or use the owner's wallet")
        return Sender(self.client, load_key(self.settings.owner_key_file).account())

    def claim(self, earnings: Earnings, withdraw: bool = True) -> Claimed:
        """Claims all that is due, entry by entry, then takes what claims have credited out of the escrow."""
        sender = self.sender()
        head = self.client.head()
        events = self.client.logs(self.client.deployment.deploy_block, head.number)
        done: list[Item] = []
        refused: list[str] = []
        for _, leaves in groupby(earnings.due, key=lambda leaf: (leaf.epoch_id, leaf.place.entry_index)):
            for group in self._passing(list(leaves), events, sender.address, refused):
                wei, epoch = sum(leaf.money.amount for leaf in group), group[0].epoch_id
                try:
                    receipt = sender.send("EpochLedger", "claim", *claim_arguments(self.client, events, group))
                    done.append(Item("claimed", None, wei, to_hex(receipt.tx_hash), epoch))
                except ContractReverted as error:
                    refused.append(f"{len(group)} leaves of epoch {epoch}, which another may have claimed: {error}")
        if withdraw:
            done += self._withdraw(sender)
        return Claimed(tuple(done), tuple(refused))

    def _passing(self, leaves: list[Leaf], events: list[Event], sender: str, refused: list[str]) -> list[list[Leaf]]:
        """The leaves in the calls that will pass: all at once, else one by one, so that none holds up another."""
        if why_not(self.client, events, leaves, sender) is None:
            return [leaves]
        passing = []
        for leaf in leaves:
            reason = why_not(self.client, events, [leaf], sender)
            if reason is None:
                passing.append([leaf])
            else:
                refused.append(f"leaf {leaf.place.number} of epoch {leaf.epoch_id}: {reason}")
        return passing

    def _withdraw(self, sender: Sender) -> list[Item]:
        """Takes out what claims credited and no more: the balance may hold the owner's deposits as a buyer too."""
        credited = self.earnings().credited
        if not credited:
            return []
        receipt = sender.send("JobEscrow", "withdraw", credited)
        return [Item("withdrawn", None, credited, to_hex(receipt.tx_hash))]

    # --- stake

    def standing(self) -> Mapping[str, int | bool | str]:
        """The device as StakeVault has it."""
        facts: Mapping[str, int | bool | str] = self.client.call("StakeVault", "deviceOf", self.device)
        return facts

    def minimum_stake(self) -> int:
        """S_min in wei: below it stake counts as none."""
        return int(self.client.call("StakeVault", "minimumStake"))

    def stake(self, amount: int) -> Item:
        """Puts tokens of the owner behind the device. MoneyRefused where the owner has not as many."""
        sender = self.sender()
        tokens = int(self.client.call(TOKEN, "balanceOf", sender.address))
        if tokens < amount:
            raise MoneyRefused(f"{sender.address} holds {tokens} wei, not {amount}")
        vault = self.client.deployment.address("StakeVault")
        if int(self.client.call(TOKEN, "allowance", sender.address, vault)) < amount:
            sender.send(TOKEN, "approve", vault, amount)
        receipt = sender.send("StakeVault", "stake", self.device, amount)
        return Item("staked", self.device, amount, to_hex(receipt.tx_hash))

    def start_unbonding(self, amount: int) -> Item:
        """Asks stake back; it stays slashable until its time is over."""
        receipt = self.sender().send("StakeVault", "requestUnstake", self.device, amount)
        return Item("unbonding", self.device, amount, to_hex(receipt.tx_hash))

    def finish_unbonding(self) -> Item:
        """Takes out stake whose time is over."""
        amount = int(self.standing()["unbonding"])
        receipt = self.sender().send("StakeVault", "withdrawStake", self.device)
        return Item("unstaked", self.device, amount, to_hex(receipt.tx_hash))


def claim_if_due(settings: Settings) -> str | None:
    """Claims where that is worth the settings' `auto_claim_wei`; what was done, or is to be done, as a sentence."""
    purse = Purse(settings)
    earnings = purse.earnings()
    if settings.auto_claim_wei is None or earnings.claimable < max(1, settings.auto_claim_wei):
        return None
    if settings.owner_key_file is None:
        return f"{earnings.claimable} wei can be claimed; the owner's key is not on this machine"
    done = purse.claim(earnings)
    return "; ".join([f"{item.kind} {item.wei} wei in {item.tx}" for item in done.done] + list(done.refused))


def _unfinal(settings: Settings, devices: set[str]) -> tuple[dict[str, int], str | None]:
    """What the market says it has accepted of each device and not seen settled; and why that is not known."""
    found: dict[str, int] = {}
    for url in settings.markets:
        try:
            for device in sorted(devices):
                found[device] = int(get_json(f"{url.rstrip('/')}/v1/devices/{device}")["unfinal_wei"])
        except (MarketError, KeyError, ValueError, TypeError):
            continue
        return found, None
    return found, "no market says what it has accepted and not posted yet: pending is what is on chain"
