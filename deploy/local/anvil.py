"""The chain of a local network: anvil's own binary as a supervised service."""

from __future__ import annotations

import gzip
import json
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.ports import free_port
from deploy.local.profiles import LOCAL_CHAIN_ID
from deploy.local.supervisor import Service, ServiceSpec, Supervisor, SupervisorError
from deploy.toolchain import anvil_binary

MNEMONIC = "test test test test test test test test test test test junk"
"""The mnemonic that every test chain in the world uses: its keys are public, so it is for local networks only."""

DEFAULT_ACCOUNTS = 30
BLOCK_GAS_LIMIT = 120_000_000
HARDFORK = "prague"


class RpcError(SupervisorError):
    """Raised when the chain answers a call with an error."""


def rpc(url: str, method: str, parameters: Sequence[Any] = (), timeout_s: float = 10.0) -> Any:
    """One JSON-RPC call; returns its result. Raises RpcError for an error answer and OSError when nobody answers."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - loopback only
    with urllib.request.urlopen(request, timeout=timeout_s) as response:  # noqa: S310
        answer = json.load(response)
    if "error" in answer:
        raise RpcError(f"{method}: {answer['error']}")
    return answer["result"]


@dataclass(frozen=True)
class Chain:
    """A running anvil. Its accounts are those of MNEMONIC, with 10,000 coins each."""

    rpc_url: str
    chain_id: int
    service: Service

    def rpc(self, method: str, *parameters: Any) -> Any:
        """One JSON-RPC call; returns its result. Raises RpcError."""
        return rpc(self.rpc_url, method, parameters)

    @property
    def block_number(self) -> int:
        """Number of the newest block."""
        return int(self.rpc("eth_blockNumber"), 16)

    def automine(self) -> None:
        """From now on each transaction is mined at once, in a block of its own."""
        self.rpc("evm_setIntervalMining", 0)
        self.rpc("evm_setAutomine", True)

    def mine_every(self, seconds: int) -> None:
        """From now on a block comes every so many seconds; with 0 none comes."""
        self.rpc("evm_setAutomine", False)
        self.rpc("evm_setIntervalMining", seconds)

    def mine(self, blocks: int = 1) -> None:
        """Mines blocks now."""
        self.rpc("anvil_mine", hex(blocks))

    def advance(self, seconds: int) -> None:
        """Moves the chain's clock forward and mines a block."""
        self.rpc("evm_increaseTime", seconds)
        self.rpc("evm_mine")

    def reorganise(self, depth: int) -> None:
        """Replaces the last `depth` blocks by empty ones; their transactions are lost."""
        self.rpc("anvil_reorg", depth, [])

    def save(self, state: Path) -> None:
        """Writes the chain as it is now into the file that `start_anvil` was given, whole or not at all.

        anvil's own dumps at intervals are written in place and slowly: a kill meets most of them half done, and half a
        file is an empty chain.
        """
        dump = gzip.decompress(bytes.fromhex(self.rpc("anvil_dumpState", False)[2:]))
        partial = state.with_suffix(".partial")
        partial.write_bytes(dump)
        partial.replace(state)


def start_anvil(
    supervisor: Supervisor,
    directory: Path,
    *,
    chain_id: int = LOCAL_CHAIN_ID,
    base_fee_wei: int = 0,
    accounts: int = DEFAULT_ACCOUNTS,
    state: Path | None = None,
    restart: bool = False,
    name: str = "anvil",
) -> Chain:
    """Starts anvil, automining, with its files in `directory`, and waits until it answers.

    With a base fee of 0 gas costs nothing for ever; any other one moves with the blocks, as on a public chain.
    With `state` it loads the chain from that file, where there is one, and saves it there at an orderly stop. After a
    kill it comes back as it was at the last `Chain.save`, which is a deep reorganisation. Raises SupervisorError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [
        *(str(anvil_binary()), "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id)),
        *("--accounts", str(accounts), "--mnemonic", MNEMONIC, "--block-base-fee-per-gas", str(base_fee_wei)),
        *("--gas-limit", str(BLOCK_GAS_LIMIT), "--hardfork", HARDFORK),
        *(() if base_fee_wei else ("--gas-price", "0", "--disable-min-priority-fee")),
        *("--cache-path", str(directory), "--quiet"),
        *(("--state", str(state)) if state else ()),
    ]
    spec = ServiceSpec(name, command, {"HOME": str(directory)}, directory, restart=restart, foundation=True)
    service = supervisor.start(spec)
    url = f"http://127.0.0.1:{port}"
    supervisor.wait_ready(service, lambda: _answers(url, chain_id))
    return Chain(url, chain_id, service)


def _answers(url: str, chain_id: int) -> bool:
    try:
        return int(rpc(url, "eth_chainId", timeout_s=1.0), 16) == chain_id
    except OSError:
        return False
