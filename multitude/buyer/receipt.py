"""The itemised receipt of a job: where its money went, leaf by leaf, with the transactions that say so."""

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from multitude.buyer.display import html_card, html_table, tokens
from multitude.buyer.wire import list_of, number_of, object_of, optional_number_of, text_of

ITEMS_MOST = 1_000_000


@dataclass(frozen=True)
class ReceiptItem:
    """One device's work in one epoch; wei and WU. `state` is committed, claimed, voided or returned.

    The buyer pays amount + fee + surcharge. Of the amount the device's owner is `paid`, `bonded` went to the device's
    stake, and the deduction with the surcharge to the verifiers. Transactions are hashes, None while unknown.
    """

    device: str
    epoch: int | None
    state: str
    tasks: int
    wu: int
    amount: int
    fee: int
    deduction: int
    surcharge: int
    paid: int
    bonded: int
    post_tx: str | None
    claim_tx: str | None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The item as the API tells it. Raises ApiHostile."""
        numbers = ("tasks", "wu", "amount", "fee", "deduction", "surcharge", "paid", "bonded")
        return cls(
            device=text_of(value, "device", 42),
            epoch=optional_number_of(value, "epoch"),
            state=text_of(value, "state", 16),
            post_tx=_optional_text(value, "postTx"),
            claim_tx=_optional_text(value, "claimTx"),
            **{name: number_of(value, name) for name in numbers},
        )


@dataclass(frozen=True)
class ReceiptTransaction:
    """A transaction of the job: open, post, claim, void, return, closing or close; its hash and block."""

    what: str
    hash: str
    block: int | None
    epoch: int | None
    device: str | None


@dataclass(frozen=True)
class JobReceipt:
    """Where a job's money went; wei. `spent` = pay + fees + surcharge; `verification` = deductions + surcharge."""

    job_id: str
    state: str
    budget: int
    spent: int
    fees: int
    verification: int
    refunded: int | None
    items: tuple[ReceiptItem, ...]
    transactions: tuple[ReceiptTransaction, ...]

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The receipt as the API tells it. Raises ApiHostile."""
        items = [object_of(item, "an item") for item in list_of(value, "items", ITEMS_MOST)]
        sent = [object_of(item, "a transaction") for item in list_of(value, "transactions", ITEMS_MOST)]
        return cls(
            text_of(value, "jobId", 66),
            text_of(value, "state", 16),
            number_of(value, "budget"),
            number_of(value, "spent"),
            number_of(value, "fees"),
            number_of(value, "verification"),
            optional_number_of(value, "refunded"),
            tuple(ReceiptItem.from_json(item) for item in items),
            tuple(_transaction(item) for item in sent),
        )

    def to_json(self) -> dict[str, Any]:
        """Everything, amounts as decimal strings."""
        value = asdict(self)
        for item in value["items"]:
            item.update(
                {name: str(item[name]) for name in ("wu", "amount", "fee", "deduction", "surcharge", "paid", "bonded")}
            )
        for name in ("budget", "spent", "fees", "verification"):
            value[name] = str(value[name])
        value["refunded"] = None if self.refunded is None else str(self.refunded)
        return value

    def to_csv(self) -> str:
        """The items with a head line; amounts in wei."""
        text = io.StringIO()
        names = [field.name for field in fields(ReceiptItem)]
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        for item in self.items:
            writer.writerow({name: _cell(value) for name, value in asdict(item).items()})
        return text.getvalue()

    def rows(self) -> list[tuple[str, str]]:
        """The sums for people."""
        return [
            ("job", self.job_id),
            ("state", self.state),
            ("budget", tokens(self.budget)),
            ("spent", f"{tokens(self.spent)}, of it fees {tokens(self.fees)}"),
            ("verification", f"{tokens(self.verification)}, out of the devices' pay and the surcharge"),
            ("refunded", "not yet: the job is not closed" if self.refunded is None else tokens(self.refunded)),
        ]

    def lines(self) -> list[tuple[str, ...]]:
        """The items for people: epoch, device, state, tasks, amount, fee, surcharge."""
        return [
            (
                "-" if item.epoch is None else str(item.epoch),
                item.device,
                item.state,
                str(item.tasks),
                tokens(item.amount),
                tokens(item.fee),
                tokens(item.surcharge),
            )
            for item in self.items
        ]

    def _repr_html_(self) -> str:
        return html_card("Receipt", self.rows()) + html_table("Items", LINE_HEAD, self.lines())


LINE_HEAD = ("epoch", "device", "state", "tasks", "amount", "fee", "surcharge")


def _transaction(value: Mapping[str, Any]) -> ReceiptTransaction:
    return ReceiptTransaction(
        text_of(value, "what", 16),
        text_of(value, "hash", 66),
        optional_number_of(value, "block"),
        optional_number_of(value, "epoch"),
        _optional_text(value, "device"),
    )


def _optional_text(value: Mapping[str, Any], name: str) -> str | None:
    return None if value.get(name) is None else text_of(value, name, 66)


def _cell(value: object) -> object:
    """A market's text must not become a spreadsheet's formula."""
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
