import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import OutputBlobInvalid
from protocol.merkle import TaskResult
from protocol.output_blob import MAGIC, check_outputs, decode_outputs, encode_outputs, outputs_size_max

OUTPUTS = (b"", b"one", b"x" * 40)
BLOB = encode_outputs(OUTPUTS)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        BLOB[:-1],
        BLOB + b"\0",
        BLOB[:9],
        BLOB[:12],
        b"MNYO\x02" + BLOB[5:],
        MAGIC + (2).to_bytes(4, "big") + BLOB[9:],
        MAGIC + (3).to_bytes(4, "big") + (2**32 - 1).to_bytes(4, "big"),
    ],
)
def test_decode_of_a_malformed_blob_is_refused(blob):
    with pytest.raises(OutputBlobInvalid):
        decode_outputs(blob, 3, 2**32 - 1)


@pytest.mark.parametrize("count", [0, 2, 4])
def test_decode_with_another_count_is_refused(count):
    with pytest.raises(OutputBlobInvalid):
        decode_outputs(BLOB, count, 40)


def test_decode_of_an_output_above_the_limit_is_refused():
    with pytest.raises(OutputBlobInvalid, match="above 39"):
        decode_outputs(BLOB, 3, 39)


def test_check_outputs_that_are_not_the_results_is_refused():
    results = [TaskResult.of_output(i, output, 5) for i, output in enumerate(OUTPUTS)]
    check_outputs(results, OUTPUTS)
    for wrong in (OUTPUTS[:2], (b"", b"onf", OUTPUTS[2]), (b"\0", *OUTPUTS[1:]), (b"", b"one\0", OUTPUTS[2])):
        with pytest.raises(OutputBlobInvalid):
            check_outputs(results, wrong)


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_decode_of_encode_is_the_same_outputs(outputs):
    blob = encode_outputs(outputs)
    assert decode_outputs(blob, len(outputs), 50) == tuple(outputs)
    assert len(blob) <= outputs_size_max(len(outputs), 50)
