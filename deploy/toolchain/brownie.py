"""Runs Brownie from its own environment: `python -m deploy.toolchain.brownie test tests/contracts -o addopts=`.

Each run has a home folder of its own under var/brownie and a free port for its development node, so several runs (and
the local network) stay out of each other's way, and nothing is written outside the checkout. With a target the live
network `target` is declared too, and the run has a project folder of its own: Brownie deletes artefacts that nobody
depends on and rewrites its map of deployments at every load, so runs that share one build folder break each other.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.toolchain.binaries import ROOT, ToolMissingError, anvil_binary, solc_directory

DEVELOPMENT_GAS_LIMIT = 120_000_000


@dataclass(frozen=True)
class Target:
    """A running chain that Brownie scripts may act on."""

    rpc_url: str
    chain_id: int


def brownie_binary() -> Path:
    """Brownie's console script. Raises ToolMissingError."""
    path = ROOT / ".venv-contracts" / "bin" / "brownie"
    if not path.is_file():
        raise ToolMissingError(f"Brownie is not installed at {path}: run `make setup`")
    return path


def _network_config(port: int, target: Target | None) -> str:
    lines = ["live:"]
    if target is None:
        lines = ["live: []"]
    else:
        lines += [
            "- name: Target",
            "  networks:",
            "  - name: target",
            "    id: target",
            f"    host: {target.rpc_url}",
            f"    chainid: {target.chain_id}",
        ]
    lines += [
        "development:",
        "- name: development",
        "  id: development",
        "  cmd: anvil",
        "  host: http://127.0.0.1",
        "  cmd_settings:",
        f"    port: {port}",
        f"    gas_limit: {DEVELOPMENT_GAS_LIMIT}",
        "    accounts: 20",
        "    base_fee: 0",
        "    evm_version: prague",
    ]
    return "\n".join(lines) + "\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def brownie_environment(target: Target | None = None) -> Iterator[dict[str, str]]:
    """Environment variables for one Brownie run; its home folder is removed at the end."""
    homes = ROOT / "var" / "brownie"
    homes.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="home-", dir=homes))
    try:
        (home / ".brownie").mkdir()
        (home / ".brownie" / "network-config.yaml").write_text(_network_config(_free_port(), target))
        path = os.pathsep.join([str(anvil_binary().parent), str(brownie_binary().parent), os.environ.get("PATH", "")])
        yield {
            **os.environ,
            "HOME": str(home),
            "PATH": path,
            "SOLCX_BINARY_PATH": str(solc_directory()),
            "PYTHONPATH": "",
            "no_proxy": "127.0.0.1",  # or requests reads the whole environment for a proxy, at every call
        }
    finally:
        shutil.rmtree(home, ignore_errors=True)


def private_project(home: Path) -> Path:
    """Makes a project folder in `home` that shares the checkout's sources and has a copy of the compiled contracts.

    Raises ToolMissingError when nothing is compiled.
    """
    project = home / "project"
    project.mkdir()
    for name in ("brownie-config.yaml", "contracts", "deploy", "node_modules", "tests"):
        (project / name).symlink_to(ROOT / name)
    for kind in ("contracts", "interfaces"):
        compiled = ROOT / "build" / kind
        if not compiled.is_dir():
            raise ToolMissingError(f"the contracts are not compiled into {compiled}: run `make setup`")
        shutil.copytree(compiled, project / "build" / kind)
    return project


def run_brownie(
    arguments: Sequence[str],
    *,
    target: Target | None = None,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> int:
    """Runs `brownie ARGUMENTS` and returns its exit status.

    `environment` is added to the variables of the run; `log` receives its output instead of the terminal.
    Raises ToolMissingError when Brownie or anvil is not installed, or a target is given and nothing is compiled.
    """
    with brownie_environment(target) as variables:
        command = [str(brownie_binary()), *arguments]
        variables.update(environment or {})
        project = ROOT if target is None else private_project(Path(variables["HOME"]))
        if log is None:
            return subprocess.run(command, cwd=project, env=variables, check=False).returncode
        with log.open("ab") as output:
            return subprocess.run(
                command, cwd=project, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
            ).returncode


if __name__ == "__main__":
    sys.exit(run_brownie(sys.argv[1:]))
