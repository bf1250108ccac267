import pytest
from eth_abi import encode
from eth_abi.packed import encode_packed
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import EncodingInvalid, VerdictsInvalid
from protocol.verdicts import Verdict, Verdicts, ballot_commitment, epoch_salt, salt_of, state_digest
from tests.vectors.samples import VERIFIER, key_of, word_of

RIGHT = (Verdict.RIGHT, word_of("state"))
WRONG = (Verdict.WRONG, bytes(32))
UNAVAILABLE = (Verdict.UNAVAILABLE, bytes(32))


@pytest.mark.parametrize("leaf", [-1, 128])
def test_of_a_leaf_outside_the_epoch_is_refused(leaf):
    with pytest.raises(VerdictsInvalid):
        Verdicts.of({leaf: RIGHT})


@pytest.mark.parametrize(
    "verdict", [(Verdict.NOT_MINE, bytes(32)), (Verdict.RIGHT, bytes(32)), (Verdict.WRONG, word_of("state"))]
)
def test_of_a_verdict_with_the_wrong_digest_is_refused(verdict):
    with pytest.raises(VerdictsInvalid):
        Verdicts.of({0: verdict})


def test_verdicts_with_a_digest_too_few_or_too_many_are_refused():
    with pytest.raises(VerdictsInvalid):
        Verdicts(1, ())
    with pytest.raises(VerdictsInvalid):
        Verdicts(0, (word_of("state"),))
    with pytest.raises(EncodingInvalid):
        Verdicts(1, (b"short",))
    with pytest.raises(EncodingInvalid):
        Verdicts(1 << 256, ())


def test_ballot_commitment_of_no_vote_is_refused():
    with pytest.raises(VerdictsInvalid):
        ballot_commitment(word_of("salt"), VERIFIER, word_of("subject"), Verdict.NOT_MINE)


def test_state_digest_of_what_is_no_digest_is_refused():
    with pytest.raises(EncodingInvalid):
        state_digest([b"short"])


def test_of_packs_two_bits_for_each_leaf():
    found = Verdicts.of({3: UNAVAILABLE, 0: RIGHT, 1: WRONG})
    assert found.packed == 0b11_00_10_01
    assert found.digests == (RIGHT[1], bytes(32), bytes(32))
    assert found.digest_of(0) == RIGHT[1]
    assert found.digest_of(2) is None
    assert Verdicts.of({127: WRONG}).packed == 2 << 254


@given(st.dictionaries(st.integers(0, 127), st.sampled_from([RIGHT, WRONG, UNAVAILABLE])))
def test_by_leaf_is_what_was_packed(chosen):
    found = Verdicts.of(chosen)
    assert found.by_leaf == {leaf: verdict for leaf, (verdict, _) in sorted(chosen.items())}
    assert Verdicts(found.packed, found.digests) == found


def test_commitments_are_those_of_abi_encode():
    found, salt = Verdicts.of({0: RIGHT, 5: WRONG}), word_of("salt")
    digests = keccak(encode_packed(["bytes32[]"], [list(found.digests)]))
    types = ["bytes32", "address", "uint64", "uint256", "bytes32"]
    assert found.commitment(salt, VERIFIER, 9) == keccak(encode(types, [salt, VERIFIER, 9, found.packed, digests]))
    assert found.hash == keccak(encode(["uint256", "bytes32"], [found.packed, digests]))
    types = ["bytes32", "address", "bytes32", "uint8"]
    ballot = keccak(encode(types, [salt, VERIFIER, word_of("subject"), 2]))
    assert ballot_commitment(salt, VERIFIER, word_of("subject"), Verdict.WRONG) == ballot


def test_salts_differ_by_key_and_subject_and_come_back():
    key = key_of("verifier")
    assert epoch_salt(key, 1) == salt_of(key, (1).to_bytes(32, "big"))
    assert len({epoch_salt(key, 1), epoch_salt(key, 2), epoch_salt(key_of("other"), 1)}) == 3


def test_state_digest_depends_on_order_and_marks_nothing_drawn():
    first, second = word_of("s", 0), word_of("s", 1)
    assert state_digest([]) == (1).to_bytes(32, "big")
    assert state_digest([first, second]) == keccak(first + second) != state_digest([second, first])
