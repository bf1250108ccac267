"""The libraries against the shared vectors: every type hash, struct hash, leaf, node, path, draw and split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import brownie
import pytest
from brownie.exceptions import VirtualMachineError

from tests.contracts.chain import ZERO, reverts

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


def test_popcount_and_highest_bit_equal_python(harness: Any) -> None:
    for word in (0, 1, 2**255, 2**256 - 1, 0x55 << 100, (1 << 200) | 7):
        assert harness.popcount(word) == word.bit_count()
        if word:
            assert harness.highestBit(word) == word.bit_length() - 1


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
