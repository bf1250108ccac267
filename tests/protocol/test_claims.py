"""Packed leaves of a claim, and the nodes that go beside them."""

import random
from dataclasses import replace

import pytest

from protocol.claims import PackedLeaf, packed_leaf, unpacked_leaves
from protocol.encoding import checksum_address
from protocol.errors import EncodingInvalid, TreeInvalid
from protocol.merkle import ReceiptTree
from protocol.messages import Receipt
from protocol.spans import SpanSet

JOB = b"\x07" * 32
DEVICE = checksum_address("0x" + "ab" * 20)


def a_leaf(chance, index):
    spans = SpanSet.of(chance.sample(range(700), chance.randrange(1, 40)))
    receipt = Receipt(
        job_id=JOB,
        device=DEVICE,
        period=chance.randrange(2**32),
        spans_hash=spans.hash,
        results_root=chance.randbytes(32),
        count=chance.randrange(2**32),
        total_wu=chance.randrange(2**64),
        total_squared_wu=chance.randrange(2**128),
        amount=chance.randrange(2**128),
        post_by=chance.randrange(2**40),
    )
    return PackedLeaf(index, receipt, spans, chance.randbytes(65))


def test_packed_leaf_signature_without_v_raises():
    index, receipt, spans, signature = a_leaf(random.Random(1), 0)
    with pytest.raises(EncodingInvalid):
        packed_leaf(index, receipt, spans, signature[:64])


def test_packed_leaf_index_beyond_uint32_raises():
    leaf = a_leaf(random.Random(2), 2**32)
    with pytest.raises(EncodingInvalid):
        packed_leaf(*leaf)


@pytest.mark.parametrize("cut", [1, 33, 150])
def test_unpacked_leaves_cut_short_raises(cut):
    packed = packed_leaf(*a_leaf(random.Random(3), 0))
    with pytest.raises(EncodingInvalid):
        list(unpacked_leaves(JOB, packed[:-cut]))


def test_unpacked_leaves_are_what_was_packed():
    chance = random.Random(4)
    leaves = [a_leaf(chance, index) for index in range(20)]
    assert list(unpacked_leaves(JOB, b"".join(packed_leaf(*leaf) for leaf in leaves))) == leaves


def test_shared_proof_of_no_such_leaf_raises():
    tree = ReceiptTree([(a_leaf(random.Random(5), 0).receipt, 1)] * 3)
    with pytest.raises(TreeInvalid):
        tree.shared_proof([3])


def test_shared_proof_of_all_leaves_is_empty_and_of_one_its_path_without_padding():
    receipt = a_leaf(random.Random(6), 0).receipt
    tree = ReceiptTree([(replace(receipt, period=i), i) for i in range(5)])
    assert tree.shared_proof(range(5)) == ()
    assert tree.shared_proof([0]) == tree.proof(0)
    assert tree.shared_proof([4]) == tree.proof(4)[2:]
    assert tree.shared_proof([1, 2]) == (tree.leaf(0), tree.leaf(3), tree.proof(0)[2])
