"""A synchronous client of one deployment on one node (web3.py for the transport and contract objects)."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import requests
from hexbytes import HexBytes
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from chain import abi, codec
from chain.codec import Decoded, Event
from chain.deployment import Deployment
from chain.errors import ReorgDuringRead, RpcFailed
from protocol.encoding import checksum_address

LOG_RANGE = 2_000
"""Blocks that one eth_getLogs asks for; halved where a node refuses."""


class BlockRef(NamedTuple):
    """A block: number, hash, timestamp in Unix seconds, base fee in wei."""

    number: int
    hash: bytes
    timestamp: int
    base_fee: int


class TxReceipt(NamedTuple):
    """What a mined transaction did."""

    tx_hash: bytes
    ok: bool
    gas_used: int
    block_number: int
    block_hash: bytes


class Transaction(NamedTuple):
    """A mined transaction to be reported: to whom, with what calldata, at what gas."""

    tx_hash: bytes
    sender: str
    to: str
    data: bytes
    block_number: int


class ChainClient:
    """Reads a deployment and sends signed transactions. `timeout` in seconds for each request; safe between threads."""

    def __init__(self, rpc_url: str, deployment: Deployment, timeout: float = 10) -> None:
        self.deployment = deployment
        self._provider = HTTPProvider(rpc_url, request_kwargs={"timeout": timeout}, exception_retry_configuration=None)
        self.web3 = Web3(self._provider)

    # --- calls

    def contract(self, name: str) -> Contract:
        """web3's own contract object. Raises AbiUnknown, DeploymentInvalid."""
        address = Web3.to_checksum_address(self.deployment.address(name))
        return self.web3.eth.contract(address=address, abi=abi.load(name).entries)

    def encode(self, contract: str, function: str, args: Sequence[object] = ()) -> bytes:
        """Calldata. Raises AbiUnknown."""
        return codec.encode_call(abi.load(contract), function, args)

    def call(
        self,
        contract: str,
        function: str,
        *args: object,
        block: int | bytes | str = "latest",
        sender: str | None = None,
    ) -> Decoded:
        """Call a function; structs of the answer as dicts, several values as a tuple. `block`: number, hash or tag.

        Raises ContractReverted with the decoded custom error, AbiUnknown, RpcFailed.
        """
        transaction = {"to": self.deployment.address(contract), "data": _hex(self.encode(contract, function, args))}
        if sender is not None:
            transaction["from"] = sender
        result = self.rpc("eth_call", [transaction, _block(block)])
        return codec.decode_result(abi.load(contract), function, bytes.fromhex(result[2:]))

    # --- the chain

    def rpc(self, method: str, params: Sequence[Any] = ()) -> Decoded:
        """One JSON-RPC request's result. Raises ContractReverted where the answer is a revert, else RpcFailed."""
        try:
            answer = self._provider.make_request(RPCEndpoint(method), list(params))
        except (requests.RequestException, Web3Exception, ValueError, OSError) as error:
            raise RpcFailed(f"{method}: {error}") from error
        if "error" in answer:
            raise _error(method, answer["error"])
        return answer["result"]

    def chain_id(self) -> int:
        """The node's chain id."""
        return int(self.rpc("eth_chainId"), 16)

    def head(self) -> BlockRef:
        """The newest block."""
        return _block_ref(self.rpc("eth_getBlockByNumber", ["latest", False]))

    def block(self, number: int) -> BlockRef | None:
        """A block; None where the chain does not reach."""
        value = self.rpc("eth_getBlockByNumber", [hex(number), False])
        return None if value is None else _block_ref(value)

    def block_hash(self, number: int) -> bytes | None:
        """The hash of a block; None where the chain does not reach."""
        block = self.block(number)
        return None if block is None else block.hash

    def logs(self, first: int, last: int) -> list[Event]:
        """Our contracts' events in blocks first to last, both included, in order. Raises ReorgDuringRead, RpcFailed."""
        anchor = self.block_hash(last)
        if anchor is None:
            raise ReorgDuringRead(f"no block {last}")
        events: list[Event] = []
        start, step = first, LOG_RANGE
        while start <= last:
            end = min(start + step - 1, last)
            try:
                events.extend(self._logs(start, end))
            except RpcFailed:
                if step == 1:
                    raise
                step = max(1, step // 8)
                continue
            start = end + 1
        if self.block_hash(last) != anchor:
            raise ReorgDuringRead(f"block {last} changed")
        return events

    def transactions(self, first: int, last: int) -> Iterator[Transaction]:
        """Mined transactions to our contracts in blocks first to last, in order."""
        for number in range(first, last + 1):
            block = self.rpc("eth_getBlockByNumber", [hex(number), True])
            for value in block["transactions"] if block else ():
                if value["to"] and checksum_address(value["to"]) in self.deployment.names:
                    yield Transaction(
                        _bytes(value["hash"]),
                        checksum_address(value["from"]),
                        checksum_address(value["to"]),
                        _bytes(value["input"]),
                        number,
                    )

    # --- sending

    def nonce(self, address: str, block: str = "latest") -> int:
        """Transactions of an account: mined ones, or with "pending" those that wait too."""
        return int(self.rpc("eth_getTransactionCount", [address, block]), 16)

    def balance(self, address: str) -> int:
        """Native coin in wei."""
        return int(self.rpc("eth_getBalance", [address, "latest"]), 16)

    def estimate(self, sender: str, to: str, data: bytes, value: int = 0) -> int:
        """Gas that the transaction would take on top of those that wait. Raises ContractReverted, RpcFailed."""
        transaction = {"from": sender, "to": to, "data": _hex(data), "value": hex(value)}
        return int(self.rpc("eth_estimateGas", [transaction, "pending"]), 16)

    def priority_fee(self) -> int:
        """The node's suggestion in wei per gas."""
        return int(self.rpc("eth_maxPriorityFeePerGas"), 16)

    def send_raw(self, raw: bytes) -> bytes:
        """Hand a signed transaction to the node; its hash. One that the node already has is no error."""
        try:
            return _bytes(self.rpc("eth_sendRawTransaction", [_hex(raw)]))
        except RpcFailed as error:
            if "already known" in str(error) or "already imported" in str(error):
                return bytes(Web3.keccak(raw))
            raise

    def receipt(self, tx_hash: bytes) -> TxReceipt | None:
        """What a transaction did; None while it is not mined."""
        value = self.rpc("eth_getTransactionReceipt", [_hex(tx_hash)])
        if value is None or value.get("blockHash") is None:
            return None
        return TxReceipt(
            tx_hash,
            int(value["status"], 16) == 1,
            int(value["gasUsed"], 16),
            int(value["blockNumber"], 16),
            _bytes(value["blockHash"]),
        )

    def _logs(self, first: int, last: int) -> Iterator[Event]:
        query = {"fromBlock": hex(first), "toBlock": hex(last), "address": list(self.deployment.contracts.values())}
        for log in self.rpc("eth_getLogs", [query]):
            contract = self.deployment.names[checksum_address(log["address"])]
            found = codec.decode_log(_abi_or_empty(contract), [_bytes(t) for t in log["topics"]], _bytes(log["data"]))
            if found is not None:
                yield Event(
                    found[0],
                    contract,
                    found[1],
                    int(log["blockNumber"], 16),
                    _bytes(log["blockHash"]),
                    _bytes(log["transactionHash"]),
                    int(log["logIndex"], 16),
                )


@cache
def _abi_or_empty(contract: str) -> abi.Abi:
    return abi.load(contract) if contract in set(abi.names()) else abi.Abi(contract, [])


def _block_ref(value: dict[str, Any]) -> BlockRef:
    return BlockRef(
        int(value["number"], 16),
        _bytes(value["hash"]),
        int(value["timestamp"], 16),
        int(value.get("baseFeePerGas") or "0x0", 16),
    )


def _error(method: str, error: Decoded) -> Exception:
    message = str(error.get("message", error)) if isinstance(error, dict) else str(error)
    data = error.get("data") if isinstance(error, dict) else None
    if isinstance(data, dict):
        data = data.get("data")
    if isinstance(data, str) and data.startswith("0x") and len(data) > 2:
        return codec.revert_of(bytes.fromhex(data[2:]))
    if "revert" in message:
        return codec.revert_of(b"")
    return RpcFailed(f"{method}: {message}")


def _block(block: int | bytes | str) -> object:
    if isinstance(block, bytes):
        return {"blockHash": _hex(block)}
    return hex(block) if isinstance(block, int) else block


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: str) -> bytes:
    return bytes(HexBytes(text))
