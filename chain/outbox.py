"""Transactions that must have their effect once: written with the fact that causes them, sent until they are settled.

States: queued -> sent -> mined -> confirmed, or failed (reverted, in the estimate or on chain). What a reorganisation
or a chain's fall-back took away goes back to sent and is broadcast again, byte for byte. One that is stuck is replaced
under its nonce by one that offers more; where its nonce is lost, it is signed anew. Whatever was signed for a row is
remembered: the row is mined when any of it is. A row's (purpose, ident) is unique for ever. Delivery is at least once,
so calls must be ones that the contracts refuse a second time; all of ours are.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from eth_account.signers.local import LocalAccount
from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chain.client import BlockRef, ChainClient, TxReceipt
from chain.errors import (
    ContractReverted,
    FeeTooLow,
    InsufficientFunds,
    NonceTooHigh,
    NonceTooLow,
    OutboxInvalid,
    ReorgTooDeep,
    ReplacementUnderpriced,
    RpcFailed,
    SendRefused,
)
from chain.fees import USUAL_FEES, FeePolicy, Fees
from chain.reorg import REORG_BLOCKS_MOST, Patience, count_gone, utc_now
from chain.sends import remember, restart_clocks, sends_of
from chain.tables import outbox
from chain.transactions import Order, Send, sign

QUEUED, SENT, MINED, CONFIRMED, FAILED = "queued", "sent", "mined", "confirmed", "failed"
SEND_AT_ONCE = 100
"""Rows that one pump signs at most."""
REBROADCAST_AFTER = timedelta(seconds=5)
BACK_OFF_FIRST = timedelta(seconds=1)
BACK_OFF_MOST = timedelta(seconds=60)
FUNDS_AFTER = timedelta(seconds=10)
"""Until we look again whether an account that could not pay can."""


class OutboxRow(NamedTuple):
    """A row as its owner sees it. `error` is the decoded custom error of the last failure."""

    purpose: str
    ident: str
    state: str
    error: str | None
    attempts: int
    tx_hash: bytes | None
    block_number: int | None
    gas_used: int | None


class PumpResult(NamedTuple):
    """Rows that a pump moved into each state."""

    sent: int = 0
    mined: int = 0
    confirmed: int = 0
    failed: int = 0
    lost: int = 0


class Outbox:
    """The transactions of one sending account. `confirmations` blocks, its own included, make a row confirmed.

    Other transactions of the same account, from elsewhere, cost time and no more: they take nonces away.
    """

    def __init__(
        self,
        engine: Engine,
        client: ChainClient,
        account: LocalAccount,
        confirmations: int = 2,
        clock: Callable[[], datetime] = utc_now,
        policy: FeePolicy = USUAL_FEES,
    ) -> None:
        self._engine = engine
        self._client = client
        self._account = account
        self._sender = str(account.address)
        self._confirmations = confirmations
        self._clock = clock
        self._policy = policy
        self._patience = Patience(clock)

    def enqueue(
        self,
        connection: Connection | Session,
        purpose: str,
        ident: str,
        contract: str,
        function: str,
        args: Sequence[object],
        value: int = 0,
        attempts: int = 1,
    ) -> bool:
        """Write a transaction inside the caller's SQL transaction; `value` in wei of native coin.

        False where (purpose, ident) is there already: the first one stands, whatever it calls. A revert is tried again,
        with rising pauses, until `attempts` are used up. Raises AbiUnknown, DeploymentInvalid.
        """
        row = {
            "purpose": purpose,
            "ident": ident,
            "sender": self._sender,
            "contract": contract,
            "function": function,
            "to": self._client.deployment.address(contract),
            "data": self._client.encode(contract, function, args),
            "value": value,
            "state": QUEUED,
            "attempts": 0,
            "attempts_max": attempts,
            "next_attempt_at": self._clock(),
        }
        statement = insert(outbox).values(row).on_conflict_do_nothing(constraint="uq_outbox_purpose_ident")
        return connection.execute(statement.returning(outbox.c.id)).first() is not None

    def want(
        self,
        connection: Connection | Session,
        purpose: str,
        ident: str,
        contract: str,
        function: str,
        args: Sequence[object],
        value: int = 0,
        attempts: int = 1,
    ) -> bool:
        """`enqueue`; a row that failed is queued again, with these arguments, once BACK_OFF_MOST has passed.

        For a caller that says so as long as it wants the effect: nothing is lost because attempts ran out.
        """
        if self.enqueue(connection, purpose, ident, contract, function, args, value, attempts):
            return True
        where = _named(purpose, ident) & (outbox.c.state == FAILED) & (outbox.c.next_attempt_at <= self._clock())
        if connection.execute(select(outbox.c.id).where(where)).first() is None:
            return False
        self.retry(purpose, ident, args, attempts, connection)
        return True

    def find(self, purpose: str, ident: str) -> OutboxRow | None:
        """The row, if there is one."""
        columns = [outbox.c[name] for name in OutboxRow._fields]
        query = select(*columns).where(_named(purpose, ident))
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else OutboxRow(*row)

    def unsettled(self) -> int:
        """Rows of this account that are neither confirmed nor failed."""
        query = select(func.count()).where(outbox.c.sender == self._sender, outbox.c.state.in_((QUEUED, SENT, MINED)))
        with self._engine.connect() as connection:
            return int(connection.scalar(query) or 0)

    def retry(
        self,
        purpose: str,
        ident: str,
        args: Sequence[object] | None = None,
        attempts: int = 1,
        connection: Connection | Session | None = None,
    ) -> None:
        """Queue a failed row again, with other arguments where given. Raises OutboxInvalid unless it failed."""
        if connection is None:
            with self._engine.begin() as own:
                return self.retry(purpose, ident, args, attempts, own)
        where = _named(purpose, ident) & (outbox.c.state == FAILED)
        row = connection.execute(select(outbox).where(where).with_for_update()).first()
        if row is None:
            raise OutboxInvalid(f"no failed transaction {purpose} {ident}")
        data = row.data if args is None else self._client.encode(row.contract, row.function, args)
        fresh = {"data": data, "attempts": 0, "attempts_max": attempts, "next_attempt_at": self._clock()}
        connection.execute(update(outbox).where(outbox.c.id == row.id).values(**_unsent(), **fresh))
        return None

    def pump(self) -> PumpResult:
        """Look after every row: what a reorganisation lost, what was mined, what waits. Call it every block or so.

        Does nothing while another process pumps for this account, or while the node seems to be behind. Raises
        RpcFailed when the node is away (nothing is lost then), ReorgTooDeep.
        """
        with self._exclusively() as held:
            if not held:
                return PumpResult()
            head = self._client.head()
            if self._seems_behind(head):
                return PumpResult()
            lost = self._notice_lost()
            mined, failed = self._look_for_receipts(head)
            confirmed = self._confirm(head)
            sent, found, refused = self._send(head)
        return PumpResult(sent, mined + found, confirmed, failed + refused, lost)

    # --- the steps of a pump

    @contextmanager
    def _exclusively(self) -> Iterator[bool]:
        key = {"key": f"outbox {self._sender}"}
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            held = bool(connection.scalar(text("SELECT pg_try_advisory_lock(hashtextextended(:key, 0))"), key))
            try:
                yield held
            finally:
                if held:
                    connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:key, 0))"), key)

    def _seems_behind(self, head: BlockRef) -> bool:
        """True while the head is older than a block that we know, and has not been so for long."""
        newest = self._rows(self._blocks().limit(1))
        doubtful = bool(newest) and head.number < newest[0].block_number
        is_over = self._patience.is_over("head", doubtful)
        return doubtful and not is_over

    def _notice_lost(self) -> int:
        """Rows, confirmed ones too, in blocks that the chain no longer has are sent ones again.

        A block that the chain has vouches for all before it, so usually one is asked for; in a reorganisation as many
        as halving takes, down to the last one that is REORG_BLOCKS_MOST older than the newest. Raises ReorgTooDeep.
        """
        blocks = self._rows(self._blocks())
        if not blocks or self._is_there(blocks[0]):
            return 0
        reach = blocks[0].block_number - REORG_BLOCKS_MOST
        near = [block for block in blocks if block.block_number >= reach]
        older = blocks[len(near) :]
        if older and not self._is_there(older[0]):
            raise ReorgTooDeep(f"the chain has no block {older[0].block_number} as it was; another chain?")
        gone = near[: count_gone(near, self._is_there)]
        return sum(self._lose(block.block_hash) for block in gone)

    def _blocks(self) -> Select[Any]:
        """Blocks that rows are in, the newest first."""
        blocks = select(outbox.c.block_number, outbox.c.block_hash).where(
            outbox.c.sender == self._sender, outbox.c.block_number.is_not(None)
        )
        return blocks.distinct().order_by(outbox.c.block_number.desc())

    def _is_there(self, block: Row[Any]) -> bool:
        return self._client.block_hash(block.block_number) == bytes(block.block_hash)

    def _lose(self, block_hash: bytes) -> int:
        values = _mined_values(None) | {"state": SENT, "next_attempt_at": self._clock(), "error": None}
        where = (outbox.c.sender == self._sender) & (outbox.c.block_hash == block_hash)
        with self._engine.begin() as connection:
            lost = connection.execute(update(outbox).where(where).values(**values).returning(outbox.c.tx_hash)).all()
            restart_clocks(connection, [row.tx_hash for row in lost], self._clock())
        return len(lost)

    def _look_for_receipts(self, head: BlockRef) -> tuple[int, int]:
        mined = failed = 0
        for row in self._rows(self._mine(SENT).order_by(outbox.c.nonce)):
            sends = sends_of(self._engine, row.id, row.tx_hash)
            receipts = self._receipts(sends)
            if self._note_mined(row, receipts):
                mined += 1
                continue
            reverted = [receipt for send, receipt in receipts if send.nonce == row.nonce]
            if reverted:
                failed += self._reverted(row, self._why(row, reverted[0]), reverted[0])
            else:
                self._chase(row, sends, head)
        return mined, failed

    def _receipts(self, sends: Sequence[Send]) -> list[tuple[Send, TxReceipt]]:
        """Of those of the transactions that are mined."""
        found = ((send, self._client.receipt(send.tx_hash)) for send in sends)
        return [(send, receipt) for send, receipt in found if receipt is not None]

    def _note_mined(self, row: Row[Any], receipts: Sequence[tuple[Send, TxReceipt]]) -> bool:
        """True, and the row is a mined one, where any transaction ever signed for it did its work."""
        for send, receipt in receipts:
            if receipt.ok:
                found = {"tx_hash": send.tx_hash, "nonce": send.nonce, **_mined_values(receipt)}
                self._set(row, state=MINED, error=None, **found)
                return True
        return False

    def _chase(self, row: Row[Any], sends: Sequence[Send], head: BlockRef) -> None:
        """Broadcast what is not mined again, offer more for it, or give up a nonce that is used or out of reach."""
        used = self._client.nonce(self._sender)
        is_used = self._patience.is_over(row.id, used > row.nonce)
        if used > row.nonce:  # by another transaction, or the receipt is at a node that is behind
            if is_used:
                self._set(row, **_unsent(), next_attempt_at=self._clock())
        elif not sends or row.nonce > max(self._client.nonce(self._sender, "pending"), self._lowest_sent()):
            self._set(row, **_unsent(), next_attempt_at=self._clock())
        elif self._clock() - sends[0].sent_at >= self._policy.bump_after and self._bump(row, sends, head):
            return
        elif self._clock() >= row.next_attempt_at:
            self._rebroadcast(row, sends, head)

    def _rebroadcast(self, row: Row[Any], sends: Sequence[Send], head: BlockRef) -> None:
        try:
            self._client.send_raw(sends[0].raw)
        except (ReplacementUnderpriced, FeeTooLow) as error:
            if not self._bump(row, sends, head):
                self._later(row, error)
        except NonceTooHigh as error:
            self._set(row, **_unsent() | {"error": str(error)}, next_attempt_at=self._clock())
        except SendRefused as error:
            self._later(row, error)
        else:
            self._set(row, next_attempt_at=self._clock() + REBROADCAST_AFTER)

    def _later(self, row: Row[Any], error: Exception) -> None:
        self._set(row, error=str(error)[:2000], next_attempt_at=self._clock() + REBROADCAST_AFTER)

    def _bump(self, row: Row[Any], sends: Sequence[Send], head: BlockRef) -> bool:
        """Replace a transaction by ones that offer more, under its nonce, until a node takes one; False if none may."""
        latest, market = sends[0], self._market(head)
        bumps = sum(send.nonce == latest.nonce for send in sends) - 1
        fees = self._policy.bumped(latest.fees, market, bumps)
        while fees is not None:
            send = self._sign(row, latest.nonce, latest.gas, fees)
            try:
                self._client.send_raw(send.raw)
            except (ReplacementUnderpriced, FeeTooLow):
                bumps += 1
                fees = self._policy.bumped(fees, market, bumps)
            except SendRefused as error:
                self._later(row, error)
                return True
            else:
                return True
        return False

    def _market(self, head: BlockRef) -> Fees | None:
        return self._policy.market(head.base_fee, self._client.priority_fee())

    def _lowest_sent(self) -> int:
        """The first nonce after the run of sent ones that starts at the chain's."""
        nonce = self._client.nonce(self._sender)
        sent = {row.nonce for row in self._rows(self._mine(SENT))}
        while nonce in sent:
            nonce += 1
        return nonce

    def _confirm(self, head: BlockRef) -> int:
        deep = outbox.c.block_number <= head.number + 1 - self._confirmations
        where = (outbox.c.sender == self._sender) & (outbox.c.state == MINED) & deep
        with self._engine.begin() as connection:
            return connection.execute(update(outbox).where(where).values(state=CONFIRMED)).rowcount

    def _send(self, head: BlockRef) -> tuple[int, int, int]:
        """Rows that were sent, that an earlier transaction of theirs turns out to have done, and that failed."""
        due = self._mine(QUEUED).where(outbox.c.next_attempt_at <= self._clock())
        rows = self._rows(due.order_by(outbox.c.id).limit(SEND_AT_ONCE))
        fees = self._market(head) if rows else None
        if fees is None:
            for row in rows:
                self._set(row, error=f"waits: the base fee is {head.base_fee}, the ceiling {self._policy.ceiling}")
            return 0, 0, 0
        nonce = max([self._client.nonce(self._sender, "pending"), *(r.nonce + 1 for r in self._rows(self._mine(SENT)))])
        sent = mined = failed = 0
        for row in rows:
            before = sends_of(self._engine, row.id, row.tx_hash)
            if self._note_mined(row, self._receipts(before)):
                mined += 1
                continue
            try:
                gas = self._client.estimate(self._sender, row.to, row.data, int(row.value))
            except ContractReverted as error:
                failed += 0 if self._waits_elsewhere(row, before, nonce) else self._reverted(row, error, None)
            except InsufficientFunds as error:
                self._set(row, error=str(error)[:2000], next_attempt_at=self._clock() + FUNDS_AFTER)
            else:
                if self._send_first(row, nonce, gas + gas // 4 + 10_000, fees, head):
                    nonce += 1
                    sent += 1
        return sent, mined, failed

    def _waits_elsewhere(self, row: Row[Any], before: Sequence[Send], nonce: int) -> bool:
        """True, and the row waits, where the estimate failed because of an earlier transaction of the row itself."""
        held = any(send.nonce < nonce and self._client.is_waiting(send.tx_hash) for send in before)
        if held:
            self._set(row, next_attempt_at=self._clock() + BACK_OFF_FIRST)
        return held

    def _send_first(self, row: Row[Any], nonce: int, gas: int, fees: Fees, head: BlockRef) -> bool:
        """Sign under a fresh nonce and broadcast; False where the nonce stays free."""
        send = self._sign(row, nonce, gas, fees)
        try:
            self._client.send_raw(send.raw)
        except (NonceTooLow, NonceTooHigh, InsufficientFunds) as error:
            pause = FUNDS_AFTER if isinstance(error, InsufficientFunds) else BACK_OFF_FIRST
            self._set(row, **_unsent() | {"error": str(error)[:2000]}, next_attempt_at=self._clock() + pause)
            return False
        except (ReplacementUnderpriced, FeeTooLow) as error:
            if not self._bump(row, [send], head):
                self._later(row, error)
        except SendRefused as error:
            again = {"error": str(error)[:2000], "next_attempt_at": self._clock() + REBROADCAST_AFTER}
            self._set(row, **_unsent() | again)
            return False
        else:
            self._set(row, next_attempt_at=self._clock() + REBROADCAST_AFTER)
        return True

    def _sign(self, row: Row[Any], nonce: int, gas: int, fees: Fees) -> Send:
        """Sign, and remember it in the same SQL transaction before anybody can see it."""
        order = Order(self._client.deployment.chain_id, row.to, bytes(row.data), int(row.value))
        send = sign(self._account, order, nonce, gas, fees, self._clock())
        values = {"state": SENT, "nonce": nonce, "tx_hash": send.tx_hash, "error": None}
        with self._engine.begin() as connection:
            remember(connection, row.id, send)
            connection.execute(
                update(outbox).where(outbox.c.id == row.id).values(**values, next_attempt_at=self._clock())
            )
        return send

    def _reverted(self, row: Row[Any], error: ContractReverted, receipt: TxReceipt | None) -> int:
        """Plan the next attempt, or fail for good (1)."""
        attempts = row.attempts + 1
        if attempts < row.attempts_max:
            pause = min(BACK_OFF_MOST, BACK_OFF_FIRST * 2 ** min(attempts - 1, 10))
            later = {"attempts": attempts, "error": str(error)[:2000], "next_attempt_at": self._clock() + pause}
            self._set(row, **(_unsent() | later))
            return 0
        over = {"state": FAILED, "attempts": attempts, "error": str(error)[:2000]}
        self._set(row, **over, next_attempt_at=self._clock() + BACK_OFF_MOST, **_mined_values(receipt))
        return 1

    def _why(self, row: Row[Any], receipt: TxReceipt) -> ContractReverted:
        """The custom error of a transaction that reverted on chain, by asking again on the state before its block."""
        call = {"from": self._sender, "to": row.to, "data": "0x" + row.data.hex(), "value": hex(int(row.value))}
        try:
            self._client.rpc("eth_call", [call, hex(receipt.block_number)])
        except ContractReverted as error:
            return error
        except RpcFailed as error:
            return ContractReverted("", (str(error),))
        return ContractReverted("", ("out of gas, or the state changed",))

    # --- rows

    def _mine(self, state: str) -> Select[Any]:
        return select(outbox).where(outbox.c.sender == self._sender, outbox.c.state == state)

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        with self._engine.connect() as connection:
            return connection.execute(query).all()

    def _set(self, row: Row[Any], **values: object) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(outbox).where(outbox.c.id == row.id).values(**values))


def _unsent() -> dict[str, Any]:
    return {"state": QUEUED, "nonce": None, "tx_hash": None, "error": None, **_mined_values(None)}


def _named(purpose: str, ident: str) -> ColumnElement[bool]:
    return (outbox.c.purpose == purpose) & (outbox.c.ident == ident)


def _mined_values(receipt: TxReceipt | None) -> dict[str, Any]:
    return {
        "block_number": receipt and receipt.block_number,
        "block_hash": receipt and receipt.block_hash,
        "gas_used": receipt and receipt.gas_used,
    }
