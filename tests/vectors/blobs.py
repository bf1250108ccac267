"""Vectors of blobs and of calldata: manifests, outputs, epochs, claims."""

import json
from typing import Any

from protocol.blobs import blob_id
from protocol.claims import packed_leaf
from protocol.encoding import to_hex
from protocol.epoch_data import EntryData, EpochData, LeafData, lease_signer
from protocol.manifest import Manifest
from protocol.merkle import Node, ReceiptTree, TaskResult
from protocol.output_blob import encode_outputs
from protocol.spans import SpanSet
from tests.vectors.leaves import BID, EPOCH, LEAF, NOT_BACKED, with_results
from tests.vectors.samples import DOMAIN, key_of, receipts_of, word_of

FEE_PPM = 20_000


def proof_to_json(proof: tuple[Node, ...]) -> dict[str, Any]:
    """A proof: the hashes of its nodes, and the sums of each."""
    return {
        "siblings": [to_hex(node.hash) for node in proof],
        "sums": [[str(value) for value in node.sums] for node in proof],
    }


def manifests() -> dict[str, Any]:
    """manifests.json."""
    long = b"".join(word_of("long", index) for index in range(33))
    jobs = [[b""], [b"abc", b"", bytes(33)], [long[:1024], long[:1025], long, b"\xff"]]
    cases = []
    for inputs in jobs:
        manifest = Manifest.of(inputs)
        cases.append(
            {
                "inputs": [to_hex(item) for item in inputs],
                "blob": manifest.blob.decode(),
                "id": to_hex(manifest.blob_id),
                "inputsRoot": to_hex(manifest.inputs_root),
            }
        )
    return {"cases": cases}


def outputs() -> dict[str, Any]:
    """outputs.json."""
    cases = []
    for items in ([], [b""], [b"\x01", b"", b"abc"], [word_of("output")] * 16):
        blob = encode_outputs(items)
        cases.append({"outputs": [to_hex(item) for item in items], "blob": to_hex(blob), "id": to_hex(blob_id(blob))})
    return {"cases": cases}


def _impossible_leaves() -> dict[str, LeafData]:
    """Leaves that are backed, and hold results that no run can give."""
    first, second, *rest = LEAF.results

    def instead(*fields: Any) -> LeafData:
        return with_results(LEAF, (TaskResult(*fields), second, *rest))

    empty = TaskResult.of_output(0, b"", 1).output_root
    return {
        "results swapped": with_results(LEAF, (second, first, *rest)),
        "unknown status": instead(0, 0, empty, BID.task_limit_wu, 4),
        "no wu": instead(0, 1, first.output_root, 0, 0),
        "too long": instead(0, BID.max_output_bytes + 1, first.output_root, 1, 0),
        "empty with another root": instead(0, 0, first.output_root, 1, 0),
        "trap below the limit": instead(0, 0, empty, BID.task_limit_wu - 1, 1),
        "trap with an output": instead(0, 1, first.output_root, BID.task_limit_wu, 1),
        "trap as it should be": instead(0, 0, empty, BID.task_limit_wu, 1),
    }


def _leaf_to_json(leaf: LeafData) -> dict[str, Any]:
    data = EpochData(EPOCH.settler, (EntryData(BID, b"", (leaf,)),))
    found: dict[str, Any] = json.loads(data.blob)["entries"][0]["leaves"][0]
    return found


def epochs() -> dict[str, Any]:
    """epochs.json."""
    posted = [entry.posted(FEE_PPM) for entry in EPOCH.entries]
    places = [
        {
            "place": [place.number, place.entry_index, place.leaf_index],
            "lessor": lease_signer(place.leaf, DOMAIN),
            "positions": [
                list(place.leaf.positions_of_lease(i, place.entry.bid)) for i in range(len(place.leaf.leases))
            ],
        }
        for place in EPOCH.leaves()
    ]
    return {
        "blob": EPOCH.blob.decode(),
        "dataId": to_hex(EPOCH.data_id),
        "feePpm": str(FEE_PPM),
        "posted": [
            {"jobId": to_hex(p.job_id), "subroot": to_hex(p.subroot), "count": str(p.count), "sum": str(p.sum)}
            for p in posted
        ],
        "leaves": places,
        "notBacked": [{"name": name, "leaf": _leaf_to_json(leaf)} for name, leaf in NOT_BACKED.items()],
        "impossible": [
            {"name": name, "leaf": _leaf_to_json(leaf), "faults": [str(k) for k in sorted(leaf.faults(BID))]}
            for name, leaf in _impossible_leaves().items()
        ],
    }


def claims() -> dict[str, Any]:
    """claims.json."""
    receipts, leaves = receipts_of(5), []
    for index, (receipt, _) in enumerate(receipts):
        spans, signature = SpanSet.of([index]), receipt.sign(DOMAIN, key_of(f"device {index}"))
        leaves.append(
            {
                "receipt": receipt.to_json(),
                "firstWord": str(spans.first_word),
                "words": [f"0x{word:064x}" for word in spans.words],
                "signature": to_hex(signature),
                "packed": to_hex(packed_leaf(index, receipt, spans, signature)),
            }
        )
    tree = ReceiptTree(receipts)
    some = ([0], [4], [1, 2], [0, 1, 4], [0, 1, 2, 3, 4])
    return {
        "leaves": leaves,
        "root": to_hex(tree.root),
        "proofs": [{"indices": indices} | proof_to_json(tree.shared_proof(indices)) for indices in some],
    }
