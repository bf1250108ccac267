import pytest
from eth_abi import encode
from eth_abi.packed import encode_packed
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding import UINT64_MAX, UINT128_MAX
from protocol.errors import EncodingInvalid, ProofInvalid, TreeInvalid
from protocol.merkle import (
    EMPTY_ROOT,
    InputTree,
    Kind,
    Node,
    ReceiptTree,
    ResultTree,
    Status,
    TaskResult,
    Tree,
    WordTree,
    climb,
    depth_of,
    inputs_root,
    verify,
    words_root,
    words_root_sparse,
)
from tests.vectors.generate import COUNTS
from tests.vectors.samples import bid_of, receipts_of, results_of, word_of

DATA_LENGTHS = (0, 1, 31, 32, 33, 64, 96, 4096, 4097, 12288, 12289, 20480, 70000)


def _trees(count: int) -> list[Tree]:
    inputs = [(i, word_of("input", i)) for i in range(count)]
    words = b"".join(word_of("word", i) for i in range(count))
    return [ResultTree(results_of(count)), ReceiptTree(receipts_of(count)), InputTree(inputs), WordTree(words)]


def _reference_root(kind: int, leaves: list[tuple]) -> tuple:
    """Section 3 written down once more, on eth_abi."""
    depth = 0
    while 1 << depth < len(leaves):
        depth += 1
    sums = len(leaves[0]) - 1
    level = leaves + [(bytes(32), *(0,) * sums)] * ((1 << depth) - len(leaves))
    while len(level) > 1:
        parents = []
        for left, right in zip(level[::2], level[1::2], strict=True):
            types = ["uint8", "uint8", *(["bytes32"] + ["uint128"] * sums) * 2]
            digest = keccak(encode_packed(types, [1, kind, *left, *right]))
            parents.append((digest, *(a + b for a, b in zip(left[1:], right[1:], strict=True))))
        level = parents
    return level[0]


def _leaf(kind: int, types: list[str], values: list) -> bytes:
    return keccak(encode_packed(["uint8", "uint8"], [0, kind]) + encode(types, values))


@pytest.mark.parametrize("count", [0, -1])
def test_depth_of_no_leaves_is_refused(count):
    with pytest.raises(TreeInvalid):
        depth_of(count)


def test_tree_of_no_leaves_is_refused():
    for kind in Kind:
        with pytest.raises(TreeInvalid):
            Tree(kind, [])


def test_tree_with_sums_past_uint128_is_refused():
    leaf = Node(bytes(32), (UINT128_MAX,))
    with pytest.raises(TreeInvalid, match="uint128"):
        Tree(Kind.RECEIPT, [leaf, leaf])


@pytest.mark.parametrize("index", [-1, 3, 4])
def test_proof_of_a_leaf_outside_the_tree_is_refused(index):
    tree = ResultTree(results_of(3))
    with pytest.raises(TreeInvalid):
        tree.proof(index)
    with pytest.raises(ProofInvalid):
        climb(tree.kind, tree.leaf(0), index, 3, tree.proof(0))


@pytest.mark.parametrize("count", COUNTS)
def test_verify_with_a_proof_of_the_wrong_length_is_refused(count):
    for tree in _trees(count):
        proof = tree.proof(0)
        extra = Node(bytes(32), tuple(0 for _ in tree.top.sums))
        for wrong in ([*proof, extra], proof[:-1] if proof else [extra, extra]):
            with pytest.raises(ProofInvalid, match="entries"):
                verify(tree.kind, tree.top, tree.leaf(0), 0, count, wrong)


def test_verify_under_another_count_of_leaves_is_refused():
    tree = ResultTree(results_of(5))
    for count in (1, 2, 4, 9):
        with pytest.raises(ProofInvalid):
            verify(tree.kind, tree.top, tree.leaf(0), 0, count, tree.proof(0))


def test_verify_with_sums_missing_or_out_of_range_is_refused():
    tree = ReceiptTree(receipts_of(2))
    sibling = tree.proof(0)[0]
    for sums in ((), (1, 2), (-1,), (UINT128_MAX + 1,), (UINT128_MAX,)):
        with pytest.raises(ProofInvalid):
            verify(tree.kind, tree.top, tree.leaf(0), 0, 2, [Node(sibling.hash, sums)])
    with pytest.raises(ProofInvalid):
        verify(tree.kind, tree.top, tree.leaf(0), 0, 2, [Node(sibling.hash[:31], sibling.sums)])


@settings(max_examples=60)
@given(st.sampled_from([2, 3, 5, 16]), st.integers(0, 3), st.data())
def test_verify_with_one_bit_flipped_is_refused(count, which, data):
    tree = _trees(count)[which]
    index = data.draw(st.integers(0, count - 1))
    proof = list(tree.proof(index))
    level = data.draw(st.integers(0, len(proof) - 1))
    bit = data.draw(st.integers(0, 255))
    node = proof[level]
    flipped = bytearray(node.hash)
    flipped[bit // 8] ^= 1 << bit % 8
    proof[level] = Node(bytes(flipped), node.sums)
    with pytest.raises(ProofInvalid):
        verify(tree.kind, tree.top, tree.leaf(index), index, count, proof)


@settings(max_examples=60)
@given(st.sampled_from([2, 3, 5, 16]), st.integers(0, 1), st.data())
def test_verify_with_a_sum_moved_is_refused(count, which, data):
    tree = _trees(count)[which]
    index = data.draw(st.integers(0, count - 1))
    proof = list(tree.proof(index))
    level = data.draw(st.integers(0, len(proof) - 1))
    place = data.draw(st.integers(0, len(proof[0].sums) - 1))
    sums = list(proof[level].sums)
    sums[place] ^= 1 << data.draw(st.integers(0, 100))
    proof[level] = Node(proof[level].hash, tuple(sums))
    with pytest.raises(ProofInvalid):
        verify(tree.kind, tree.top, tree.leaf(index), index, count, proof)
    leaf = tree.leaf(index)
    richer = Node(leaf.hash, (leaf.sums[0] + 1, *leaf.sums[1:]))
    with pytest.raises(ProofInvalid):
        verify(tree.kind, tree.top, richer, index, count, tree.proof(index))


def test_verify_of_a_leaf_at_another_index_is_refused():
    tree = ResultTree(results_of(5))
    with pytest.raises(ProofInvalid):
        verify(tree.kind, tree.top, tree.leaf(2), 3, 5, tree.proof(2))


def test_verify_of_one_kind_as_another_is_refused():
    words = [word_of("word", i) for i in range(4)]
    inputs = Tree(Kind.INPUT, [Node(word) for word in words])
    with pytest.raises(ProofInvalid):
        verify(Kind.WORD, inputs.top, inputs.leaf(1), 1, 4, inputs.proof(1))


@pytest.mark.parametrize("count", COUNTS)
def test_verify_of_every_proof_is_accepted(count):
    for tree in _trees(count):
        for index in range(count):
            verify(tree.kind, tree.top, tree.leaf(index), index, count, tree.proof(index))


@pytest.mark.parametrize("count", COUNTS)
def test_roots_are_those_of_the_written_definition(count):
    result_types = ["uint32", "uint64", "bytes32", "uint64", "uint8"]
    results = results_of(count)
    leaves = [
        (_leaf(1, result_types, [r.task_index, r.output_length, r.output_root, r.wu, r.status]), r.wu, r.wu**2)
        for r in results
    ]
    tree = ResultTree(results)
    assert (tree.root, tree.total_wu, tree.total_squared_wu) == _reference_root(1, leaves)
    receipts = receipts_of(count)
    kinds = [field.type for field in receipts[0][0].fields]
    leaves = [
        (_leaf(2, kinds, [getattr(receipt, field.name) for field in receipt.fields]), debit)
        for receipt, debit in receipts
    ]
    assert (ReceiptTree(receipts).root, ReceiptTree(receipts).sum) == _reference_root(2, leaves)
    inputs = [word_of("input", i)[: i % 33] for i in range(count)]
    leaves = [(_leaf(3, ["uint64", "bytes32"], [len(data), words_root(data)]),) for data in inputs]
    assert (inputs_root(inputs),) == _reference_root(3, leaves)


@pytest.mark.parametrize("length", DATA_LENGTHS)
def test_words_root_is_that_of_the_word_tree(length):
    zeros, full = bytes(length), (word_of("data") * (length // 32 + 1))[:length]
    spotted = bytearray(length)
    spotted[length // 2 : length // 2 + 1] = b"\x05"[: length and 1]
    for data in (zeros, full, bytes(spotted), bytearray(full), memoryview(full)):
        assert words_root(data) == WordTree(data).root
    padded = full + bytes(-length % 32 or (0 if length else 32))
    leaves = [(_leaf(4, ["bytes32"], [padded[i : i + 32]]),) for i in range(0, len(padded), 32)]
    if length <= 4097:
        assert (words_root(full),) == _reference_root(4, leaves)


@settings(max_examples=40)
@given(st.integers(0, 40_000), st.lists(st.tuples(st.integers(0, 40_000), st.binary(max_size=300)), max_size=4))
def test_words_root_sparse_is_words_root_of_the_whole(length, segments):
    segments = [(offset, data) for offset, data in segments if offset + len(data) <= length]
    whole = bytearray(length)
    for offset, data in segments:
        whole[offset : offset + len(data)] = data
    assert words_root_sparse(length, segments) == WordTree(whole).root


@pytest.mark.parametrize("segment", [(-1, b"a"), (64, b"a"), (63, b"ab")])
def test_words_root_sparse_with_a_segment_outside_is_refused(segment):
    with pytest.raises(TreeInvalid):
        words_root_sparse(64, [segment])


def test_words_root_of_a_mostly_empty_memory_hashes_little(monkeypatch):
    calls = []
    real = words_root.__globals__["keccak256"]
    monkeypatch.setitem(words_root.__globals__, "keccak256", lambda data: calls.append(1) or real(data))
    words_root_sparse(1024 * 65536, [(70_000, b"data" * 1000)])
    assert 0 < len(calls) < 2_000


@pytest.mark.parametrize(
    "changes",
    [
        {"task_index": 2**32},
        {"output_length": 2**64},
        {"output_root": bytes(31)},
        {"wu": -1},
        {"wu": UINT64_MAX + 1},
        {"status": 256},
    ],
)
def test_task_result_outside_its_types_is_refused(changes):
    fields = {"task_index": 0, "output_length": 0, "output_root": EMPTY_ROOT, "wu": 1, "status": 0}
    with pytest.raises(EncodingInvalid):
        TaskResult(**(fields | changes))


LIMIT = bid_of().task_limit_wu
MAX_OUTPUT = bid_of().max_output_bytes


@pytest.mark.parametrize(
    "result",
    [
        TaskResult.of_output(6, b"x", 5),
        TaskResult.of_output(5, b"x", 0),
        TaskResult.of_output(5, b"x", LIMIT + 1),
        TaskResult(5, 0, EMPTY_ROOT, LIMIT, 4),
        TaskResult(5, MAX_OUTPUT + 1, bytes(32), 5, 0),
        TaskResult(5, 0, bytes(32), 5, 0),
        TaskResult.of_output(5, b"x", LIMIT, Status.TRAP),
        TaskResult.of_output(5, b"", LIMIT - 1, Status.WU_LIMIT),
    ],
)
def test_fault_of_a_result_that_no_run_gives_is_told(result):
    assert result.fault(5, bid_of())


@pytest.mark.parametrize(
    "result",
    [
        TaskResult.of_output(5, b"", 1),
        TaskResult.of_output(5, b"x", LIMIT),
        TaskResult(5, MAX_OUTPUT, word_of("big"), 5, 0),
        TaskResult.of_output(5, b"", LIMIT, Status.OUTPUT_TOO_LONG),
    ],
)
def test_fault_of_a_possible_result_is_none(result):
    assert result.fault(5, bid_of()) is None
