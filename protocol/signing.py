"""secp256k1 signatures of digests: 65 bytes r, s, v with v 27 or 28 and a low s (section 2)."""

from coincurve import PrivateKey, PublicKey

from protocol.encoding import check_bytes32, checksum_address, to_hex
from protocol.errors import SignatureInvalid
from protocol.hashing import keccak256

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_HALF_ORDER = _ORDER // 2


def address_of(key: bytes) -> str:
    """The checksummed address of a 32-byte private key; SignatureInvalid if it is no key."""
    return _address(_private_key(key).public_key)


def sign_digest(digest: bytes, key: bytes) -> bytes:
    """The deterministic signature (RFC 6979) of a 32-byte digest by a 32-byte private key."""
    signature = _private_key(key).sign_recoverable(check_bytes32(digest, "digest"), hasher=None)
    return signature[:64] + bytes([27 + signature[64]])


def recover_digest(digest: bytes, signature: bytes) -> str:
    """The checksummed address that signed the digest.

    Raises SignatureInvalid for a wrong length, a v that is not 27 or 28, a high s, or numbers off the curve.
    """
    check_bytes32(digest, "digest")
    if len(signature) != 65:
        raise SignatureInvalid(f"a signature has 65 bytes, not {len(signature)}")
    if signature[64] not in (27, 28):
        raise SignatureInvalid(f"v is 27 or 28, not {signature[64]}")
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise SignatureInvalid("s is in the upper half")
    compact = signature[:64] + bytes([signature[64] - 27])
    try:
        key = PublicKey.from_signature_and_message(compact, digest, hasher=None)
    except ValueError:
        raise SignatureInvalid("no key gives this signature") from None
    return _address(key)


def _private_key(key: bytes) -> PrivateKey:
    if len(key) != 32:
        raise SignatureInvalid(f"a private key has 32 bytes, not {len(key)}")
    try:
        return PrivateKey(key)
    except ValueError:
        raise SignatureInvalid("not a private key") from None


def _address(key: PublicKey) -> str:
    return checksum_address(to_hex(keccak256(key.format(compressed=False)[1:])[12:]))
