import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import EncodingInvalid, SignatureInvalid
from protocol.signing import address_of, recover_digest, sign_digest

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
DIGEST = bytes(range(32))
SIGNATURE = sign_digest(DIGEST, KEY)


@pytest.mark.parametrize("key", [b"", bytes(32), b"\xff" * 32, b"\x01" * 31, b"\x01" * 33])
def test_sign_digest_with_what_is_no_key_is_refused(key):
    with pytest.raises(SignatureInvalid):
        sign_digest(DIGEST, key)
    with pytest.raises(SignatureInvalid):
        address_of(key)


@pytest.mark.parametrize("digest", [b"", bytes(31), bytes(33)])
def test_recover_digest_of_another_length_is_refused(digest):
    with pytest.raises(EncodingInvalid):
        recover_digest(digest, SIGNATURE)
    with pytest.raises(EncodingInvalid):
        sign_digest(digest, KEY)


@pytest.mark.parametrize(
    "signature",
    [
        SIGNATURE[:64],
        SIGNATURE + b"\0",
        SIGNATURE[:64] + b"\0",
        SIGNATURE[:64] + b"\x01",
        SIGNATURE[:64] + b"\x1d",
        bytes(64) + b"\x1b",
        SIGNATURE[:32] + bytes(32) + b"\x1b",
        b"\xff" * 32 + SIGNATURE[32:],
        bytes(31) + b"\x05" + SIGNATURE[32:],
    ],
)
def test_recover_digest_of_a_malformed_signature_is_refused(signature):
    with pytest.raises(SignatureInvalid):
        recover_digest(DIGEST, signature)


def test_recover_digest_of_a_high_s_is_refused():
    s = ORDER - int.from_bytes(SIGNATURE[32:64], "big")
    flipped = SIGNATURE[:32] + s.to_bytes(32, "big") + bytes([55 - SIGNATURE[64]])
    with pytest.raises(SignatureInvalid, match="upper half"):
        recover_digest(DIGEST, flipped)


def test_address_of_known_key_is_its_checksummed_address():
    assert address_of(KEY) == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


@settings(max_examples=50)
@given(st.integers(1, ORDER - 1), st.binary(min_size=32, max_size=32))
def test_recover_digest_of_a_signature_is_the_signer(secret, digest):
    key = secret.to_bytes(32, "big")
    assert recover_digest(digest, sign_digest(digest, key)) == address_of(key)
