"""The libraries against the shared vectors: every type hash, struct hash, leaf, node, path, draw and split."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import brownie
import pytest
from brownie.exceptions import VirtualMachineError

from protocol.claims import packed_leaf
from protocol.merkle import ReceiptTree
from protocol.messages import Receipt
from protocol.spans import SpanSet
from tests.contracts.chain import ZERO, reverts
from tests.contracts.conftest import struct

VECTORS = Path(__file__).resolve().parents[1] / "vectors"


def vectors(name: str) -> Any:
    """One file of the shared vectors."""
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def harness(accounts: Any) -> Any:
    """The libraries, callable."""
    return accounts[0].deploy(brownie.LibraryHarness)


def hexed(value: Any) -> str:
    """bytes32 as the vectors write it."""
    return "0x" + bytes(value).hex()


def message_tuple(message: dict[str, Any]) -> tuple[Any, ...]:
    return tuple([int(v) for v in value] if isinstance(value, list) else value for value in message.values())


# --- claims


def plain(value: Any) -> Any:
    """A field in a form that can be compared."""
    return hexed(value) if isinstance(value, bytes) else value


def a_packed_leaf(index: int, words: int = 1) -> tuple[Receipt, SpanSet, bytes, bytes]:
    """A receipt, its spans, a made-up signature, and the leaf."""
    case = next(case for case in vectors("messages")["cases"] if case["type"] == "Receipt")
    receipt = replace(Receipt.from_json(case["message"]), period=7 + index)
    spans = SpanSet(3, (2**256 - 1,) * (words - 1) + (1 << index,))
    signature = bytes(range(65))
    return receipt, spans, signature, packed_leaf(index, receipt, spans, signature)


def test_packed_leaves_are_read_as_python_packs_them(harness: Any) -> None:
    made = [a_packed_leaf(index, words) for index, words in ((0, 1), (1, 3), (127, 2))]
    fields, words = harness.packedLeaves(b"".join(packed for *_, packed in made))
    for (receipt, spans, signature, packed), leaf, read in zip(made, fields, words, strict=True):
        leaf_index, first_word, device, v, r, s, found = leaf
        assert packed == packed_leaf(int(leaf_index), receipt, spans, signature)
        assert (first_word, tuple(map(int, read)), device) == (3, spans.words, receipt.device)
        assert bytes(r) + bytes(s) + bytes([v]) == signature
        unset = {"job_id": bytes(32), "spans_hash": bytes(32)}
        expected = struct(replace(receipt, **unset))
        assert [plain(value) for value in found] == [plain(value) for value in expected]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6])
def test_shared_proofs_of_all_subsets_equal_python(harness: Any, count: int) -> None:
    receipt = a_packed_leaf(0)[0]
    tree = ReceiptTree([(replace(receipt, period=i), 10**i) for i in range(count)])
    for chosen in (set(which) for size in range(1, count + 1) for which in combinations(range(count), size)):
        nodes = [(tree.leaf(i).hash, tree.leaf(i).sums[0], i) for i in sorted(chosen)]
        proof = tree.shared_proof(chosen)
        path = ([node.hash for node in proof], [node.sums[0] for node in proof])
        root, total = harness.receiptRootOf(nodes, count, *path)
        assert (bytes(root), total) == (tree.root, tree.sum)
        if proof:
            with reverts("MerkleSum_ProofLength"):
                harness.receiptRootOf(nodes, count, path[0][:-1], path[1][:-1])
        with reverts("MerkleSum_ProofLength"):
            harness.receiptRootOf(nodes, count, [*path[0], bytes(32)], [*path[1], 0])


# --- messages


def test_type_hashes_equal_vectors(harness: Any) -> None:
    hashes = {item["type"]: item["typeHash"] for item in vectors("messages")["types"]}
    expected = [hashes[name] for name in ("Bid", "Lease", "Receipt", "Binding", "Session")]
    assert [hexed(value) for value in harness.typeHashes()] == expected


def test_struct_hashes_equal_vectors(harness: Any) -> None:
    cases = vectors("messages")["cases"]
    assert {case["type"] for case in cases} == {"Bid", "Lease", "Receipt", "Binding", "Session"}
    for case in cases:
        values = message_tuple(case["message"])
        if case["type"] in ("Binding", "Session"):
            got = getattr(harness, f"{case['type'].lower()}Hash")(*values)
        else:
            got = getattr(harness, f"{case['type'].lower()}Hash")(values)
        assert hexed(got) == case["structHash"], case["type"]


@pytest.mark.parametrize("function", ["receiptHash", "receiptLeaf"])
@pytest.mark.parametrize("field", [1, 2, 5, 6, 7, 8, 9])  # those shorter than a word
def test_receipt_field_beyond_its_type_reverts(harness: Any, function: str, field: int) -> None:
    case = next(case for case in vectors("messages")["cases"] if case["type"] == "Receipt")
    data = bytearray.fromhex(getattr(harness, function).encode_input(message_tuple(case["message"]))[2:])
    call = {"to": harness.address, "data": bytes(data)}
    assert len(brownie.web3.eth.call(call)) == 32
    data[4 + 32 * field] = 1
    with pytest.raises(Exception, match="revert"):
        brownie.web3.eth.call({**call, "data": bytes(data)})


# --- trees


def leaf_of(harness: Any, kind: int, fields: list[str]) -> str:
    if kind == 2:
        return hexed(harness.receiptLeaf(tuple(fields)))
    name = {1: "resultLeaf", 3: "inputLeaf", 4: "wordLeaf"}[kind]
    return hexed(getattr(harness, name)(*fields))


def root_of(harness: Any, case: dict[str, Any], leaf: dict[str, Any], proof: dict[str, Any]) -> tuple[str, list[int]]:
    """Root and sums that the contract finds for one path."""
    kind, index, count = int(case["kind"]), int(proof["index"]), int(case["count"])
    siblings, sums = proof["siblings"], proof["sums"]
    if kind == 1:
        pairs = [tuple(pair) for pair in sums]
        root, total = harness.resultRoot(leaf["hash"], leaf["sums"][0], index, count, siblings, pairs)
        return hexed(root), [int(value) for value in total]
    if kind == 2:
        flat = [pair[0] for pair in sums]
        root, total = harness.receiptRoot(leaf["hash"], leaf["sums"][0], index, count, siblings, flat)
        return hexed(root), [int(total)]
    return hexed(harness.plainRoot(kind, leaf["hash"], index, count, siblings)), []


def tree_cases() -> list[Any]:
    return [pytest.param(case, id=f"kind{case['kind']}-{case['count']}") for case in vectors("trees")["cases"]]


@pytest.mark.parametrize("case", tree_cases())
def test_tree_paths_equal_vectors(harness: Any, case: dict[str, Any]) -> None:
    leaves = case["leaves"]
    for leaf in leaves[:3] + leaves[-1:]:
        assert leaf_of(harness, int(case["kind"]), leaf["fields"]) == leaf["hash"]
    for proof in case["proofs"]:
        leaf = leaves[int(proof["index"])]
        assert root_of(harness, case, leaf, proof) == (case["root"], [int(value) for value in case["sums"]])


@pytest.mark.parametrize("case", [case for case in tree_cases() if case.values[0]["count"] == "5"])
def test_tree_path_bent_is_refused_or_leads_elsewhere(harness: Any, case: dict[str, Any]) -> None:
    proof = case["proofs"][1]
    leaf = case["leaves"][int(proof["index"])]
    longer = {**proof, "siblings": [*proof["siblings"], "0x" + "00" * 32], "sums": [*proof["sums"], ["0", "0"]]}
    shorter = {**proof, "siblings": proof["siblings"][:-1], "sums": proof["sums"][:-1]}
    for bent in (longer, shorter):
        with reverts("MerkleSum_ProofLength"):
            root_of(harness, case, leaf, bent)
    with reverts("MerkleSum_IndexOutside"):
        root_of(harness, case, leaf, {**proof, "index": case["count"]})
    flipped = "0x" + format(int(proof["siblings"][0], 16) ^ 1, "064x")
    assert root_of(harness, case, leaf, {**proof, "siblings": [flipped, *proof["siblings"][1:]]})[0] != case["root"]
    moved = {**proof, "index": str(int(proof["index"]) ^ 1)}
    assert root_of(harness, case, leaf, moved)[0] != case["root"]
    if proof["sums"][0]:
        first = [str(int(proof["sums"][0][0]) + 1), *proof["sums"][0][1:]]
        assert root_of(harness, case, leaf, {**proof, "sums": [first, *proof["sums"][1:]]})[0] != case["root"]


def test_receipt_root_with_sums_of_another_length_is_refused(harness: Any) -> None:
    with reverts("MerkleSum_ProofLength"):
        harness.receiptRoot(b"\x01" * 32, 1, 0, 2, [b"\x02" * 32], [])


def test_receipt_root_past_uint128_is_refused(harness: Any) -> None:
    with pytest.raises(VirtualMachineError):
        harness.receiptRoot(b"\x01" * 32, 2**128 - 1, 0, 2, [b"\x02" * 32], [1])


def test_root_of_empty_tree_is_refused(harness: Any) -> None:
    with reverts("MerkleSum_IndexOutside"):
        harness.plainRoot(3, b"\x01" * 32, 0, 0, [])


def test_leaf_of_one_kind_is_no_leaf_of_another(harness: Any) -> None:
    word = b"\x01" * 32
    nodes = {hexed(harness.plainRoot(kind, word, 0, 2, [word])) for kind in (3, 4)}
    assert len(nodes) == 2


@pytest.mark.parametrize(("count", "levels"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (113, 7), (2**24, 24)])
def test_depth_is_ceil_log2(harness: Any, count: int, levels: int) -> None:
    assert harness.depth(count) == levels


# --- spans


def test_spans_equal_vectors(harness: Any) -> None:
    for case in vectors("spans")["cases"]:
        words = [int(word, 16) for word in case["words"]]
        first, count = int(case["firstWord"]), int(case["count"])
        assert hexed(harness.spansHash(first, words)) == case["hash"]
        measured = harness.measure(first, words, int(case["taskCount"]), int(case["spanTasks"]))
        assert measured == (len(case["spans"]), count)
        spans = {int(span) for span in case["spans"]}
        assert all(harness.contains(first, words, span) for span in list(spans)[:8])
        assert not any(harness.contains(first, words, span) for span in ({0, 1, 300, 2**32 - 1} - spans))


@pytest.mark.parametrize("words", [[], [0], [0, 1], [1, 0]])
def test_measure_of_another_form_is_refused(harness: Any, words: list[int]) -> None:
    with reverts("Spans_NotCanonical"):
        harness.measure(0, words, 100_000, 16)


@pytest.mark.parametrize(("first", "words"), [(0, [1 << 113]), (1, [1]), (0, [1, 1]), (2**32 - 1, [1 << 255])])
def test_measure_of_span_outside_the_job_is_refused(harness: Any, first: int, words: list[int]) -> None:
    with reverts("Spans_OutsideJob"):
        harness.measure(first, words, 1_797, 16)


def test_measure_of_last_short_span_counts_its_tasks(harness: Any) -> None:
    assert harness.measure(0, [1 << 112], 1_797, 16) == (1, 5)
    assert harness.measure(0, [(1 << 113) - 1], 1_797, 16) == (113, 1_797)


def test_popcount_equals_python(harness: Any) -> None:
    for word in (0, 1, 2**255, 2**256 - 1, 0x55 << 100, (1 << 200) | 7):
        assert harness.popcount(word) == word.bit_count()


# --- draws


def test_task_draws_equal_vectors(harness: Any) -> None:
    for case in vectors("draws")["tasks"]:
        receipt = message_tuple(case["receipt"])
        assert hexed(harness.receiptHash(receipt)) == case["receiptDigest"]
        chances, drawn = harness.drawTasks(case["seed"], receipt, case["wus"], case["stake"], int(case["rateFloorPpm"]))
        assert [str(chance) for chance in chances] == case["pPpm"]
        assert [str(k) for k, hit in enumerate(drawn) if hit] == case["drawn"]


def test_seats_of_leaves_equal_vectors(harness: Any) -> None:
    for case in vectors("draws")["seats"]:
        seats = [tuple(seat) for seat in case["seats"]]
        assert str(harness.seatsWanted(case["seed"], case["leafHash"])) == case["wanted"]
        drawn = harness.leafSeats(seats, case["seed"], case["leafHash"], case["deviceOwner"])
        assert list(drawn) == [seats[int(index)][0] for index in case["drawn"]]


def test_ballots_equal_vectors(harness: Any) -> None:
    for case in vectors("draws")["ballots"]:
        seats = [tuple(seat) for seat in case["seats"]]
        assert hexed(harness.ballotSeed(case["randomness"], case["subject"])) == case["seed"]
        drawn = harness.ballotSeats(seats, case["seed"], case["subject"], int(case["wanted"]), case["excluded"])
        assert list(drawn) == [seats[int(index)][0] for index in case["drawn"]]


def test_draws_without_seats_are_empty(harness: Any) -> None:
    assert harness.leafSeats([], b"\x01" * 32, b"\x02" * 32, ZERO) == ()
    assert harness.ballotSeats([], b"\x01" * 32, b"\x02" * 32, 3, ZERO) == ()


def test_leaf_of_a_device_whose_owner_holds_every_seat_has_no_seats(harness: Any, accounts: Any) -> None:
    seats = [(accounts[1], accounts[2])] * 3
    assert harness.leafSeats(seats, b"\x01" * 32, b"\x02" * 32, accounts[2]) == ()


def test_epoch_seeds_equal_vectors(harness: Any) -> None:
    for case in vectors("draws")["epochSeeds"]:
        assert hexed(harness.epochSeed(case["randomness"], int(case["epochId"]))) == case["seed"]


# --- money


def test_money_equals_vectors(harness: Any) -> None:
    for case in vectors("money")["cases"]:
        values = {key: int(value) for key, value in case.items() if key != "sharesOf3"}
        rule = harness.rule(values["amount"], values["totalWU"], values["totalSquaredWU"], values["stakeThen"])
        assert rule == values["rulePpm"]
        debit = harness.debitOf(values["amount"], values["feePpm"], values["rateFloorPpm"])
        assert debit == values["debit"]
        money = harness.split(
            values["amount"], values["count"], values["feePpm"], values["rateFloorPpm"], rule, values["stakeNow"]
        )
        wanted = [values[key] for key in ("amount", "fee", "deduction", "surcharge", "paid", "bonded")]
        assert list(money) == wanted


def test_debit_past_uint128_is_refused(harness: Any) -> None:
    with pytest.raises(VirtualMachineError):
        harness.debitOf(2**128 - 1, 30_000, 10_000)


def test_amount_past_uint128_is_refused(harness: Any) -> None:
    with reverts("Money_TooLarge"):
        harness.amountDown(2**64 - 1, 2**128 - 1)


def test_amount_rounds_down(harness: Any) -> None:
    assert harness.amountDown(999_999_999, 1) == 0
    assert harness.amountDown(1_500_000_000, 3) == 4
