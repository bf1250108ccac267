import pytest
from eth_abi import encode
from eth_utils import keccak

from protocol.errors import EncodingInvalid
from protocol.program import ProgramFacts
from tests.vectors.samples import word_of

FACTS = {
    "assurance": 1,
    "original_hash": word_of("o"),
    "rewritten_hash": word_of("r"),
    "code_root": bytes(32),
    "initial_memory_root": word_of("m"),
    "limit_wu": 5,
    "memory_pages": 6,
    "frame_bytes": 7,
    "tool_version": 8,
}


@pytest.mark.parametrize(
    "changes",
    [{"assurance": 0}, {"assurance": 3}, {"code_root": b""}, {"limit_wu": 2**64}, {"memory_pages": 2**32}],
)
def test_program_facts_outside_their_types_are_refused(changes):
    with pytest.raises(EncodingInvalid):
        ProgramFacts(**(FACTS | changes))


def test_program_id_is_that_of_abi_encode():
    types = ["uint8", *["bytes32"] * 4, "uint64", "uint32", "uint32", "uint32"]
    assert ProgramFacts(**FACTS).program_id == keccak(encode(types, list(FACTS.values())))
