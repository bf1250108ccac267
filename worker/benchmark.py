"""How fast this machine is on known programs: measured at the first start, and again when machine or version change."""

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from execution import DeviceFailure, Sandbox
from worker import control
from worker.errors import SandboxUnusable

FILE = "benchmark.json"
BUDGET_S = 0.15
"""Each program is run again until it has had this long, and twice at least; the first run warms up."""
RUNS_MAX = 200

INPUTS: Mapping[str, bytes] = {
    "digits": bytes(i % 17 for i in range(64)),
    "sha256-chain": (1_000).to_bytes(4, "little") + b"multitude",
    "matmul": (96).to_bytes(4, "little") + (1).to_bytes(4, "little"),
}
"""What each program of programs/catalogue is run on."""


@dataclass(frozen=True)
class Benchmark:
    """Nanoseconds for each WU by program, on one machine with one version."""

    machine: str
    version: str
    measured_at: float
    ns_per_wu: dict[str, float]

    @property
    def typical(self) -> float:
        """The middle of the programs' speeds: what is offered before a lease has shown better."""
        return median(self.ns_per_wu.values())


def measure(clock: Callable[[], float] = time.time) -> Benchmark:
    """Runs the programs in the sandbox, about a second. Raises SandboxUnusable where this machine cannot run one."""
    try:
        speeds = {name: _speed(name) for name in INPUTS}
    except (DeviceFailure, OSError) as error:
        raise SandboxUnusable(f"this machine cannot run a program: {error}; `doctor` says more") from error
    return Benchmark(machine_now(), version_now(), clock(), speeds)


def load_or_measure(folder: Path, measured: Callable[[], Benchmark] = measure) -> tuple[Benchmark, bool]:
    """The benchmark of the state folder, made again where it is missing, damaged or of another machine or version.

    Also whether it was made now. Raises SandboxUnusable, OSError.
    """
    known = load(folder)
    if known is not None and (known.machine, known.version) == (machine_now(), version_now()):
        return known, False
    made = measured()
    folder.mkdir(parents=True, exist_ok=True)
    control.write_whole(folder / FILE, json.dumps(asdict(made)))
    return made, True


def load(folder: Path) -> Benchmark | None:
    """The benchmark that the folder holds, whatever machine it is of; None where there is none that can be read."""
    try:
        value = json.loads((folder / FILE).read_text())
        speeds = {str(name): float(speed) for name, speed in value["ns_per_wu"].items()}
        found = Benchmark(str(value["machine"]), str(value["version"]), float(value["measured_at"]), speeds)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if speeds and all(speed > 0 for speed in speeds.values()) else None


def machine_now() -> str:
    """What a benchmark belongs to: architecture, processor, how many, system, engine."""
    engine = f"wasmtime {_version('wasmtime')}"
    parts = (platform.machine(), _processor(), os.cpu_count(), platform.system(), engine)
    return ", ".join(str(part) for part in parts if part)


def version_now() -> str:
    """The installed version of this software."""
    return _version("multitude")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _speed(name: str) -> float:
    """ns for each WU of one program: the fastest run, which other programs disturbed least."""
    from programs.catalogue import CATALOGUE

    program = CATALOGUE[name].build()
    with Sandbox(program.rewritten, program.limits) as sandbox:
        sandbox.run(INPUTS[name])
        best, runs, ends_at = float("inf"), 0, time.perf_counter() + BUDGET_S
        while runs < 2 or (runs < RUNS_MAX and time.perf_counter() < ends_at):
            started = time.perf_counter()
            wu = sandbox.run(INPUTS[name]).wu
            best = min(best, (time.perf_counter() - started) * 1e9 / wu)
            runs += 1
    return best
