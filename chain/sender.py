"""Transactions of an account that keeps no outbox: a buyer's, an owner's, the local network's own.

One at a time, waiting for each; whoever must not lose one keeps an outbox.
"""

import time
from collections.abc import Callable
from typing import Any

from eth_account.signers.local import LocalAccount

from chain.client import ChainClient, TxReceipt
from chain.errors import ContractReverted, RpcFailed

POLL_FIRST_S = 0.02
POLL_MOST_S = 0.5


class Sender:
    """Sends from one account. `timeout` in seconds until a transaction must be mined."""

    def __init__(
        self,
        client: ChainClient,
        account: LocalAccount,
        timeout: float = 60,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.client = client
        self.account = account
        self.address = str(account.address)
        self._timeout = timeout
        self._sleep = sleep

    def send(self, contract: str, function: str, *args: object, value: int = 0) -> TxReceipt:
        """Call a function in a transaction and wait until it is mined; `value` in wei of native coin.

        Raises ContractReverted with the decoded custom error, AbiUnknown, RpcFailed.
        """
        to = self.client.deployment.address(contract)
        data = self.client.encode(contract, function, args)
        gas = self.client.estimate(self.address, to, data, value)
        receipt = self.wait(self._broadcast(to, data, value, gas + gas // 4 + 10_000))
        if not receipt.ok:
            raise ContractReverted("", (f"{contract}.{function} in 0x{receipt.tx_hash.hex()}",))
        return receipt

    def wait(self, tx_hash: bytes) -> TxReceipt:
        """The receipt of a transaction. Raises RpcFailed when it is not mined in time."""
        deadline, pause = time.monotonic() + self._timeout, POLL_FIRST_S
        while time.monotonic() < deadline:
            receipt = self.client.receipt(tx_hash)
            if receipt is not None:
                return receipt
            self._sleep(pause)
            pause = min(2 * pause, POLL_MOST_S)
        raise RpcFailed(f"0x{tx_hash.hex()} is not mined after {self._timeout} s")

    def _broadcast(self, to: str, data: bytes, value: int, gas: int) -> bytes:
        tip = self.client.priority_fee()
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": self.client.deployment.chain_id,
            "nonce": self.client.nonce(self.address, "pending"),
            "to": to,
            "data": data,
            "value": value,
            "gas": gas,
            "maxPriorityFeePerGas": tip,
            "maxFeePerGas": 2 * self.client.head().base_fee + tip,
        }
        signed = self.account.sign_transaction(transaction)
        return self.client.send_raw(bytes(signed.raw_transaction))
