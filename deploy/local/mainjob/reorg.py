"""A reorganisation in the middle of the job: the blocks from a posting on are replaced by empty ones."""

from collections.abc import Iterator

from chain.client import ChainClient, Transaction
from deploy.local.anvil import Chain
from deploy.local.mainjob.summary import ReorgLine


class Reorganisation:
    """Strikes once, when a posting is in the oldest of the last `depth` blocks.

    `look` is to be called more often than blocks come; after it they come every `block_time_s`.
    """

    def __init__(self, chain: Chain, client: ChainClient, depth: int, block_time_s: int) -> None:
        self._chain = chain
        self._client = client
        self._depth = depth
        self._block_time_s = block_time_s
        self._first_block = 0
        self._taken: list[Transaction] = []

    def look(self) -> bool:
        """True when it strikes now."""
        if self._taken or self._depth == 0 or not self._is_posting(self._client.head().number - self._depth + 1):
            return False
        self._chain.mine_every(0)
        head = self._client.head().number
        first = head - self._depth + 1
        struck = self._is_posting(first)
        if struck:
            self._first_block = first
            self._taken = list(self._client.transactions(first, head))
            self._chain.reorganise(self._depth)
            self._chain.rpc("anvil_dropAllTransactions")
        self._chain.mine_every(self._block_time_s)
        return struck

    def line(self) -> ReorgLine | None:
        """What was taken away and what came back; None where it never struck."""
        if not self._taken:
            return None
        back = {self._essence(transaction) for transaction in self._mined_since()}
        again = sum(self._essence(transaction) in back for transaction in self._taken)
        return ReorgLine(self._depth, self._first_block, len(self._taken), again)

    def _is_posting(self, number: int) -> bool:
        block = max(number, self._client.deployment.deploy_block)
        return any(event.name == "Posted" for event in self._client.logs(block, block))

    def _mined_since(self) -> Iterator[Transaction]:
        for transaction in self._client.transactions(self._first_block, self._client.head().number):
            receipt = self._client.receipt(transaction.tx_hash)
            if receipt is not None and receipt.ok:
                yield transaction

    @staticmethod
    def _essence(transaction: Transaction) -> tuple[str, str, bytes]:
        """What a transaction does, under whatever nonce and fee it was signed again."""
        return transaction.sender, transaction.to, transaction.data
