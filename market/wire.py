"""JSON types of the API: hex strings, decimal strings, and the protocol's messages as pydantic fields."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, StringConstraints
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from protocol.errors import ProtocolError
from protocol.messages import Bid, Binding, Lease, Message, Receipt, Session

Hash = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{64}$")]
"""32 bytes as lower-case 0x-hex: ids of blobs, jobs, programs."""
HashPath = Annotated[str, Path(pattern=r"^0x[0-9a-f]{64}$")]
AddressHex = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$")]
SignatureHex = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{130}$")]
LongSignatureHex = Annotated[str, StringConstraints(pattern=r"^0x(?:[0-9a-fA-F]{2}){0,4096}$")]
"""A signature of a key, or whatever a contract wallet takes for one (EIP-1271): up to 4,096 bytes."""
Decimal128 = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,38})$")]
"""A uint128 as a decimal string."""

_PATTERNS = {
    "bytes32": {"type": "string", "pattern": "^0x[0-9a-fA-F]{64}$"},
    "address": {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"},
}


class Wire(BaseModel):
    """A body of the API: camelCase names, nothing unknown, no coercion."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", strict=True)


class OnWire:
    """Marks a field as one of the protocol's messages in its JSON form."""

    def __init__(self, message: type[Message]) -> None:
        self._message = message

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Parses JSON objects; messages pass."""
        to_json = core_schema.plain_serializer_function_ser_schema(lambda message: message.to_json())
        return core_schema.no_info_plain_validator_function(self._parse, serialization=to_json)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of section 2's JSON form."""
        properties = {field.json_name: _schema(field.type, field.bits) for field in self._message.fields}
        return {
            "type": "object",
            "title": self._message.__name__,
            "description": (self._message.__doc__ or "").splitlines()[0],
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def _parse(self, value: object) -> Message:
        if isinstance(value, self._message):
            return value
        try:
            return self._message.from_json(value)
        except ProtocolError as error:
            raise ValueError(error.reason) from None


def _schema(kind: str, bits: int) -> dict[str, Any]:
    if kind.endswith("[]"):
        return {"type": "array", "items": _schema(kind[:-2], bits)}
    if kind in _PATTERNS:
        return _PATTERNS[kind]
    if bits >= 64:
        return {"type": "string", "pattern": "^(0|[1-9][0-9]*)$", "description": f"uint{bits}, decimal"}
    return {"type": "integer", "minimum": 0, "maximum": 2**bits - 1}


BidField = Annotated[Bid, OnWire(Bid)]
BindingField = Annotated[Binding, OnWire(Binding)]
SessionField = Annotated[Session, OnWire(Session)]
LeaseField = Annotated[Lease, OnWire(Lease)]
ReceiptField = Annotated[Receipt, OnWire(Receipt)]
