"""Whether the deployed contracts are those of the sources, wired and parametrised as the deployment's file says."""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from chain import abi
from chain.client import ChainClient
from chain.errors import AbiUnknown, ChainError
from multitude.audit.errors import CompilerFailed, SourceMissing
from multitude.audit.findings import Finding, agrees, compared, differs, disagrees, shown, unknown
from protocol.hashing import keccak256

COMPILER = Path("deploy") / "toolchain" / "solc" / "solc-v0.8.30"
SETTINGS: dict[str, Any] = {
    "evmVersion": "cancun",
    "viaIR": True,
    "optimizer": {"enabled": True, "runs": 200},
    "remappings": ["@openzeppelin/contracts=node_modules/@openzeppelin/contracts"],
}
"""Those of brownie-config.yaml; a test compares."""

REFERENCES = {
    "token": "MultitudeToken",
    "beacon": "BlockBeacon",
    "seats": "Seats",
    "vault": "StakeVault",
    "programs": "ProgramRegistry",
    "escrow": "JobEscrow",
    "ledger": "EpochLedger",
    "attestations": "Attestations",
    "panel": "Panel",
    "disputes": "Panel",
}
"""The contract that a getter of this name leads to, wherever there is one."""

CLOCKS = {
    "EpochLedger": {"claimTime": "claim"},
    "Attestations": {
        "seedTimeout": "seed_timeout",
        "commitTime": "commit",
        "revealTime": "reveal",
        "windowTime": "window",
    },
    "Panel": {
        "drawTime": "panel_draw",
        "commitTime": "panel_commit",
        "revealTime": "panel_reveal",
        "appealTime": "panel_appeal",
    },
    "JobEscrow": {"postingGrace_s": "posting_grace"},
    "ProgramRegistry": {"redrawAfter_s": "seat_period"},
    "Seats": {"seatPeriod_s": "seat_period", "unbonding_s": "unbonding"},
    "StakeVault": {"unbonding_s": "unbonding"},
    "Faucet": {"cooldown_s": "faucet_cooldown"},
}
"""Getters of each contract by the clock that its deployment file names, in seconds."""

PARAMETERS = {
    "EpochLedger": {"maxReplayWU": "max_replay_wu"},
    "Panel": {"challengeBond": "challenge_bond_native_wei"},
    "Seats": {"seatStake": "seat_stake_wei", "epochBond": "epoch_bond_wei"},
    "StakeVault": {"minimumStake": "minimum_stake_wei"},
    "BlockBeacon": {"delay_blocks": "beacon_delay_blocks"},
    "Faucet": {"amount": "faucet_wei"},
}
"""Getters of each contract by the parameter that its deployment file names."""


class Code(NamedTuple):
    """Runtime bytecode as compiled; of each immutable the places (offset, bytes) that a constructor fills in."""

    code: bytes
    immutables: tuple[tuple[tuple[int, int], ...], ...]


# --- bytecode


def without_metadata(code: bytes) -> bytes:
    """Code without the CBOR that the compiler appends; as it is where there is none."""
    length = int.from_bytes(code[-2:], "big") + 2 if len(code) >= 2 else 0
    cbor = code[-length:-2] if 2 < length <= len(code) else b""
    return code[:-length] if cbor[:1] in (b"\xa1", b"\xa2", b"\xa3") and b"solc" in cbor else code


def check_code(contract: str, deployed: bytes, built: Code) -> Finding:
    """The code at an address against the one that was built, apart from immutables and metadata."""
    topic = f"code of {contract}"
    ours, theirs = without_metadata(built.code), without_metadata(deployed)
    if not deployed:
        return disagrees(topic, "nothing is deployed there")
    if len(ours) != len(theirs):
        return disagrees(topic, f"{len(theirs)} bytes on chain, {len(ours)} built from the sources")
    blank_ours, blank_theirs = bytearray(ours), bytearray(theirs)
    for places in built.immutables:
        # A getter shows one place: code that was not made by the constructor could hold something else at another.
        if len({theirs[offset : offset + length] for offset, length in places}) != 1:
            return disagrees(topic, f"an immutable has not the same value at {shown([place[0] for place in places])}")
        for offset, length in places:
            blank_ours[offset : offset + length] = blank_theirs[offset : offset + length] = bytes(length)
    at = next((i for i, (a, b) in enumerate(zip(blank_ours, blank_theirs, strict=True)) if a != b), None)
    if at is not None:
        return disagrees(topic, f"another byte at {at} than the sources give")
    return agrees(topic, f"{len(ours)} bytes rebuilt from the sources, {len(built.immutables)} immutables apart")


def compile_contracts(root: Path, contracts: Iterable[str]) -> dict[str, Code]:
    """The contracts by name, built from the sources of a checkout by its own compiler.

    Raises SourceMissing, CompilerFailed.
    """
    sources = sorted((root / "contracts").rglob("*.sol"))
    compiler = root / COMPILER
    if not sources or not compiler.is_file():
        raise SourceMissing(f"{root} is no checkout with contracts and their compiler")
    homes = {path.stem: path.relative_to(root).as_posix() for path in sources}
    wanted = {homes[name]: {name: ["evm.deployedBytecode"]} for name in contracts if name in homes}
    request = {
        "language": "Solidity",
        "sources": {path.relative_to(root).as_posix(): {"content": path.read_text("utf-8")} for path in sources},
        "settings": SETTINGS | {"outputSelection": wanted},
    }
    answer = _run_compiler(compiler, root, request)
    return {name: _code_of(answer["contracts"][home][name]) for home, names in wanted.items() for name in names}


def _run_compiler(compiler: Path, root: Path, request: Mapping[str, Any]) -> Any:
    command = [str(compiler), "--standard-json"]
    try:
        done = subprocess.run(command, cwd=root, input=json.dumps(request), capture_output=True, text=True, check=True)
        answer = json.loads(done.stdout)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        raise CompilerFailed(f"{compiler.name}: {error}") from error
    errors = [one.get("message", "") for one in answer.get("errors", ()) if one.get("severity") == "error"]
    if errors:
        raise CompilerFailed(f"{compiler.name}: {errors[0]}")
    return answer


def _code_of(compiled: Mapping[str, Any]) -> Code:
    code = compiled["evm"]["deployedBytecode"]
    immutables = code["immutableReferences"].values()
    places = sorted(tuple((part["start"], part["length"]) for part in parts) for parts in immutables)
    return Code(bytes.fromhex(code["object"]), tuple(places))


# --- wiring


def verify_deployment(client: ChainClient, root: Path | None) -> Iterator[Finding]:
    """Chain, addresses, references, parameters, domain; with the `root` of a checkout, the code rebuilt from it.

    Raises RpcFailed.
    """
    deployment = client.deployment
    yield compared(
        "chain", f"chain id {deployment.chain_id}", differs("chain id", client.chain_id(), deployment.chain_id)
    )
    for name, address in deployment.contracts.items():
        yield _check_wiring(client, name, address)
    yield _check_domain(client)
    if root is None:
        yield unknown("code", "no sources were given to rebuild it from")
        return
    try:
        built = compile_contracts(root, deployment.contracts)
    except (SourceMissing, CompilerFailed) as error:
        yield unknown("code", str(error))
        return
    for name, address in deployment.contracts.items():
        deployed = bytes.fromhex(client.rpc("eth_getCode", [address, "latest"])[2:])
        yield check_code(name, deployed, built[name]) if name in built else unknown(f"code of {name}", "no source")


def _check_wiring(client: ChainClient, name: str, address: str) -> Finding:
    topic = f"wiring of {name}"
    deployment = client.deployment
    expected: dict[str, object] = {}
    try:
        getters = [item.name for item in abi.load(name).items if item.kind == "function" and not item.inputs]
    except AbiUnknown as error:
        return unknown(topic, str(error))
    expected |= {getter: deployment.contracts.get(REFERENCES[getter]) for getter in getters if getter in REFERENCES}
    for getter, clock in CLOCKS.get(name, {}).items():
        if getter in getters and clock in deployment.clocks:
            expected[getter] = deployment.clocks[clock]
    for getter, parameter in PARAMETERS.get(name, {}).items():
        if getter in getters and parameter in deployment.parameters:
            expected[getter] = int(deployment.parameters[parameter])
    try:
        wrong = [line for getter in expected for line in differs(getter, client.call(name, getter), expected[getter])]
    except ChainError as error:
        return disagrees(topic, f"at {address} nothing answers as it should: {error}")
    return compared(topic, f"at {address}: {', '.join(sorted(expected)) or 'nothing to compare'}", wrong)


def _check_domain(client: ChainClient) -> Finding:
    probe = keccak256(b"multitude audit")
    try:
        said = client.call("JobEscrow", "digestOf", probe)
    except ChainError as error:
        return disagrees("domain", str(error))
    found = keccak256(b"\x19\x01" + client.deployment.domain.separator + probe)
    wrong = differs("the digest of a probe", said, found)
    return compared("domain", f"EIP-712 domain of {shown(client.deployment.address('JobEscrow'))}", wrong)
