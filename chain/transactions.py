"""Signed transactions. Pure."""

from datetime import datetime
from typing import Any, NamedTuple

from eth_account.signers.local import LocalAccount

from chain.fees import Fees


class Send(NamedTuple):
    """A signed transaction: its nonce, its bytes, its gas limit, what it offers, when it was signed."""

    tx_hash: bytes
    nonce: int
    raw: bytes
    gas: int
    fees: Fees
    sent_at: datetime


class Order(NamedTuple):
    """What a transaction is to do; `value` in wei of native coin."""

    chain_id: int
    to: str
    data: bytes
    value: int


def sign(account: LocalAccount, order: Order, nonce: int, gas: int, fees: Fees, now: datetime) -> Send:
    """The order as a signed EIP-1559 transaction."""
    transaction: dict[str, Any] = {
        "type": 2,
        "chainId": order.chain_id,
        "nonce": nonce,
        "to": order.to,
        "data": order.data,
        "value": order.value,
        "gas": gas,
        "maxFeePerGas": fees.most,
        "maxPriorityFeePerGas": fees.tip,
    }
    signed = account.sign_transaction(transaction)
    return Send(bytes(signed.hash), nonce, bytes(signed.raw_transaction), gas, fees, now)
