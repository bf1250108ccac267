"""Transactions that must have their effect once: written with the fact that causes them, sent until they are settled.

States: queued -> sent -> mined -> confirmed, or failed (reverted, in the estimate or on chain). What a reorganisation
or a chain's fall-back took away goes back to sent and is broadcast again, byte for byte; where its nonce is lost, it is
signed anew. A row's (purpose, ident) is unique for ever. Delivery is at least once, so calls must be ones that the
contracts refuse a second time; all of ours are.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from eth_account.signers.local import LocalAccount
from sqlalchemy import Connection, Engine, Row, Select, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chain.client import BlockRef, ChainClient, TxReceipt
from chain.errors import ContractReverted, OutboxInvalid, RpcFailed
from chain.tables import outbox

QUEUED, SENT, MINED, CONFIRMED, FAILED = "queued", "sent", "mined", "confirmed", "failed"
SEND_AT_ONCE = 100
"""Rows that one pump signs at most."""
REBROADCAST_AFTER = timedelta(seconds=5)
BACK_OFF_FIRST = timedelta(seconds=1)
BACK_OFF_MOST = timedelta(seconds=60)


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
    """The transactions of one sending account. `confirmations` blocks, its own included, make a row confirmed."""

    def __init__(
        self,
        engine: Engine,
        client: ChainClient,
        account: LocalAccount,
        confirmations: int = 2,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._client = client
        self._account = account
        self._sender = str(account.address)
        self._confirmations = confirmations
        self._clock = clock

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

    def find(self, purpose: str, ident: str) -> OutboxRow | None:
        """The row, if there is one."""
        columns = [outbox.c[name] for name in OutboxRow._fields]
        query = select(*columns).where(outbox.c.purpose == purpose, outbox.c.ident == ident)
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
        where = (outbox.c.purpose == purpose) & (outbox.c.ident == ident) & (outbox.c.state == FAILED)
        row = connection.execute(select(outbox).where(where).with_for_update()).first()
        if row is None:
            raise OutboxInvalid(f"no failed transaction {purpose} {ident}")
        data = row.data if args is None else self._client.encode(row.contract, row.function, args)
        fresh = {"data": data, "attempts": 0, "attempts_max": attempts, "next_attempt_at": self._clock()}
        connection.execute(update(outbox).where(outbox.c.id == row.id).values(**_unsent(), **fresh))
        return None

    def pump(self) -> PumpResult:
        """Look after every row: what a reorganisation lost, what was mined, what waits. Call it every block or so.

        Does nothing while another process pumps for this account. Raises RpcFailed when the node is away; nothing is
        lost then.
        """
        with self._exclusively() as held:
            if not held:
                return PumpResult()
            head = self._client.head()
            lost = self._notice_lost()
            mined, failed = self._look_for_receipts()
            confirmed = self._confirm(head)
            sent, refused = self._send(head)
        return PumpResult(sent, mined, confirmed, failed + refused, lost)

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

    def _notice_lost(self) -> int:
        """Rows in blocks that the chain no longer has are sent ones again; older blocks than one it has are sound."""
        lost = 0
        blocks = select(outbox.c.block_number, outbox.c.block_hash).where(
            outbox.c.sender == self._sender, outbox.c.block_number.is_not(None)
        )
        for row in self._rows(blocks.distinct().order_by(outbox.c.block_number.desc())):
            if self._client.block_hash(row.block_number) == bytes(row.block_hash):
                break
            values = _mined_values(None) | {"state": SENT, "next_attempt_at": self._clock(), "error": None}
            where = (outbox.c.sender == self._sender) & (outbox.c.block_hash == row.block_hash)
            with self._engine.begin() as connection:
                lost += connection.execute(update(outbox).where(where).values(**values)).rowcount
        return lost

    def _look_for_receipts(self) -> tuple[int, int]:
        mined = failed = 0
        for row in self._rows(self._mine(SENT).order_by(outbox.c.nonce)):
            receipt = self._client.receipt(row.tx_hash)
            if receipt is None:
                self._chase(row)
            elif receipt.ok:
                self._set(row, state=MINED, error=None, **_mined_values(receipt))
                mined += 1
            else:
                failed += self._reverted(row, self._why(row, receipt), receipt)
        return mined, failed

    def _chase(self, row: Row[Any]) -> None:
        """Broadcast what is not mined again, or give it up for signing anew where its nonce is used or out of reach."""
        used = self._client.nonce(self._sender)
        if used > row.nonce:
            if self._client.receipt(row.tx_hash) is None:
                self._set(row, **_unsent(), next_attempt_at=self._clock())
        elif row.nonce > max(self._client.nonce(self._sender, "pending"), self._lowest_sent()):
            self._set(row, **_unsent(), next_attempt_at=self._clock())
        elif self._clock() >= row.next_attempt_at:
            self._broadcast(row)

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

    def _send(self, head: BlockRef) -> tuple[int, int]:
        due = self._mine(QUEUED).where(outbox.c.next_attempt_at <= self._clock())
        rows = self._rows(due.order_by(outbox.c.id).limit(SEND_AT_ONCE))
        if not rows:
            return 0, 0
        tip = self._client.priority_fee()
        fees = {"maxPriorityFeePerGas": tip, "maxFeePerGas": 2 * head.base_fee + tip}
        nonce = max([self._client.nonce(self._sender, "pending"), *(r.nonce + 1 for r in self._rows(self._mine(SENT)))])
        sent = failed = 0
        for row in rows:
            try:
                gas = self._client.estimate(self._sender, row.to, row.data, int(row.value))
            except ContractReverted as error:
                failed += self._reverted(row, error, None)
                continue
            self._sign_and_broadcast(row, nonce, gas + gas // 4 + 10_000, fees)
            nonce += 1
            sent += 1
        return sent, failed

    def _sign_and_broadcast(self, row: Row[Any], nonce: int, gas: int, fees: dict[str, int]) -> None:
        signed = self._account.sign_transaction(
            {
                "type": 2,
                "chainId": self._client.deployment.chain_id,
                "nonce": nonce,
                "to": row.to,
                "data": bytes(row.data),
                "value": int(row.value),
                "gas": gas,
                **fees,
            }
        )
        raw, tx_hash = bytes(signed.raw_transaction), bytes(signed.hash)
        self._set(row, state=SENT, nonce=nonce, raw=raw, tx_hash=tx_hash, error=None, next_attempt_at=self._clock())
        self._broadcast(row, raw)

    def _broadcast(self, row: Row[Any], raw: bytes | None = None) -> None:
        self._client.send_raw(raw if raw is not None else bytes(row.raw))
        self._set(row, next_attempt_at=self._clock() + REBROADCAST_AFTER)

    def _reverted(self, row: Row[Any], error: ContractReverted, receipt: TxReceipt | None) -> int:
        """Plan the next attempt, or fail for good (1)."""
        attempts = row.attempts + 1
        if attempts < row.attempts_max:
            pause = min(BACK_OFF_MOST, BACK_OFF_FIRST * 2 ** min(attempts - 1, 10))
            later = {"attempts": attempts, "error": str(error)[:2000], "next_attempt_at": self._clock() + pause}
            self._set(row, **(_unsent() | later))
            return 0
        self._set(row, state=FAILED, attempts=attempts, error=str(error)[:2000], **_mined_values(receipt))
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
    return {"state": QUEUED, "nonce": None, "raw": None, "tx_hash": None, "error": None, **_mined_values(None)}


def _mined_values(receipt: TxReceipt | None) -> dict[str, Any]:
    return {
        "block_number": receipt and receipt.block_number,
        "block_hash": receipt and receipt.block_hash,
        "gas_used": receipt and receipt.gas_used,
    }
