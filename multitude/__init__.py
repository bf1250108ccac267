"""Multitude for buyers: submit work, wait, and check every result against the chain.

with Client("http://127.0.0.1:8000", key, rpc_url="http://127.0.0.1:8545") as client:
    quote = client.quote(program_id, inputs)
    job = client.submit(program_id, inputs, quote=quote, deposit=True, cap=quote.cap)
    for task in job.as_completed():
        print(task.task, task.output)

`AsyncClient` has the same for asyncio. docs/buyers.md goes through all of it.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multitude.buyer.api import AsyncMarketApi, JobEvent
    from multitude.buyer.blocking import Client, Job, MarketApi, Program
    from multitude.buyer.client import AsyncClient, AsyncProgram
    from multitude.buyer.identity import KeySigner, Signer, key_of
    from multitude.buyer.jobs import AsyncJob, Cancellation
    from multitude.buyer.pricing import Quote, Terms
    from multitude.buyer.receipt import JobReceipt
    from multitude.buyer.status import JobStatus, Task
    from multitude.buyer.verification import SettledTask
    from multitude.buyer.webhooks import Webhook, verify_webhook
    from multitude.errors import (
        AccountIsContract,
        ApiHostile,
        ApiRefused,
        ApiUnreachable,
        BalanceTooLow,
        CapExceeded,
        DeadlinePassed,
        FunctionRefused,
        InputsRefused,
        JobCancelled,
        JobFailed,
        JobTimedOut,
        MultitudeError,
        NetworkUnknown,
        NoCapacity,
        NoChain,
        NotSignedIn,
        ProgramRefused,
        ProgramUnknown,
        RateLimited,
        ResultsInvalid,
        TaskTrapped,
        WebhookInvalid,
    )

_HOMES = {
    "buyer.api": ("AsyncMarketApi", "JobEvent"),
    "buyer.blocking": ("Client", "Job", "MarketApi", "Program"),
    "buyer.client": ("AsyncClient", "AsyncProgram"),
    "buyer.identity": ("KeySigner", "Signer", "key_of"),
    "buyer.jobs": ("AsyncJob", "Cancellation"),
    "buyer.pricing": ("Quote", "Terms"),
    "buyer.receipt": ("JobReceipt",),
    "buyer.status": ("JobStatus", "Task"),
    "buyer.verification": ("SettledTask",),
    "buyer.webhooks": ("Webhook", "verify_webhook"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AccountIsContract",
    "ApiHostile",
    "ApiRefused",
    "ApiUnreachable",
    "AsyncClient",
    "AsyncJob",
    "AsyncMarketApi",
    "AsyncProgram",
    "BalanceTooLow",
    "Cancellation",
    "CapExceeded",
    "Client",
    "DeadlinePassed",
    "FunctionRefused",
    "InputsRefused",
    "Job",
    "JobCancelled",
    "JobEvent",
    "JobFailed",
    "JobReceipt",
    "JobStatus",
    "JobTimedOut",
    "KeySigner",
    "MarketApi",
    "MultitudeError",
    "NetworkUnknown",
    "NoCapacity",
    "NoChain",
    "NotSignedIn",
    "Program",
    "ProgramRefused",
    "ProgramUnknown",
    "Quote",
    "RateLimited",
    "ResultsInvalid",
    "SettledTask",
    "Signer",
    "Task",
    "TaskTrapped",
    "Terms",
    "Webhook",
    "WebhookInvalid",
    "key_of",
    "verify_webhook",
]


def __getattr__(name: str) -> object:
    """The public names, imported when they are first used: the command line starts without web3."""
    if name not in __all__:
        raise AttributeError(f"multitude has no {name}")
    return getattr(importlib.import_module(f"multitude.{_HOME_OF.get(name, 'errors')}"), name)
