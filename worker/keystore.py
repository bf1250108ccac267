"""The device's key: a V3 keystore with a passphrase, or, for local networks, a file with the bare key in hex."""

import getpass
import json
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from protocol.encoding import checksum_address, from_hex
from protocol.errors import ProtocolError
from protocol.messages import Domain, Message
from protocol.signing import address_of
from worker.errors import KeyUnusable

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

KEYRING_SERVICE = "multitude-worker"
PASSPHRASE_VARIABLE = "WORKER_PASSPHRASE"  # noqa: S105
PASSPHRASE_FILE_VARIABLE = "WORKER_PASSPHRASE_FILE"  # noqa: S105
PASSPHRASE_LENGTH_MIN = 8


class DeviceKey:
    """A private key that signs and never shows itself."""

    def __init__(self, key: bytes) -> None:
        """KeyUnusable if these bytes are no private key."""
        try:
            self.address = address_of(key)
        except ProtocolError as error:
            raise KeyUnusable(error.reason) from None
        self._key = key

    def sign(self, message: Message, domain: Domain) -> bytes:
        """The signature of a message, always the same for the same message."""
        return message.sign(domain, self._key)

    def account(self) -> "LocalAccount":
        """The account that signs transactions."""
        from eth_account import Account

        account: LocalAccount = Account.from_key(self._key)
        return account

    def __repr__(self) -> str:
        return f"DeviceKey({self.address})"


def load_key(path: Path, passphrase: str | None = None) -> DeviceKey:
    """The key of a file. A V3 keystore asks the environment, the keyring or the terminal for its passphrase.

    Raises KeyUnusable: a missing file, a bare key that others may read, a wrong passphrase, neither format.
    """
    try:
        text = path.read_text("ascii").strip()
        mode = stat.S_IMODE(path.stat().st_mode)
    except (OSError, UnicodeDecodeError) as error:
        raise KeyUnusable(f"{path} cannot be read: {error}") from error
    if text.startswith("{"):
        return DeviceKey(_decrypted(path, text, passphrase))
    if mode & 0o077:
        raise KeyUnusable(f"{path} has mode {mode:04o}: a bare key is for its owner alone, use 0600")
    try:
        return DeviceKey(from_hex(text if text.startswith("0x") else f"0x{text}", 32, "the key"))
    except ProtocolError as error:
        raise KeyUnusable(f"{path}: {error.reason}") from None


def device_address(path: Path) -> str:
    """The address of a key file, which a V3 keystore says without its passphrase. Raises KeyUnusable."""
    try:
        text = path.read_text("ascii").strip()
        if not text.startswith("{"):
            return load_key(path).address
        return _address_in(json.loads(text)) or load_key(path).address
    except (OSError, ValueError, AttributeError, ProtocolError) as error:
        raise KeyUnusable(f"{path} does not say its address: {error}") from error


def _address_in(keystore: Mapping[str, object]) -> str | None:
    address = keystore.get("address")
    return checksum_address(f"0x{address.removeprefix('0x')}") if isinstance(address, str) else None


def create_keystore(path: Path, passphrase: str) -> DeviceKey:
    """Makes a new key in a V3 keystore at `path` (mode 0600). KeyUnusable if the file is there already."""
    from eth_account import Account

    key = os.urandom(32)
    keystore = Account.encrypt(key, passphrase)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise KeyUnusable(f"{path} cannot be made: {error}") from error
    with os.fdopen(descriptor, "w") as file:
        json.dump(keystore, file)
    return DeviceKey(key)


def _decrypted(path: Path, text: str, passphrase: str | None) -> bytes:
    from eth_account import Account

    try:
        keystore = json.loads(text)
        address = _address_in(keystore) or path.name
        return bytes(Account.decrypt(keystore, passphrase or find_passphrase(path, address)))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise KeyUnusable(f"{path}: not a V3 keystore, or another passphrase ({error})") from error


def find_passphrase(path: Path, account: str) -> str:
    """The passphrase of a keystore: from WORKER_PASSPHRASE, the file that WORKER_PASSPHRASE_FILE names, the keyring, or
    the terminal. KeyUnusable without one."""
    found = _from_environment() or _from_keyring(account)
    if found:
        return found
    if not sys.stdin.isatty():
        raise KeyUnusable(
            f"no passphrase for {path}: set {PASSPHRASE_VARIABLE} or {PASSPHRASE_FILE_VARIABLE}, or use the keyring"
        )
    return getpass.getpass(f"Passphrase of {path}: ")


def has_passphrase(account: str) -> bool:
    """Whether the passphrase of an account's keystore is to be had without asking. Raises KeyUnusable."""
    return bool(_from_environment() or _from_keyring(account))


def new_passphrase(path: Path) -> str:
    """The passphrase for a keystore that is to be made: from the environment, else asked for twice.

    KeyUnusable without one, or where the two differ or are short.
    """
    found = _from_environment()
    if found:
        return found
    if not sys.stdin.isatty():
        raise KeyUnusable(f"no passphrase for the new {path}: set {PASSPHRASE_VARIABLE} or {PASSPHRASE_FILE_VARIABLE}")
    first = getpass.getpass(f"Passphrase for the new {path}: ")
    if len(first) < PASSPHRASE_LENGTH_MIN:
        raise KeyUnusable(f"a passphrase of at least {PASSPHRASE_LENGTH_MIN} characters")
    if getpass.getpass("The same again: ") != first:
        raise KeyUnusable("the two passphrases differ")
    return first


def remember_passphrase(address: str, passphrase: str) -> bool:
    """Puts it into the keyring, so that the device can start by itself; False where there is no keyring to use."""
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(KEYRING_SERVICE, address, passphrase)
        return keyring.get_password(KEYRING_SERVICE, address) == passphrase
    except (KeyringError, RuntimeError):
        return False


def _from_environment() -> str | None:
    found, name = os.environ.get(PASSPHRASE_VARIABLE), os.environ.get(PASSPHRASE_FILE_VARIABLE)
    if found or not name:
        return found
    path = Path(name)
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise KeyUnusable(f"{path} is open to others: a passphrase is for its owner alone, use 0600")
        return path.read_text().rstrip("\n") or None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyUnusable(f"{path} cannot be read: {error}") from error


def _from_keyring(account: str) -> str | None:
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(KEYRING_SERVICE, account)
    except KeyringError:
        return None
