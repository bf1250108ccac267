"""The buyer's client: synchronous for now; all that is not I/O lives in `pricing` and `verification`."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from chain.client import ChainClient
from multitude.api import MarketApi
from multitude.errors import JobFailed, JobTimedOut, NoChain
from multitude.pricing import Quote, Terms, build_bid
from multitude.verification import SettledTask, settled_tasks
from multitude.wallet import Wallet
from protocol.encoding import from_hex, to_hex
from protocol.manifest import Manifest
from protocol.messages import Bid
from protocol.signing import address_of

POLL_S = 1.0


class Client:
    """One buyer at one market. `key` is the 32-byte private key; money and verified results need `rpc_url`.

    Raises MultitudeError (see `multitude.errors`) and, for what the chain refuses, `chain.errors.ChainError`.
    """

    def __init__(self, api_url: str, key: bytes, rpc_url: str | None = None) -> None:
        self.api = MarketApi(api_url)
        self.address = address_of(key)
        self._key = key
        self._rpc_url = rpc_url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.api.close()

    @cached_property
    def chain(self) -> ChainClient:
        """The chain that the market settles on. Raises NoChain."""
        if self._rpc_url is None:
            raise NoChain("give rpc_url to Client to deposit and to verify results")
        return ChainClient(self._rpc_url, self.api.deployment())

    @cached_property
    def wallet(self) -> Wallet:
        """Tokens and deposits."""
        return Wallet(self.chain, self._key)

    def deposit(self, amount: int) -> None:
        """Move token wei into the escrow."""
        self.wallet.deposit(amount)

    def quote(self, program_id: str, inputs: Sequence[bytes] | Manifest) -> Quote:
        """What a job over these inputs would cost. Uploads the manifest: inputs are public from here on."""
        manifest = self._upload(inputs)
        return Quote.from_json(self.api.quote(program_id, to_hex(manifest.blob_id)))

    def submit(
        self,
        program_id: str,
        inputs: Sequence[bytes] | Manifest,
        terms: Terms | None = None,
        quote: Quote | None = None,
        *,
        deposit: bool = False,
    ) -> "Job":
        """Sign a bid and open a job: one task for each input. Inputs and outputs are public.

        Without `quote` one is asked for. The escrow must hold the budget, or with `deposit` gets what it lacks.
        """
        manifest = self._upload(inputs)
        if quote is None:
            quote = self.quote(program_id, manifest)
        bid = build_bid(
            self.address, program_id, manifest, quote, terms or Terms(), self._now(), secrets.token_bytes(32)
        )
        if deposit and (lacking := bid.budget - self.wallet.deposited()) > 0:
            self.deposit(lacking)
        self.api.submit(bid, bid.sign(self.api.deployment().domain, self._key), to_hex(bid.job_id))
        return Job(self, bid)

    def job(self, job_id: str) -> "Job":
        """A job that was opened before."""
        return Job(self, Bid.from_json(self.api.job(job_id)["bid"]))

    def _upload(self, inputs: Sequence[bytes] | Manifest) -> Manifest:
        if isinstance(inputs, Manifest):
            return inputs
        manifest = Manifest.of(inputs)
        for entry, data in zip(manifest.inputs, inputs, strict=True):
            if entry.data is None:
                self.api.put_blob(data)
        self.api.put_blob(manifest.blob)
        return manifest

    def _now(self) -> int:
        return self.chain.head().timestamp if self._rpc_url is not None else int(time.time())


class Job:
    """A job of this buyer."""

    def __init__(self, client: Client, bid: Bid) -> None:
        self._client = client
        self.bid = bid
        self.job_id = to_hex(bid.job_id)

    def status(self) -> dict[str, Any]:
        """Where the job stands, as the market tells it: `state` and the tasks in each state."""
        return self._client.api.job(self.job_id)

    def wait(self, timeout_s: float = 600, on_progress: Callable[[Mapping[str, Any]], None] | None = None) -> Self:
        """Until every task is final. Raises JobFailed, JobTimedOut."""
        deadline = time.monotonic() + timeout_s
        while True:
            status = self.status()
            if on_progress is not None:
                on_progress(status)
            if status["state"] == "refused":
                raise JobFailed(f"the chain refused the job: {status.get('error')}")
            if status["tasks"].get("final", 0) == self.bid.task_count:
                return self
            if status["state"] == "closed":
                raise JobFailed("the job was closed with tasks undone")
            if time.monotonic() > deadline:
                raise JobTimedOut(f"{status['tasks']} after {timeout_s} s")
            time.sleep(POLL_S)

    def settled(self) -> list[SettledTask]:
        """The tasks that are paid for, verified against the chain and the blobs. Raises ResultsInvalid, NoChain."""
        chain = self._client.chain
        record = chain.call("JobEscrow", "jobOf", self.bid.job_id)
        events = chain.logs(chain.deployment.deploy_block, chain.head().number)
        ledger = [event for event in events if event.contract == "EpochLedger"]
        domain = chain.deployment.domain
        return settled_tasks(self.bid, record["feePpm"], domain, ledger, self._client.api.get_blob)

    def results(self) -> list[bytes]:
        """Every task's output in task order. Raises JobFailed while some are not settled, ResultsInvalid, NoChain."""
        tasks = self.settled()
        if [task.task for task in tasks] != list(range(self.bid.task_count)):
            raise JobFailed(f"{len(tasks)} of {self.bid.task_count} tasks are settled")
        return [task.output for task in tasks]


def key_of(text: str) -> bytes:
    """A private key from hex."""
    return from_hex(text if text.startswith("0x") else "0x" + text, 32, "key")
