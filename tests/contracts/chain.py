"""What every contract test needs of the chain: refusals by name, time, blocks and keys."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import brownie
import pytest
from brownie import web3
from brownie.exceptions import VirtualMachineError
from web3.middleware import Web3Middleware

from protocol.hashing import keccak256
from protocol.signing import address_of

RECEIPT_S = 0.5
ZERO = "0x" + "00" * 20


class Signer:
    """A key outside the node: a device, an owner, a buyer. `address` is checksummed."""

    def __init__(self, name: str) -> None:
        self.key = keccak256(name.encode())
        self.address = address_of(self.key)

    def __str__(self) -> str:
        return self.address


def address_of_account(who: Any) -> str:
    """The address of an account, a contract, a signer or an address."""
    return str(getattr(who, "address", who))


@lru_cache(maxsize=1)
def _selectors() -> dict[str, str]:
    """Selector of every custom error of the compiled contracts, by name."""
    project = brownie.project.get_loaded_projects()[0]
    found = {}
    for pair in project._build.items():
        for item in pair[1].get("abi", []):
            if item["type"] == "error":
                found[item["name"]] = keccak256(_signature(item).encode())[:4].hex()
    return found


def selector_of(name: str) -> str:
    """The four bytes of a custom error, in hex without 0x. KeyError if no contract has it."""
    return _selectors()[name]


def _signature(item: dict[str, Any]) -> str:
    return f"{item['name']}({','.join(_type(field) for field in item['inputs'])})"


def _type(field: dict[str, Any]) -> str:
    if not field["type"].startswith("tuple"):
        return str(field["type"])
    return f"({','.join(_type(part) for part in field['components'])}){field['type'].removeprefix('tuple')}"


@contextmanager
def reverts(name: str, *args: object) -> Iterator[None]:
    """Expects the custom error `name`; in a transaction also its arguments, where any are given."""
    with pytest.raises(VirtualMachineError) as caught:
        yield
    message = caught.value.revert_msg or ""
    text = str(caught.value.args[0]) if caught.value.args else ""
    if message.startswith(f"{name}:"):
        if args:
            wanted = ", ".join(address_of_account(arg) for arg in args)
            assert message.removeprefix(f"{name}:").strip().lower() == wanted.lower()
        return
    found = _selectors().get(name, name)
    assert found in message or found in text, f"expected {name}, got {message!r} {text!r}"


def now() -> int:
    """Timestamp of the latest block."""
    return int(web3.eth.get_block("latest")["timestamp"])


def height() -> int:
    """Number of the latest block."""
    return int(web3.eth.block_number)


def rpc(method: str, *params: object) -> Any:
    """Calls the node. Fails the test when it answers with an error."""
    answer = web3.provider.make_request(method, list(params))
    assert "error" not in answer, answer
    return answer.get("result")


def mine(blocks: int = 1) -> None:
    """Mines empty blocks."""
    rpc("anvil_mine", hex(blocks))


def set_next_time(timestamp: int) -> None:
    """The next block has this timestamp."""
    rpc("evm_setNextBlockTimestamp", timestamp)


def advance(seconds: int) -> None:
    """Mines one block that is later by `seconds`."""
    rpc("evm_setNextBlockTimestamp", now() + seconds)
    mine()


@contextmanager
def one_block() -> Iterator[None]:
    """Transactions sent inside (with `required_confs: 0`) are mined in one block, in order."""
    rpc("evm_setAutomine", False)
    try:
        yield
        mine()
    finally:
        rpc("evm_setAutomine", True)


class ReceiptMiddleware(Web3Middleware):
    """Asks again for a receipt that is not there, for RECEIPT_S: the node answers before it has mined."""

    def wrap_make_request(self, make_request: Any) -> Any:
        def ask(method: str, params: Any) -> Any:
            answer = make_request(method, params)
            if method == "eth_getTransactionReceipt":
                deadline = time.monotonic() + RECEIPT_S
                while answer.get("result") is None and time.monotonic() < deadline:
                    time.sleep(0.005)
                    answer = make_request(method, params)
            return answer

        return ask
