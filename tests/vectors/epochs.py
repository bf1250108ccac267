"""Writes whole epochs as the chain tells them, for readers in other languages: `python -m tests.vectors.epochs`.

The epochs are those of tests/multitude/audit_world.py, run by the real sandbox and judged by the verifier's own code;
`expected` is what Python's audit makes of them. tests/vectors/README.md describes the files.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eth_abi import encode

from multitude.audit.evidence import Leaf, gather
from multitude.audit.facts import EpochFacts
from multitude.audit.judgement import attestors, draw_of, judge, wanted_runs
from multitude.audit.replay import Replayer
from protocol.encoding import to_hex
from protocol.hashing import keccak256
from protocol.verdicts import Verdict
from tests.multitude.audit_world import ADDRESSES, EPOCH, World
from tests.verifier.epochs import DIGITS, DOMAIN, address, lie_about

FOLDER = Path(__file__).parent / "epochs"
ABIS = Path(__file__).parents[2] / "chain" / "abi"
CONTRACTS = (
    "Attestations",
    "EpochLedger",
    "JobEscrow",
    "MultitudeToken",
    "Panel",
    "ProgramRegistry",
    "Seats",
    "StakeVault",
)
LIE = 30
"""The task that bob lies about; his receipt begins with task 24."""


def honest() -> World:
    """All of it paid."""
    return World().seeded().judged().claimed(0, 1)


def convicted() -> World:
    """Bob lied, a seat accused him, the panel convicted him; his leaf is void, ann's is paid."""
    world = World(lies=((LIE, lie_about(LIE)),)).seeded().judged()
    return world.convicted(1, LIE - 24).voided(1).claimed(0)


WORLDS = {"honest": honest, "convicted": convicted}


def files() -> Iterator[tuple[str, str]]:
    """The name and the text of every file."""
    for name, make in WORLDS.items():
        yield f"{name}.json", json.dumps(_to_json(make()), indent=1, sort_keys=True) + "\n"


def _to_json(world: World) -> dict[str, Any]:
    facts = world.facts()
    evidence = gather(facts, world.raw, DOMAIN)
    with Replayer(world.blobs, facts.log.programs) as replayer:
        runs = {
            key: run
            for number, positions in wanted_runs(facts, evidence).items()
            for key, run in replayer.run(evidence.leaves[number], positions).items()
        }
    held = world.blobs.held | {DIGITS.facts.rewritten_hash: DIGITS.rewritten}
    report = world.report()
    return {
        "domain": {"chainId": DOMAIN.chain_id, "verifyingContract": DOMAIN.verifying_contract},
        "addresses": {name: ADDRESSES.get(name, address(name)) for name in CONTRACTS},
        "logs": list(_logs(world)),
        "epoch": _facts_to_json(facts),
        "blobs": {to_hex(name): to_hex(data) for name, data in held.items()},
        "expected": {
            "outcome": report.outcome.value,
            "leaves": [_leaf_to_json(facts, leaf, runs) for leaf in evidence.leaves.values()],
        },
    }


def _facts_to_json(facts: EpochFacts) -> dict[str, Any]:
    return {
        "epochId": str(EPOCH),
        "state": facts.state.name.lower(),
        "headHash": to_hex(facts.head_hash),
        "seed": to_hex(facts.seed),
        "outstanding": [[str(part.sum), str(part.settled)] for part in facts.outstanding],
        "minimumStake": str(facts.minimum_stake),
        "beaconDelay": facts.beacon_delay,
        "seats": {str(snapshot): [list(seat) for seat in seats] for snapshot, seats in facts.seats.items()},
        "blockHashes": {str(number): to_hex(found) for number, found in facts.block_hashes.items()},
        "verdictHashes": {verifier: to_hex(found) for verifier, found in facts.verdict_hashes.items()},
        "stakes": {device: str(stake) for device, stake in facts.stakes.items()},
    }


def _leaf_to_json(facts: EpochFacts, leaf: Leaf, runs: Any) -> dict[str, Any]:
    draw, judgement = draw_of(facts, leaf), judge(facts, leaf, runs)
    verdict = judgement.verdict
    return {
        "number": leaf.number,
        "hash": to_hex(leaf.hash),
        "digest": to_hex(leaf.digest),
        "debit": str(leaf.debit),
        "seats": list(draw.seats),
        "positions": list(draw.positions),
        "verdict": None if verdict is None else Verdict(verdict).name.lower(),
        "stateDigest": to_hex(judgement.digest),
        "attestors": list(attestors(facts, leaf, draw) or ()),
    }


# --- logs


def _abi_events() -> dict[str, tuple[str, dict[str, Any]]]:
    """The contract and the ABI's item of each event."""
    found = {}
    for contract in CONTRACTS:
        loaded = json.loads((ABIS / f"{contract}.json").read_text())
        for item in loaded if isinstance(loaded, list) else loaded["abi"]:
            if item["type"] == "event":
                found.setdefault(item["name"], (contract, item))
    return found


def _logs(world: World) -> Iterator[dict[str, Any]]:
    events = _abi_events()
    for event in world.events:
        contract, item = events[event.name]
        inputs = item["inputs"]
        topics = [keccak256(f"{event.name}({','.join(_type(part) for part in inputs)})".encode())]
        topics += [encode([_type(part)], [_value(part, event.args)]) for part in inputs if part["indexed"]]
        plain = [part for part in inputs if not part["indexed"]]
        data = encode([_type(part) for part in plain], [_value(part, event.args) for part in plain])
        yield {
            "contract": contract,
            "topics": [to_hex(topic) for topic in topics],
            "data": to_hex(data),
            "blockNumber": event.block_number,
            "logIndex": event.log_index,
            "transactionHash": to_hex(event.tx_hash),
        }


def _type(part: dict[str, Any]) -> str:
    kind: str = part["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(inner) for inner in part['components'])}){kind.removeprefix('tuple')}"


def _value(part: dict[str, Any], values: dict[str, Any]) -> Any:
    return _plain(part, values.get(part["name"], 0))


def _plain(part: dict[str, Any], value: Any) -> Any:
    """A value as eth_abi takes it. A struct comes by names, or by the places of its fields."""
    if part["type"].endswith("[]"):
        inner = part | {"type": part["type"].removesuffix("[]")}
        return [_plain(inner, item) for item in value]
    if part["type"] != "tuple":
        return value
    return tuple(_plain(inner, value.get(inner["name"], value.get(at))) for at, inner in enumerate(part["components"]))


def main() -> None:
    """Writes all files."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in files():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
