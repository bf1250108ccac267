"""The owner whom a device is bound to, and the owner's consent: a key on this machine, or a signature."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocol.encoding import checksum_address, from_hex, to_hex
from protocol.errors import ProtocolError
from protocol.messages import Binding, Domain
from worker.control import write_whole
from worker.errors import SettingsInvalid
from worker.keystore import DeviceKey, load_key


@dataclass(frozen=True)
class Owner:
    """An owner's address, with either its key or its signature of the binding."""

    address: str
    key: DeviceKey | None = None
    signature: bytes | None = None

    def sign(self, binding: Binding, domain: Domain) -> bytes:
        """The owner's signature of a binding. SettingsInvalid if it is one of another device or network."""
        if self.key is not None:
            return self.key.sign(binding, domain)
        try:
            binding.check_signature(domain, self.signature or b"", self.address)
        except ProtocolError as error:
            raise SettingsInvalid(f"the owner's signature is not of this device: {error.reason}") from None
        return self.signature or b""


def binding_to_sign(binding: Binding, domain: Domain) -> dict[str, Any]:
    """The binding as a wallet takes it in eth_signTypedData_v4."""
    names = {"name": "string", "version": "string", "chainId": "uint256", "verifyingContract": "address"}
    return {
        "types": {
            "EIP712Domain": [{"name": name, "type": kind} for name, kind in names.items()],
            "Binding": [{"name": field.json_name, "type": field.type} for field in Binding.fields],
        },
        "primaryType": "Binding",
        "domain": {
            "name": "Multitude",
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": domain.verifying_contract,
        },
        "message": binding.to_json(),
    }


def write_consent(path: Path, owner: str, signature: bytes) -> None:
    """Keeps the owner's signature of the binding where `load_owner` reads it."""
    write_whole(path, json.dumps({"owner": owner, "ownerSignature": to_hex(signature)}))


def load_owner(address: str | None, key_file: Path | None, binding_file: Path | None) -> Owner | None:
    """The owner of the settings; None where the binding is done elsewhere.

    `binding_file` is JSON: {"owner": address, "ownerSignature": 0x-hex}. Raises SettingsInvalid, KeyUnusable.
    """
    if key_file is not None:
        key = load_key(key_file)
        owner = Owner(key.address, key=key)
    elif binding_file is not None:
        owner = _signed_elsewhere(binding_file)
    else:
        return None
    if address is not None and checksum_address(address) != owner.address:
        raise SettingsInvalid(f"the owner is to be {address}, and the consent is that of {owner.address}")
    return owner


def _signed_elsewhere(path: Path) -> Owner:
    try:
        value = json.loads(path.read_text())
        return Owner(
            checksum_address(value["owner"]), signature=from_hex(value["ownerSignature"], 65, "ownerSignature")
        )
    except (OSError, ValueError, KeyError, TypeError, ProtocolError) as error:
        raise SettingsInvalid(f"{path} holds no owner's consent: {error}") from error
