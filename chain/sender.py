"""Transactions of an account that keeps no outbox: a buyer's, an owner's, the local network's own.

One at a time, waiting for each; whoever must not lose one keeps an outbox.
"""

import time
from collections.abc import Callable
from datetime import datetime

from eth_account.signers.local import LocalAccount

from chain.client import ChainClient, TxReceipt
from chain.errors import (
    ContractReverted,
    FeeTooLow,
    NonceTooHigh,
    NonceTooLow,
    ReplacementUnderpriced,
    RpcFailed,
    SendRefused,
)
from chain.fees import USUAL_FEES, FeePolicy, Fees
from chain.reorg import utc_now
from chain.transactions import Order, Send, sign

POLL_FIRST_S = 0.02
POLL_MOST_S = 0.5
TRIES = 8
"""Times that a transaction is signed before the node's refusal stands."""


class Sender:
    """Sends from one account. `timeout` in seconds until a transaction must be mined."""

    def __init__(
        self,
        client: ChainClient,
        account: LocalAccount,
        timeout: float = 60,
        sleep: Callable[[float], None] = time.sleep,
        policy: FeePolicy = USUAL_FEES,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.client = client
        self.account = account
        self.address = str(account.address)
        self._timeout = timeout
        self._sleep = sleep
        self._policy = policy
        self._clock = clock

    def send(self, contract: str, function: str, *args: object, value: int = 0) -> TxReceipt:
        """Call a function in a transaction and wait until it is mined; `value` in wei of native coin.

        Raises ContractReverted with the decoded custom error, AbiUnknown, SendRefused (InsufficientFunds, FeeTooLow
        where the ceiling forbids more), RpcFailed.
        """
        to = self.client.deployment.address(contract)
        data = self.client.encode(contract, function, args)
        gas = self.client.estimate(self.address, to, data, value)
        order = Order(self.client.deployment.chain_id, to, data, value)
        receipt = self._wait(order, [self._broadcast(order, gas + gas // 4 + 10_000)])
        if not receipt.ok:
            raise ContractReverted("", (f"{contract}.{function} in 0x{receipt.tx_hash.hex()}",))
        return receipt

    def _wait(self, order: Order, sends: list[Send]) -> TxReceipt:
        """The receipt of whichever of the transactions is mined. Raises RpcFailed when none is in time."""
        deadline, pause = time.monotonic() + self._timeout, POLL_FIRST_S
        while time.monotonic() < deadline:
            for send in reversed(sends):
                receipt = self.client.receipt(send.tx_hash)
                if receipt is not None:
                    return receipt
            if self._clock() - sends[-1].sent_at >= self._policy.bump_after:
                self._bump(order, sends)
            self._sleep(pause)
            pause = min(2 * pause, POLL_MOST_S)
        raise RpcFailed(f"0x{sends[-1].tx_hash.hex()} is not mined after {self._timeout} s")

    def _bump(self, order: Order, sends: list[Send]) -> None:
        """Put one that offers more in the place of the last; where none may or the node refuses it, send that again."""
        last = sends[-1]
        fees = self._policy.bumped(last.fees, self._market(), len(sends) - 1)
        fresh = sign(self.account, order, last.nonce, last.gas, fees or last.fees, self._clock())
        sends[:] = [*sends, fresh] if fees else [*sends[:-1], fresh]
        try:
            self.client.send_raw(fresh.raw)
        except SendRefused:
            return  # it is asked for again after the same time

    def _broadcast(self, order: Order, gas: int) -> Send:
        """Sign under the next nonce and hand it over, anew while another transaction takes the nonce."""
        fees, refused = self._market(), RpcFailed("the base fee is above the ceiling")
        for _ in range(TRIES):
            if fees is None:
                raise refused
            nonce = self.client.nonce(self.address, "pending")
            send = sign(self.account, order, nonce, gas, fees, self._clock())
            try:
                self.client.send_raw(send.raw)
            except (NonceTooLow, NonceTooHigh) as error:
                refused = error
            except (ReplacementUnderpriced, FeeTooLow) as error:
                refused, fees = error, self._policy.bumped(fees, self._market(), 0)
            else:
                return send
        raise refused

    def _market(self) -> Fees | None:
        return self._policy.market(self.client.head().base_fee, self.client.priority_fee())
