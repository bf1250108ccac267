import sys

from protocol import hashing

EMPTY = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
ABC = "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"


def test_keccak256_known_inputs_gives_published_digests():
    assert hashing.keccak256(b"").hex() == EMPTY
    assert hashing.keccak256(b"abc").hex() == ABC


def test_load_without_the_extension_falls_back_to_the_same_hash(monkeypatch):
    monkeypatch.setitem(sys.modules, "sha3", None)
    fallback = hashing._load()
    assert fallback is not hashing.keccak256
    assert fallback(b"abc").hex() == ABC
