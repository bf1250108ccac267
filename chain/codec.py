"""Calldata, return values, events and custom errors by ABI.

Structs come back as dicts by field name, lists as lists, bytes as `bytes`, addresses checksummed. Protocol messages,
dataclasses and named tuples go in as they are: their fields in order are the struct's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple, TypeAlias

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError

from chain.abi import Abi, Item, Parameter, all_errors
from chain.errors import AbiUnknown, ContractReverted
from protocol.encoding import checksum_address

_PANIC = bytes.fromhex("4e487b71")
_ERROR = bytes.fromhex("08c379a0")


Decoded: TypeAlias = Any
"""A value whose type its ABI knows: int, bool, str, bytes, a list, or a dict of a struct."""


class Event(NamedTuple):
    """A decoded log. `args` by name: structs as dicts, bytes as bytes, addresses checksummed."""

    name: str
    contract: str
    args: dict[str, Any]
    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int


def plain(value: object) -> Decoded:
    """Dataclasses and named tuples as tuples of their fields, all the way down."""
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(plain(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, (tuple, list)):
        return tuple(plain(item) for item in value)
    return value


def encode_call(abi: Abi, function: str, args: Sequence[object]) -> bytes:
    """Calldata of a call. Raises AbiUnknown for an unknown function or arguments that do not fit it."""
    item = abi.function(function)
    try:
        return item.selector + encode([value.type for value in item.inputs], plain(tuple(args)))
    except (EncodingError, ValueError, TypeError, OverflowError) as error:
        raise AbiUnknown(f"{abi.name}.{function}: {error}") from None


def decode_result(abi: Abi, function: str, data: bytes) -> Decoded:
    """What a call returned: nothing, the one value, or a tuple of them. Raises AbiUnknown if it is something else."""
    outputs = abi.function(function).outputs
    values = _decode(outputs, data, f"{abi.name}.{function}")
    return None if not values else values[0] if len(values) == 1 else tuple(values)


def decode_args(item: Item, data: bytes) -> dict[str, Any]:
    """The arguments behind a selector, by name."""
    values = _decode(item.inputs, data, item.name)
    return {parameter.name: value for parameter, value in zip(item.inputs, values, strict=True)}


def decode_log(abi: Abi, topics: Sequence[bytes], data: bytes) -> tuple[str, dict[str, Any]] | None:
    """The name and arguments of a contract's event; None for one that its ABI does not have."""
    item = abi.events.get(topics[0]) if topics else None
    if item is None:
        return None
    rest = iter(_decode([value for value in item.inputs if not value.indexed], data, item.name))
    words = iter(topics[1:])
    return item.name, {value.name: _topic(value, next(words)) if value.indexed else next(rest) for value in item.inputs}


def revert_of(data: bytes) -> ContractReverted:
    """The error that revert data carries."""
    if data[:4] == _ERROR:
        return ContractReverted("Error", (_one("string", data),), data)
    if data[:4] == _PANIC:
        return ContractReverted("Panic", (_one("uint256", data),), data)
    item = all_errors().get(data[:4])
    if item is None:
        return ContractReverted("0x" + data[:4].hex() if data else "", (), data)
    try:
        values = _decode(item.inputs, data[4:], item.name)
    except AbiUnknown:
        values = []
    return ContractReverted(item.name, tuple(values), data)


def named(parameter: Parameter, value: Decoded) -> Decoded:
    """A decoded value with structs as dicts and addresses checksummed."""
    if parameter.type.endswith("]"):
        inner = parameter._replace(type=parameter.type[: parameter.type.rindex("[")])
        return [named(inner, item) for item in value]
    if parameter.parts:
        return {part.name: named(part, item) for part, item in zip(parameter.parts, value, strict=True)}
    return checksum_address(value) if parameter.type == "address" else value


def jsonable(value: Decoded) -> Decoded:
    """Decoded values in the JSON form of docs/protocol.md, every integer past 53 bits as a decimal string."""
    if isinstance(value, Mapping):
        return {name: jsonable(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return str(value) if type(value) is int and value >> 53 else value


def revive(item: Item, args: Mapping[str, Any]) -> dict[str, Any]:
    """An event's arguments out of their JSON form."""
    return {parameter.name: _revived(parameter, args[parameter.name]) for parameter in item.inputs}


def _revived(parameter: Parameter, value: Decoded) -> Decoded:
    if parameter.type.endswith("]"):
        inner = parameter._replace(type=parameter.type[: parameter.type.rindex("[")])
        return [_revived(inner, item) for item in value]
    if parameter.parts:
        return {part.name: _revived(part, value[part.name]) for part in parameter.parts}
    if parameter.type.startswith("bytes"):
        return bytes.fromhex(value[2:])
    return int(value) if "int" in parameter.type else value


def _decode(parameters: Sequence[Parameter], data: bytes, what: str) -> list[Any]:
    try:
        values = decode([value.type for value in parameters], data)
    except (DecodingError, OverflowError, ValueError) as error:
        raise AbiUnknown(f"{what}: {error}") from None
    return [named(parameter, value) for parameter, value in zip(parameters, values, strict=True)]


def _topic(parameter: Parameter, word: bytes) -> Decoded:
    return named(parameter, decode([parameter.type], word)[0])


def _one(kind: str, data: bytes) -> object:
    try:
        return decode([kind], data[4:])[0]
    except DecodingError:
        return ""
