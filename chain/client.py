"""A synchronous client of one deployment on one node, or on several that stand in for each other."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from hexbytes import HexBytes

from chain import abi, codec
from chain.codec import Decoded, Event
from chain.deployment import Deployment
from chain.errors import AlreadyKnown, NodeRefused, ReorgDuringRead
from chain.rpc import Node, Nodes
from protocol.encoding import checksum_address
from protocol.hashing import keccak256

LOG_RANGE = 2_048
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
    """Reads a deployment and sends signed transactions. Safe between threads.

    `rpc_urls` is one URL or several, as a sequence or with commas between them. `timeout` in seconds for each request
    to each node.
    """

    def __init__(self, rpc_urls: str | Sequence[str], deployment: Deployment, timeout: float = 10) -> None:
        self.deployment = deployment
        self._nodes = Nodes(_urls(rpc_urls), deployment.chain_id, timeout)

    # --- calls

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
        return self._nodes.ask(lambda node: node.ask(method, params))

    def chain_id(self) -> int:
        """The node's chain id, be it the deployment's or not."""
        return self._nodes.chain_id()

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
        """Our contracts' events in blocks first to last, both included, in order, each once.

        Asks for fewer blocks at a time where a node refuses. Raises ReorgDuringRead when the chain changed meanwhile or
        no node reaches `last`, RpcFailed.
        """
        anchor = self.block_hash(last)
        if anchor is None:
            raise ReorgDuringRead(f"no block {last}")
        events: list[Event] = []
        start, step = first, LOG_RANGE
        while start <= last:
            end = min(start + step - 1, last)
            try:
                events.extend(self._logs(start, end))
            except NodeRefused:
                if step == 1:
                    raise
                step //= 2
                continue
            start = end + 1
        if self.block_hash(last) != anchor:
            raise ReorgDuringRead(f"block {last} changed")
        return _once_in_order(events)

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
        """Hand a signed transaction to the node; its hash. One that the node already has is no error.

        Raises the SendRefused that tells why it was not taken, RpcFailed.
        """
        try:
            return _bytes(self.rpc("eth_sendRawTransaction", [_hex(raw)]))
        except AlreadyKnown:
            return keccak256(raw)

    def is_waiting(self, tx_hash: bytes) -> bool:
        """True while the node holds a transaction that is not mined."""
        value = self.rpc("eth_getTransactionByHash", [_hex(tx_hash)])
        return value is not None and value.get("blockNumber") is None

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
        # A node whose head is older would leave out what it does not have yet, without an error.
        together = (("eth_getLogs", [query]), ("eth_getBlockByNumber", [hex(last), False]))

        def of_one_state(node: Node) -> Decoded:
            logs, block = node.ask_together(together)
            if block is None:
                raise ReorgDuringRead(f"the node does not reach block {last}")
            return logs

        for log in self._nodes.ask(of_one_state):
            contract = self.deployment.names[checksum_address(log["address"])]
            found = codec.decode_log(_abi_or_empty(contract), [_bytes(t) for t in log["topics"]], _bytes(log["data"]))
            if found is not None and not log.get("removed"):
                yield Event(
                    found[0],
                    contract,
                    found[1],
                    int(log["blockNumber"], 16),
                    _bytes(log["blockHash"]),
                    _bytes(log["transactionHash"]),
                    int(log["logIndex"], 16),
                )


def _urls(given: str | Sequence[str]) -> list[str]:
    return [url.strip() for url in given.split(",") if url.strip()] if isinstance(given, str) else list(given)


def _once_in_order(events: Sequence[Event]) -> list[Event]:
    """Each event once, in chain order. Raises ReorgDuringRead where two chains are mixed."""
    by_place = {(event.block_number, event.log_index): event for event in events}
    hashes: dict[int, bytes] = {}
    for event in events:
        if hashes.setdefault(event.block_number, event.block_hash) != event.block_hash:
            raise ReorgDuringRead(f"two blocks {event.block_number}")
    return [by_place[place] for place in sorted(by_place)]


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


def _block(block: int | bytes | str) -> object:
    if isinstance(block, bytes):
        return {"blockHash": _hex(block)}
    return hex(block) if isinstance(block, int) else block


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: str) -> bytes:
    return bytes(HexBytes(text))
