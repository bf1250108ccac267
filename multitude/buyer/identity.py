"""Who signs: a key for itself, a key for a contract account (EIP-1271), or whatever else can sign a digest."""

from typing import Protocol

from eth_account import Account
from eth_account.signers.local import LocalAccount

from protocol.encoding import checksum_address, from_hex
from protocol.hashing import keccak256
from protocol.signing import address_of, sign_digest


class Signer(Protocol):
    """A buyer's identity. `address` owns deposits and jobs; `account` sends its transactions, None where it cannot."""

    @property
    def address(self) -> str:
        """The checksummed address."""

    @property
    def account(self) -> LocalAccount | None:
        """What sends transactions from `address`."""

    def sign_digest(self, digest: bytes) -> bytes:
        """A signature that the chain accepts for `address`: 65 bytes of a key, or what EIP-1271 is asked about."""


class KeySigner:
    """A private key of 32 bytes, for its own address or for the contract account that it is an owner of."""

    def __init__(self, key: bytes, account: str | None = None) -> None:
        self._key = key
        own = address_of(key)
        self.address = own if account is None else checksum_address(account)
        self.account: LocalAccount | None = Account.from_key(key) if self.address == own else None

    def sign_digest(self, digest: bytes) -> bytes:
        """The key's signature."""
        return sign_digest(digest, self._key)


def text_digest(message: str) -> bytes:
    """The digest of a text that a person signs (EIP-191, version 0x45)."""
    data = message.encode()
    return keccak256(b"\x19Ethereum Signed Message:\n%d" % len(data) + data)


def key_of(text: str) -> bytes:
    """A private key from hex."""
    return from_hex(text if text.startswith("0x") else "0x" + text, 32, "key")
