"""Runs Brownie from its own environment: `python -m deploy.toolchain.brownie test tests/contracts -o addopts=`.

Each run has a home folder of its own under var/brownie and a free port for its development node, so several runs (and
the local network) stay out of each other's way, and nothing is written outside the checkout. With an RPC address the
live network `target` is declared too: `brownie_command(["run", "deploy", "--network", "target"])`.
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


def run_brownie(
    arguments: Sequence[str],
    *,
    project: Path = ROOT,
    target: Target | None = None,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> int:
    """Runs `brownie ARGUMENTS` in `project` and returns its exit status.

    `environment` is added to the variables of the run; `log` receives its output instead of the terminal.
    Raises ToolMissingError when Brownie or anvil is not installed.
    """
    with brownie_environment(target) as variables:
        command = [str(brownie_binary()), *arguments]
        variables.update(environment or {})
        if target is not None:  # Brownie refuses to connect where its records are of an older chain of the same id
            shutil.rmtree(project / "build" / "deployments" / str(target.chain_id), ignore_errors=True)
        if log is None:
            return subprocess.run(command, cwd=project, env=variables, check=False).returncode
        with log.open("ab") as output:
            return subprocess.run(
                command, cwd=project, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
            ).returncode


if __name__ == "__main__":
    sys.exit(run_brownie(sys.argv[1:], project=Path.cwd()))
