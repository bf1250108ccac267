"""A buyer's tokens: faucet, deposit by permit or approval, withdrawal. Blocks on the chain."""

import time
from dataclasses import dataclass
from typing import ClassVar

from chain.accounting import TOKEN
from chain.client import ChainClient
from chain.errors import ContractReverted
from chain.sender import Sender
from multitude.buyer.identity import Signer
from multitude.errors import AccountIsContract, BalanceTooLow
from protocol.messages import Domain
from protocol.structs import Message

PERMIT_S = 3_600

Call = tuple[str, str, tuple[object, ...]]
"""A contract's name, its function, the arguments."""


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
    """The chain side of one buyer. Every method raises ContractReverted and RpcFailed.

    What sends a transaction raises AccountIsContract where the buyer is a contract account.
    """

    def __init__(self, client: ChainClient, signer: Signer) -> None:
        self._client = client
        self._signer = signer
        self.address = signer.address

    def tokens(self) -> int:
        """Token wei in the account itself."""
        return int(self._client.call(TOKEN, "balanceOf", self.address))

    def deposited(self) -> int:
        """Token wei in the escrow that no job has locked."""
        return int(self._client.call("JobEscrow", "balanceOf", self.address))

    def drip(self) -> None:
        """Take what the faucet of a test network gives."""
        self.send(("Faucet", "drip", (self.address,)))

    def deposit(self, amount: int) -> None:
        """Move token wei into the escrow: by permit in one transaction, else by approval in two.

        Anybody may use a permit's signature first: the escrow then takes the allowance that it made. Where even that
        is not there, the approval is sent. Raises BalanceTooLow before anything is sent.
        """
        held = self.tokens()
        if held < amount:
            raise BalanceTooLow(amount, held, self.address)
        if self._signer.account is not None and self._deposit_by_permit(amount):
            return
        escrow = self._client.deployment.address("JobEscrow")
        self.send((TOKEN, "approve", (escrow, amount)), ("JobEscrow", "deposit", (amount,)))

    def withdraw(self, amount: int) -> None:
        """Take token wei back out of the escrow."""
        self.send(("JobEscrow", "withdraw", (amount,)))

    def send(self, *calls: Call) -> None:
        """Send transactions from the buyer's account, one after the other, and wait for each."""
        if self._signer.account is None:
            address, encode = self._client.deployment.address, self._client.encode
            raise AccountIsContract(
                self.address, [(address(c), encode(c, function, args)) for c, function, args in calls]
            )
        sender = Sender(self._client, self._signer.account)
        for contract, function, args in calls:
            sender.send(contract, function, *args)

    def _deposit_by_permit(self, amount: int) -> bool:
        escrow = self._client.deployment.address("JobEscrow")
        nonce = int(self._client.call(TOKEN, "nonces", self.address))
        deadline = max(int(time.time()), self._client.head().timestamp) + PERMIT_S
        domain = Domain(self._client.deployment.chain_id, self._client.deployment.address(TOKEN))
        permit = Permit(self.address, escrow, amount, nonce, deadline)
        signature = self._signer.sign_digest(permit.digest(domain))
        r, s, v = signature[:32], signature[32:64], signature[64]
        try:
            self.send(("JobEscrow", "depositWithPermit", (amount, deadline, v, r, s)))
        except ContractReverted:
            return False
        return True
