"""Words of the ABI, and the checks and JSON forms of the protocol's scalar types (sections 1 and 2)."""

from collections.abc import Sequence
from functools import lru_cache

from protocol.errors import EncodingInvalid
from protocol.hashing import keccak256

ZERO_ADDRESS = "0x" + "00" * 20
ZERO_BYTES32 = bytes(32)

UINT24_MAX = 2**24 - 1
UINT32_MAX = 2**32 - 1
UINT40_MAX = 2**40 - 1
UINT64_MAX = 2**64 - 1
UINT128_MAX = 2**128 - 1
UINT256_MAX = 2**256 - 1


def to_hex(data: bytes) -> str:
    """Bytes as 0x-hex."""
    return "0x" + data.hex()


def from_hex(text: object, length: int | None = None, name: str = "value") -> bytes:
    """Bytes of 0x-hex, of exactly `length` bytes where that is given.

    Raises EncodingInvalid for anything else.
    """
    if not isinstance(text, str) or text[:2] != "0x" or not text.isascii():
        raise EncodingInvalid(f"{name} is not 0x-hex")
    try:
        data = bytes.fromhex(text[2:])
    except ValueError:
        raise EncodingInvalid(f"{name} is not 0x-hex") from None
    if 2 * len(data) + 2 != len(text):
        raise EncodingInvalid(f"{name} is not 0x-hex")
    if length is not None and len(data) != length:
        raise EncodingInvalid(f"{name} has {len(data)} bytes, not {length}")
    return data


def check_uint(value: object, bits: int, name: str = "value") -> int:
    """The value if it is an integer of that many bits, else EncodingInvalid."""
    if type(value) is not int or value < 0 or value >> bits:
        raise EncodingInvalid(f"{name} is not a uint{bits}: {value!r}")
    return value


def check_bytes32(value: object, name: str = "value") -> bytes:
    """The value if it is 32 bytes, else EncodingInvalid."""
    if not isinstance(value, bytes) or len(value) != 32:
        raise EncodingInvalid(f"{name} is not 32 bytes")
    return value


def uint_from_json(value: object, bits: int, name: str = "value") -> int:
    """An integer of its JSON form: a decimal string from 64 bits on, a number below."""
    if bits < 64:
        return check_uint(value, bits, name)
    canonical = isinstance(value, str) and value.isascii() and value.isdigit() and (value == "0" or value[0] != "0")
    if not canonical or not isinstance(value, str) or len(value) > 78:
        raise EncodingInvalid(f"{name} is not a decimal string: {value!r}")
    return check_uint(int(value), bits, name)


def uint_to_json(value: int, bits: int) -> int | str:
    """The JSON form of an integer of that many bits."""
    return value if bits < 64 else str(value)


@lru_cache(maxsize=65536)
def checksum_address(address: str) -> str:
    """An address, in any case, with its EIP-55 checksum; EncodingInvalid for anything but 20 bytes of 0x-hex."""
    lower = from_hex(address, 20, "address").hex()
    digest = keccak256(lower.encode()).hex()
    return "0x" + "".join(c.upper() if int(d, 16) >= 8 else c for c, d in zip(lower, digest, strict=False))


def uint_word(value: int) -> bytes:
    """An unsigned integer as a word of the ABI; the caller has checked its range."""
    return value.to_bytes(32, "big")


@lru_cache(maxsize=65536)
def address_word(address: str) -> bytes:
    """An address as a word of the ABI."""
    return bytes(12) + bytes.fromhex(address[2:])


def words_of(values: Sequence[int | bytes]) -> bytes:
    """abi.encode of static values, each an unsigned integer or 32 bytes."""
    return b"".join(v if type(v) is bytes else v.to_bytes(32, "big") for v in values)  # type: ignore[union-attr]
