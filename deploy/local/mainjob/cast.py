"""Who takes part. Keys come from the mnemonic that every local chain has: public, and worth nothing elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from deploy.local.anvil import MNEMONIC
from deploy.local.network import AccountEntry

SEATS_EACH = 3
DEVICE_KEYS_FROM = 100
"""Devices have keys beyond the chain's funded accounts: they hold no native coin."""


@dataclass(frozen=True)
class Person:
    """Somebody with a key."""

    role: str
    number: int

    @cached_property
    def account(self) -> LocalAccount:
        """The account."""
        Account.enable_unaudited_hdwallet_features()
        account: LocalAccount = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{self.number}")
        return account

    @property
    def address(self) -> str:
        """The checksummed address."""
        return str(self.account.address)

    @property
    def key(self) -> bytes:
        """The 32-byte private key."""
        return bytes(self.account.key)

    def write_key(self, folder: Path) -> Path:
        """The key as a file that only its owner can read."""
        path = folder / f"{self.role}.key"
        path.touch(mode=0o600)
        path.write_text(self.key.hex() + "\n")
        return path


@dataclass(frozen=True)
class DevicePlan:
    """A device: its owner, its stake in task prices, its ask in ppm of the bid's maximum price, whether it lies."""

    device: Person
    owner: Person
    stake_tasks: int
    ask_ppm: int
    lies: bool


@dataclass(frozen=True)
class Cast:
    """Everybody."""

    deployer: Person
    settler: Person
    buyer: Person
    verifiers: tuple[Person, ...]
    devices: tuple[DevicePlan, ...]

    def people(self) -> Iterator[Person]:
        """All keys of the run."""
        yield from (self.deployer, self.settler, self.buyer, *self.verifiers)
        for plan in self.devices:
            yield from (plan.owner, plan.device)

    def entries(self) -> list[AccountEntry]:
        """The accounts as network.json lists them."""
        return [AccountEntry(person.role, person.address, "0x" + person.key.hex()) for person in self.people()]


_DEVICES = ((1_000, 820_000), (300, 810_000), (100, 790_000), (0, 780_000), (300, 800_000))


def make_cast(liar: bool) -> Cast:
    """Three verifiers and five devices, the fifth of which lies if there is to be a liar."""
    devices = tuple(
        DevicePlan(_person("device", DEVICE_KEYS_FROM, i), _person("owner", 10, i), stake, ask, liar and i == 4)
        for i, (stake, ask) in enumerate(_DEVICES)
    )
    verifiers = tuple(_person("verifier", 3, i) for i in range(3))
    return Cast(Person("deployer", 0), Person("settler", 1), Person("buyer", 2), verifiers, devices)


def _person(role: str, first_key: int, index: int) -> Person:
    return Person(f"{role}-{index + 1}", first_key + index)
