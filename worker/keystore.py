"""The device's key: a V3 keystore with a passphrase, or, for local networks, a file with the bare key in hex."""

import getpass
import json
import os
import stat
import sys
from pathlib import Path

from protocol.encoding import from_hex
from protocol.errors import ProtocolError
from protocol.messages import Domain, Message
from protocol.signing import address_of
from worker.errors import KeyUnusable

KEYRING_SERVICE = "multitude-worker"
PASSPHRASE_VARIABLE = "WORKER_PASSPHRASE"  # noqa: S105


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


def create_keystore(path: Path, passphrase: str) -> DeviceKey:
    """Makes a new key in a V3 keystore at `path` (mode 0600). KeyUnusable if the file is there already."""
    from eth_account import Account

    key = os.urandom(32)
    keystore = Account.encrypt(key, passphrase)
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
        address = str(keystore.get("address", path.name))
        return bytes(Account.decrypt(keystore, passphrase or find_passphrase(path, address)))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise KeyUnusable(f"{path}: not a V3 keystore, or another passphrase ({error})") from error


def find_passphrase(path: Path, account: str) -> str:
    """The passphrase of a keystore: from WORKER_PASSPHRASE, the keyring, or the terminal. KeyUnusable without one."""
    found = os.environ.get(PASSPHRASE_VARIABLE) or _from_keyring(account)
    if found:
        return found
    if not sys.stdin.isatty():
        raise KeyUnusable(f"no passphrase for {path}: set {PASSPHRASE_VARIABLE} or put it into the keyring")
    return getpass.getpass(f"Passphrase of {path}: ")


def _from_keyring(account: str) -> str | None:
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(KEYRING_SERVICE, account)
    except KeyringError:
        return None
