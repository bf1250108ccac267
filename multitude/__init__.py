"""Multitude for buyers: submit work, wait, and check every result against the chain.

client = Client("http://127.0.0.1:8000", key, rpc_url="http://127.0.0.1:8545")
client.deposit(10**18)
job = client.submit(program_id, inputs)
for result in job.wait().results():
    ...
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multitude.client import Client, Job
    from multitude.errors import ApiRefused, ApiUnreachable, JobFailed, JobTimedOut, MultitudeError, ResultsInvalid
    from multitude.pricing import Quote, Terms
    from multitude.verification import SettledTask

_HOMES = {"Client": "client", "Job": "client", "Quote": "pricing", "Terms": "pricing", "SettledTask": "verification"}

__all__ = [
    "ApiRefused",
    "ApiUnreachable",
    "Client",
    "Job",
    "JobFailed",
    "JobTimedOut",
    "MultitudeError",
    "Quote",
    "ResultsInvalid",
    "SettledTask",
    "Terms",
]


def __getattr__(name: str) -> object:
    """The public names, imported when they are first used: the command line starts without web3."""
    if name not in __all__:
        raise AttributeError(f"multitude has no {name}")
    return getattr(importlib.import_module(f"multitude.{_HOMES.get(name, 'errors')}"), name)
