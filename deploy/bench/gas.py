"""Gas for a settled task: everything from opening the job to the last claim, as the chain's receipts say."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chain import abi
from chain.accounting import GasLine, gas_report
from chain.client import ChainClient
from deploy.bench.epoch import Case, Played, play_epoch
from deploy.bench.ground import VERIFIERS, Ground, make_ground
from deploy.local.supervisor import Supervisor
from protocol.encoding import checksum_address

CASES = (Case(1_000, 10, 10), Case(10_000, 10, 50), Case(100_000, 10, 256), Case(10_000, 100, 50))
TARGETS = {(1_000, 10): 800, (10_000, 10): 80, (100_000, 10): 10, (10_000, 100): 250}
"""Gas for a task, by tasks and devices (design section 8)."""
TRANSACTION_GAS = 21_000
CALLDATA = "calldata and the transaction itself"
OWN = "the ledger's own work"


@dataclass(frozen=True)
class GasFigure:
    """One case: gas by function of the first epoch on fresh contracts, and of the next one by the same people.

    The first pays for every account's first token and every contract's first entry. `inside_claim` splits the first
    epoch's claim by the calls that it makes.
    """

    case: Case
    steps: dict[str, GasLine]
    again: dict[str, GasLine]
    inside_claim: dict[str, int]

    @property
    def gas(self) -> int:
        """Gas of all steps."""
        return sum(line.gas for line in self.steps.values())

    @property
    def gas_per_task(self) -> float:
        """The figure of the design."""
        return self.gas / self.case.tasks

    @property
    def gas_per_task_again(self) -> float:
        """The same for the second epoch."""
        return sum(line.gas for line in self.again.values()) / self.case.tasks

    @property
    def target(self) -> int | None:
        """The design's, None for a case that it does not name."""
        return TARGETS.get((self.case.tasks, self.case.devices))

    def to_json(self) -> dict[str, Any]:
        """As var/bench/gas.json has it."""
        return {
            "tasks": self.case.tasks,
            "devices": self.case.devices,
            "span_tasks": self.case.span_tasks,
            "seats": VERIFIERS,
            "claims": self.steps["EpochLedger.claim"].calls,
            "payout": "owners, seats and settler by credit",
            "gas": self.gas,
            "gas_per_task": round(self.gas_per_task, 2),
            "gas_per_task_again": round(self.gas_per_task_again, 2),
            "target": self.target,
            "steps": {name: line._asdict() for name, line in self.steps.items()},
            "inside_claim": self.inside_claim,
        }


def measure_gas(folder: Path, cases: Sequence[Case] = CASES) -> list[GasFigure]:
    """Plays every case on fresh contracts; files of the chain go below `folder`. Raises SupervisorError, ChainError."""
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()  # Brownie stands in another folder
    with tempfile.TemporaryDirectory(prefix="gas-", dir=folder) as run, Supervisor(Path(run) / "log") as supervisor:
        ground = make_ground(supervisor, Path(run) / "chain", max(case.devices for case in cases))
        return [measure_case(ground, case) for case in cases]


def measure_case(ground: Ground, case: Case) -> GasFigure:
    """Two epochs of the case; the chain is put back afterwards."""
    with ground.undone():
        first, second = (play_epoch(ground, case, number) for number in range(2))
        inside = dict(_inside(ground.client, first.claimed.tx_hash, first.claimed.gas_used))
        return GasFigure(case, _steps(ground.client, first), _steps(ground.client, second), inside)


def _steps(client: ChainClient, played: Played) -> dict[str, GasLine]:
    first, last = played.opened, played.claimed
    lines = gas_report(client, first.block_number, last.block_number, first.tx_hash, last.tx_hash)
    return dict(sorted(lines.items(), key=lambda item: -item[1].gas))


def _inside(client: ChainClient, tx_hash: bytes, gas_used: int) -> Iterator[tuple[str, int]]:
    """Gas of a transaction by the calls that its contract makes, the transaction's own cost, and the rest."""
    trace = client.rpc("debug_traceTransaction", ["0x" + tx_hash.hex(), {"tracer": "callTracer"}])
    found: dict[str, int] = {}
    for call in trace.get("calls", ()):
        name = call_name(client, call["to"], bytes.fromhex(call["input"][2:]))
        found[name] = found.get(name, 0) + int(call["gasUsed"], 16)
    found[CALLDATA] = intrinsic_gas(bytes.fromhex(trace["input"][2:]))
    yield from sorted(found.items(), key=lambda item: -item[1])
    yield OWN, gas_used - sum(found.values())


def call_name(client: ChainClient, to: str, data: bytes) -> str:
    """Contract and function of a call; the address where it is none of ours."""
    contract = client.deployment.names.get(checksum_address(to))
    return f"{contract}.{abi.load(contract).function_name(data)}" if contract else f"precompile {int(to, 16)}"


def intrinsic_gas(data: bytes) -> int:
    """What a transaction costs before it runs: 21,000, 4 for each zero byte of calldata and 16 for any other."""
    zeros = data.count(0)
    return TRANSACTION_GAS + 4 * zeros + 16 * (len(data) - zeros)
