"""EIP-712 structs: the domain, and what all signed messages share (sections 1 and 2)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self

from protocol.encoding import (
    address_word,
    check_bytes32,
    check_uint,
    checksum_address,
    from_hex,
    to_hex,
    uint_from_json,
    uint_to_json,
    uint_word,
)
from protocol.errors import EncodingInvalid, SignatureInvalid
from protocol.hashing import keccak256
from protocol.signing import recover_digest, sign_digest

_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


class Field(NamedTuple):
    """One field of a struct: its names in Python and in JSON, its Solidity type, its width in bits if a uint."""

    name: str
    json_name: str
    type: str
    bits: int


@dataclass(frozen=True)
class Domain:
    """The EIP-712 domain: the chain and its JobEscrow."""

    chain_id: int
    verifying_contract: str

    def __post_init__(self) -> None:
        check_uint(self.chain_id, 256, "chainId")
        object.__setattr__(self, "verifying_contract", checksum_address(self.verifying_contract))

    @cached_property
    def separator(self) -> bytes:
        """hashStruct of the domain."""
        return keccak256(
            keccak256(_DOMAIN_TYPE.encode())
            + keccak256(b"Multitude")
            + keccak256(b"1")
            + uint_word(self.chain_id)
            + address_word(self.verifying_contract)
        )


class Message:
    """What the five messages share. `type_string` is the EIP-712 type, `type_hash` its hash."""

    type_string: ClassVar[str]
    type_hash: ClassVar[bytes]
    fields: ClassVar[tuple[Field, ...]]

    def __init_subclass__(cls) -> None:
        cls.type_hash = keccak256(cls.type_string.encode())
        cls.fields = tuple(_fields_of(cls.type_string))

    def __post_init__(self) -> None:
        for field in self.fields:
            value = getattr(self, field.name)
            checked = _checked(field, value)
            if checked is not value:
                object.__setattr__(self, field.name, checked)

    @cached_property
    def encoded(self) -> bytes:
        """The fields as EIP-712 encodes them: abi.encode, lists replaced by their hash."""
        return b"".join(_word(field, getattr(self, field.name)) for field in self.fields)

    @cached_property
    def struct_hash(self) -> bytes:
        """hashStruct of the message: the jobId of a bid, the receiptDigest of a receipt."""
        return keccak256(self.type_hash + self.encoded)

    def digest(self, domain: Domain) -> bytes:
        """The typed-data digest: what is signed."""
        return keccak256(b"\x19\x01" + domain.separator + self.struct_hash)

    def sign(self, domain: Domain, key: bytes) -> bytes:
        """The 65-byte signature by a 32-byte private key."""
        return sign_digest(self.digest(domain), key)

    def recover(self, domain: Domain, signature: bytes) -> str:
        """The address that signed this message; SignatureInvalid if the bytes are no signature."""
        return recover_digest(self.digest(domain), signature)

    def check_signature(self, domain: Domain, signature: bytes, signer: str) -> None:
        """SignatureInvalid unless `signer` signed this message."""
        found = self.recover(domain, signature)
        if found != checksum_address(signer):
            raise SignatureInvalid(f"signed by {found}, not by {checksum_address(signer)}")

    def to_json(self) -> dict[str, Any]:
        """The JSON form of section 2."""
        return {field.json_name: _to_json(field, getattr(self, field.name)) for field in self.fields}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The message of its JSON form. EncodingInvalid if a field is missing, unknown or out of range."""
        if not isinstance(value, Mapping):
            raise EncodingInvalid(f"{cls.__name__} is not an object")
        wanted = {field.json_name for field in cls.fields}
        if set(value) != wanted:
            names = sorted(str(name) for name in wanted.symmetric_difference(value))
            raise EncodingInvalid(f"{cls.__name__}: missing or unknown {', '.join(names)}")
        return cls(**{field.name: _from_json(field, value[field.json_name]) for field in cls.fields})


def _fields_of(type_string: str) -> list[Field]:
    inner = type_string[type_string.index("(") + 1 : -1]
    pairs = [item.split(" ") for item in inner.split(",")]
    return [
        Field(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower(), name, kind, _bits(kind)) for kind, name in pairs
    ]


def _bits(kind: str) -> int:
    return int(kind.removeprefix("uint").removesuffix("[]")) if kind.startswith("uint") else 0


def _checked(field: Field, value: Any) -> Any:
    if field.type == "address":
        return checksum_address(value)
    if field.type == "bytes32":
        return check_bytes32(value, field.json_name)
    if field.type.endswith("[]"):
        return tuple(check_uint(item, field.bits, field.json_name) for item in value)
    return check_uint(value, field.bits, field.json_name)


def _word(field: Field, value: Any) -> bytes:
    if field.type == "bytes32":
        return bytes(value)
    if field.type == "address":
        return address_word(value)
    if field.type.endswith("[]"):
        return keccak256(b"".join(uint_word(item) for item in value))
    return uint_word(value)


def _to_json(field: Field, value: Any) -> Any:
    if field.type == "bytes32":
        return to_hex(value)
    if field.type == "address":
        return value
    if field.type.endswith("[]"):
        return [uint_to_json(item, field.bits) for item in value]
    return uint_to_json(value, field.bits)


def _from_json(field: Field, value: object) -> Any:
    if field.type == "bytes32":
        return from_hex(value, 32, field.json_name)
    if field.type == "address":
        return checksum_address(to_hex(from_hex(value, 20, field.json_name)))
    if field.type.endswith("[]"):
        if not isinstance(value, list):
            raise EncodingInvalid(f"{field.json_name} is not a list")
        return tuple(uint_from_json(item, field.bits, field.json_name) for item in value)
    return uint_from_json(value, field.bits, field.json_name)
