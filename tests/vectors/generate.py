"""Writes the shared vectors: `python -m tests.vectors.generate`. tests/vectors/README.md describes the files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from protocol.encoding import ZERO_ADDRESS, to_hex
from protocol.merkle import (
    InputTree,
    ReceiptTree,
    ResultTree,
    Tree,
    WordTree,
    words_root,
)
from protocol.messages import Bid, Binding, Lease, Message, Receipt, Session
from protocol.money import leaf_money, replay_wu, shares_of
from protocol.program import ProgramFacts
from protocol.sampling import (
    ballot_seats,
    ballot_seed,
    drawn_tasks,
    epoch_seed,
    p_ppm,
    panel_subject,
    price_of_task,
    redraw_subject,
    seats_of_leaf,
    wanted_seats,
)
from protocol.signing import address_of
from protocol.spans import SpanSet
from protocol.verdicts import Verdict, Verdicts, ballot_commitment, epoch_salt, salt_of, state_digest
from tests.vectors.blobs import claims, epochs, manifests, outputs, proof_to_json
from tests.vectors.device import device
from tests.vectors.runs import runs
from tests.vectors.samples import (
    DEVICE,
    DOMAIN,
    OWNER,
    TOKEN,
    VERIFIER,
    bid_of,
    key_of,
    number_of,
    receipt_of,
    receipts_of,
    results_of,
    seats,
    word_of,
)

HERE = Path(__file__).parent
COUNTS = (1, 2, 3, 5, 8, 16, 113)


# --- messages


def _messages() -> Iterator[tuple[str, Message]]:
    maximal = {"task_count": 2**32 - 1, "span_tasks": 2**32 - 1, "task_limit_wu": 2**64 - 1, "budget": 2**128 - 1}
    yield "buyer", bid_of()
    yield "buyer", bid_of(settler=ZERO_ADDRESS, deadline=2**40 - 1, rate_floor_ppm=2**24 - 1, **maximal)
    lease = {"job_id": bid_of().job_id, "device": DEVICE, "price_wei_per_gwu": 5 * TOKEN}
    yield "settler", Lease(lease_id=1, spans=(0, 1, 112), expiry=1_800_000_010, post_by=1_800_000_130, **lease)
    yield "settler", Lease(lease_id=2**64 - 1, spans=(), expiry=0, post_by=2**40 - 1, **lease)
    yield "device", receipt_of()
    yield "device", receipt_of(total_wu=2**64 - 1, total_squared_wu=2**128 - 1, amount=2**128 - 1, period=2**32 - 1)
    yield "device", Binding(DEVICE, OWNER)
    yield "owner", Binding(DEVICE, OWNER)
    yield "device", Session(DEVICE, 1_800_000_000, word_of("nonce"))


def messages() -> dict[str, Any]:
    """messages.json."""
    cases = []
    for signer, message in _messages():
        key = key_of(signer)
        cases.append(
            {
                "type": type(message).__name__,
                "message": message.to_json(),
                "structHash": to_hex(message.struct_hash),
                "digest": to_hex(message.digest(DOMAIN)),
                "key": to_hex(key),
                "signer": address_of(key),
                "signature": to_hex(message.sign(DOMAIN, key)),
            }
        )
    types = (Bid, Lease, Receipt, Binding, Session)
    return {
        "domain": {
            "chainId": str(DOMAIN.chain_id),
            "verifyingContract": DOMAIN.verifying_contract,
            "separator": to_hex(DOMAIN.separator),
        },
        "types": [
            {"type": kind.__name__, "typeString": kind.type_string, "typeHash": to_hex(kind.type_hash)}
            for kind in types
        ],
        "cases": cases,
    }


# --- trees


def _proofs(tree: Tree) -> list[dict[str, Any]]:
    indices = sorted({0, 1, tree.count // 2, tree.count - 2, tree.count - 1} & set(range(tree.count)))
    return [{"index": str(index)} | proof_to_json(tree.proof(index)) for index in indices]


def _tree_to_json(tree: Tree, fields: list[list[str]]) -> dict[str, Any]:
    return {
        "kind": str(tree.kind.value),
        "count": str(tree.count),
        "leaves": [
            {"fields": values, "hash": to_hex(tree.leaf(i).hash), "sums": [str(value) for value in tree.leaf(i).sums]}
            for i, values in enumerate(fields)
        ],
        "root": to_hex(tree.root),
        "sums": [str(value) for value in tree.top.sums],
        "proofs": _proofs(tree),
    }


def _receipt_values(receipt: Receipt) -> list[str]:
    return [str(value) for value in receipt.to_json().values()]


def trees() -> dict[str, Any]:
    """trees.json."""
    cases = []
    for count in COUNTS:
        results, receipts = results_of(count), receipts_of(count)
        inputs = [(index + 1, words_root(word_of("input", index)[: index % 32 + 1])) for index in range(count)]
        data = b"".join(word_of("word", index) for index in range(count))
        cases += [
            _tree_to_json(
                ResultTree(results),
                [
                    [str(r.task_index), str(r.output_length), to_hex(r.output_root), str(r.wu), str(r.status)]
                    for r in results
                ],
            ),
            _tree_to_json(ReceiptTree(receipts), [_receipt_values(receipt) for receipt, _ in receipts]),
            _tree_to_json(InputTree(inputs), [[str(length), to_hex(root)] for length, root in inputs]),
            _tree_to_json(WordTree(data), [[to_hex(data[32 * i : 32 * i + 32])] for i in range(count)]),
        ]
    return {"cases": cases}


def words() -> dict[str, Any]:
    """words.json."""
    data = [b"", b"\0", b"\x01", bytes(32), bytes(33), b"a" * 31, b"b" * 32, b"c" * 33, bytes(96), word_of("w") * 5]
    cases = [{"data": to_hex(item), "root": to_hex(words_root(item))} for item in data]
    zeros = [{"length": str(size), "root": to_hex(words_root(bytes(size)))} for size in (4096, 4128, 65536, 3 * 65536)]
    return {"cases": cases, "zeros": zeros}


def spans() -> dict[str, Any]:
    """spans.json."""
    jobs = [
        (1797, 16, [0]),
        (1797, 16, [112]),
        (1797, 16, [0, 5, 111, 112]),
        (1797, 16, list(range(113))),
        (1, 256, [0]),
        (100_000, 1, [255, 256, 257, 1023, 99_999]),
        (2**20, 3, [300, 1000]),
    ]
    cases = []
    for task_count, span_tasks, numbers in jobs:
        spans_set = SpanSet.of(numbers)
        cases.append(
            {
                "taskCount": str(task_count),
                "spanTasks": str(span_tasks),
                "spans": [str(span) for span in numbers],
                "firstWord": str(spans_set.first_word),
                "words": [f"0x{word:064x}" for word in spans_set.words],
                "hash": to_hex(spans_set.hash),
                "count": str(spans_set.count(task_count, span_tasks)),
                "firstTasks": [str(task) for task in spans_set.tasks(task_count, span_tasks)[:8]],
            }
        )
    return {"cases": cases}


# --- money


def _money_cases() -> Iterator[dict[str, int]]:
    price = 5 * 10**14
    usual = {"amount": 16 * price, "count": 16, "wu": 1_600_000, "squared": 16 * 100_000**2, "fee": 20_000}
    usual |= {"floor": 100_000, "stakeThen": 300 * price, "stakeNow": 300 * price}
    yield usual
    yield usual | {"floor": 10_000}
    yield usual | {"floor": 1_000_000}
    yield usual | {"stakeThen": 0, "stakeNow": 0}
    yield usual | {"stakeThen": 0, "stakeNow": 299 * price}
    yield usual | {"stakeThen": 1, "stakeNow": 0}
    yield usual | {"stakeThen": 20 * price, "stakeNow": 300 * price - 1}
    yield usual | {"squared": 12 * 16 * 100_000**2, "stakeThen": 1000 * price}
    yield usual | {"amount": 0}
    yield usual | {"amount": 1, "fee": 30_000}
    yield usual | {"amount": 15, "stakeThen": 7}
    yield usual | {"amount": 999_999, "fee": 999, "floor": 10_001}
    yield usual | {"fee": 0}
    yield {"amount": 2**96 - 1, "count": 2**32 - 1, "wu": 2**64 - 1, "squared": 2**128 - 1, "fee": 30_000} | {
        "floor": 1_000_000,
        "stakeThen": 2**96 - 1,
        "stakeNow": 2**96 - 1,
    }
    yield {"amount": 2**96 - 1, "count": 1, "wu": 1, "squared": 1, "fee": 30_000, "floor": 10_000} | {
        "stakeThen": 2**96 - 1,
        "stakeNow": 0,
    }
    for index in range(24):
        count, wu = 1 + number_of("count", index, 300), 1 + number_of("w", index, 10**6)
        yield {
            "amount": number_of("a", index, 10 ** (1 + index)),
            "count": count,
            "wu": count * wu,
            "squared": count * wu * wu * (1 + index % 3),
            "fee": number_of("f", index, 30_001),
            "floor": 10_000 + number_of("r", index, 990_001),
            "stakeThen": number_of("s", index, 10 ** (2 + index)),
            "stakeNow": number_of("n", index, 10 ** (2 + index)),
        }


def money() -> dict[str, Any]:
    """money.json."""
    cases = []
    for case in _money_cases():
        receipt = receipt_of(
            amount=case["amount"], count=case["count"], total_wu=case["wu"], total_squared_wu=case["squared"]
        )
        found = leaf_money(
            receipt, bid_of(rate_floor_ppm=case["floor"]), case["fee"], case["stakeThen"], case["stakeNow"]
        )
        names = ("fee", "debit", "deduction", "surcharge", "verification", "net", "bonded", "paid", "spent", "returned")
        wanted = {name: getattr(found, name) for name in names}
        inputs = {
            "amount": case["amount"],
            "count": case["count"],
            "totalWU": case["wu"],
            "totalSquaredWU": case["squared"],
            "feePpm": case["fee"],
            "rateFloorPpm": case["floor"],
            "stakeThen": case["stakeThen"],
            "stakeNow": case["stakeNow"],
            "rulePpm": found.rule_ppm,
            "replayWU": replay_wu(case["wu"], found.rule_ppm, case["floor"]),
        }
        shares = [str(share) for share in shares_of(found.verification, 3)]
        cases.append({name: str(value) for name, value in (inputs | wanted).items()} | {"sharesOf3": shares})
    return {"cases": cases}


# --- draws


def _task_draws() -> list[dict[str, Any]]:
    cases = []
    for index, (stake, floor) in enumerate([(0, 10_000), (150 * 10**15, 10_000), (10**16, 10_000), (10**20, 100_000)]):
        wus = [1 + number_of(f"draw {index}", k, 200_000) for k in range(64)]
        total, squared = sum(wus), sum(wu * wu for wu in wus)
        receipt = receipt_of(count=64, total_wu=total, total_squared_wu=squared, amount=64 * 5 * 10**14 + 7)
        seed = word_of("seed", index)
        cases.append(
            {
                "seed": to_hex(seed),
                "receipt": receipt.to_json(),
                "receiptDigest": to_hex(receipt.struct_hash),
                "stake": str(stake),
                "rateFloorPpm": str(floor),
                "wus": [str(wu) for wu in wus],
                "pPpm": [str(p_ppm(price_of_task(wu, receipt.amount, total), stake, floor)) for wu in wus],
                "drawn": [str(k) for k in drawn_tasks(seed, receipt, wus, stake, floor)],
            }
        )
    return cases


def _seat_draws() -> list[dict[str, Any]]:
    snapshots = [seats(), seats()[:1], seats()[:3], [seats()[5]]]
    cases = []
    for index in range(32):
        seed, leaf = word_of("seat seed", index // 8), word_of("leaf", index)
        snapshot = snapshots[0] if index < 26 else snapshots[index % 4]
        cases.append(
            {
                "seed": to_hex(seed),
                "leafHash": to_hex(leaf),
                "deviceOwner": OWNER,
                "seats": [list(seat) for seat in snapshot],
                "wanted": str(wanted_seats(seed, leaf)),
                "drawn": [str(seat) for seat in seats_of_leaf(seed, leaf, snapshot, OWNER)],
            }
        )
    return cases


def _ballot_draws() -> list[dict[str, Any]]:
    cases = []
    excluded_of = [ZERO_ADDRESS, OWNER, seats()[0].verifier]
    for index in range(12):
        randomness, subject = word_of("beacon", index), word_of("subject", index)
        wanted, excluded = (3, 6)[index % 2], excluded_of[index % 3]
        snapshot = seats() if index < 10 else seats()[:3]
        seed = ballot_seed(randomness, subject)
        cases.append(
            {
                "randomness": to_hex(randomness),
                "subject": to_hex(subject),
                "seed": to_hex(seed),
                "wanted": str(wanted),
                "excluded": excluded,
                "seats": [list(seat) for seat in snapshot],
                "drawn": [str(seat) for seat in ballot_seats(seed, subject, snapshot, wanted, (excluded,))],
            }
        )
    return cases


def draws() -> dict[str, Any]:
    """draws.json."""
    epochs = [
        {"randomness": to_hex(word_of("r", i)), "epochId": str(i), "seed": to_hex(epoch_seed(word_of("r", i), i))}
        for i in (0, 1, 2**64 - 1)
    ]
    subjects = [
        {"kind": "redraw", "epochId": "7", "leafHash": to_hex(word_of("leaf")), "round": str(round_number)}
        | {"subject": to_hex(redraw_subject(7, word_of("leaf"), round_number))}
        for round_number in (1, 2)
    ] + [
        {"kind": "panel", "gameId": to_hex(word_of("game")), "round": str(round_number)}
        | {"subject": to_hex(panel_subject(word_of("game"), round_number))}
        for round_number in (0, 1)
    ]
    return {
        "tasks": _task_draws(),
        "seats": _seat_draws(),
        "ballots": _ballot_draws(),
        "epochSeeds": epochs,
        "subjects": subjects,
    }


# --- verdicts, programs


def verdicts() -> dict[str, Any]:
    """verdicts.json."""
    right = (Verdict.RIGHT, state_digest([word_of("state")]))
    wrong, unavailable = (Verdict.WRONG, bytes(32)), (Verdict.UNAVAILABLE, bytes(32))
    sets = [{}, {0: right}, {0: right, 1: wrong, 5: unavailable}, {127: right, 126: wrong}]
    sets.append({leaf: (right, wrong, unavailable)[leaf % 3] for leaf in range(128)})
    key, cases = key_of("verifier"), []
    for epoch_id, chosen in enumerate(sets):
        found, salt = Verdicts.of(chosen), epoch_salt(key, epoch_id)
        cases.append(
            {
                "epochId": str(epoch_id),
                "verifier": VERIFIER,
                "key": to_hex(key),
                "salt": to_hex(salt),
                "verdicts": f"0x{found.packed:064x}",
                "digests": [to_hex(digest) for digest in found.digests],
                "digestsHash": to_hex(found.digests_hash),
                "hash": to_hex(found.hash),
                "commitment": to_hex(found.commitment(salt, VERIFIER, epoch_id)),
            }
        )
    ballots = []
    for vote in (Verdict.RIGHT, Verdict.WRONG, Verdict.UNAVAILABLE):
        subject = word_of("subject", vote)
        salt = salt_of(key, subject)
        ballots.append(
            {
                "verifier": VERIFIER,
                "subject": to_hex(subject),
                "salt": to_hex(salt),
                "vote": str(vote.value),
                "commitment": to_hex(ballot_commitment(salt, VERIFIER, subject, vote)),
            }
        )
    states = [
        {"tasks": [to_hex(word_of("s", i)) for i in range(n)]}
        | {"digest": to_hex(state_digest([word_of("s", i) for i in range(n)]))}
        for n in (0, 1, 2, 5)
    ]
    return {"epochs": cases, "ballots": ballots, "stateDigests": states}


def programs() -> dict[str, Any]:
    """programs.json."""
    hashes = (word_of("original"), word_of("rewritten"), bytes(32), word_of("memory"))
    facts = [
        ProgramFacts(1, *hashes, 1_000_000, 2, 65_536, 1),
        ProgramFacts(2, *hashes, 2**64 - 1, 2**32 - 1, 2**32 - 1, 2**32 - 1),
    ]
    return {
        "cases": [
            {
                "class": str(fact.assurance),
                "originalHash": to_hex(fact.original_hash),
                "rewrittenHash": to_hex(fact.rewritten_hash),
                "codeRoot": to_hex(fact.code_root),
                "initialMemoryRoot": to_hex(fact.initial_memory_root),
                "limitWU": str(fact.limit_wu),
                "memoryPages": str(fact.memory_pages),
                "frameBytes": str(fact.frame_bytes),
                "toolVersion": str(fact.tool_version),
                "programId": to_hex(fact.program_id),
            }
            for fact in facts
        ]
    }


def files() -> dict[str, str]:
    """The text of every vector file by name."""
    parts = (messages, trees, words, spans, money, draws, verdicts, programs)
    parts += (manifests, outputs, epochs, claims, runs, device)
    return {f"{part.__name__}.json": json.dumps(part(), indent=1) + "\n" for part in parts}


def main() -> None:
    """Writes every file."""
    for name, text in files().items():
        (HERE / name).write_text(text)


if __name__ == "__main__":
    main()
