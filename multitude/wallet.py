"""A buyer's tokens: faucet, deposit by permit, withdrawal."""

import time
from dataclasses import dataclass
from typing import ClassVar

from eth_account import Account

from chain.accounting import TOKEN
from chain.client import ChainClient
from chain.sender import Sender
from protocol.messages import Domain
from protocol.structs import Message

PERMIT_S = 3_600


@dataclass(frozen=True)
class Permit(Message):
    """EIP-2612: `spender` may take `value` token wei until `deadline`. The token's domain has the market's name."""

    type_string: ClassVar[str] = "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"

    owner: str
    spender: str
    value: int
    nonce: int
    deadline: int


class Wallet:
    """The chain side of one account. Every method raises ContractReverted and RpcFailed."""

    def __init__(self, client: ChainClient, key: bytes) -> None:
        self._client = client
        self._key = key
        self._sender = Sender(client, Account.from_key(key))
        self.address = self._sender.address

    def tokens(self) -> int:
        """Token wei in the account itself."""
        return int(self._client.call(TOKEN, "balanceOf", self.address))

    def deposited(self) -> int:
        """Token wei in the escrow that no job has locked."""
        return int(self._client.call("JobEscrow", "balanceOf", self.address))

    def drip(self) -> None:
        """Take what the faucet of a test network gives."""
        self._sender.send("Faucet", "drip", self.address)

    def deposit(self, amount: int) -> None:
        """Move token wei into the escrow in one transaction, by permit."""
        escrow = self._client.deployment.address("JobEscrow")
        nonce = int(self._client.call(TOKEN, "nonces", self.address))
        deadline = max(int(time.time()), self._client.head().timestamp) + PERMIT_S
        domain = Domain(self._client.deployment.chain_id, self._client.deployment.address(TOKEN))
        signature = Permit(self.address, escrow, amount, nonce, deadline).sign(domain, self._key)
        r, s, v = signature[:32], signature[32:64], signature[64]
        self._sender.send("JobEscrow", "depositWithPermit", amount, deadline, v, r, s)

    def withdraw(self, amount: int) -> None:
        """Take token wei back out of the escrow."""
        self._sender.send("JobEscrow", "withdraw", amount)
