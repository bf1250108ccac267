"""The same client for code that blocks: each call runs on the asynchronous one, on an event loop in another thread."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from functools import cached_property, partial
from threading import Lock
from types import TracebackType
from typing import Any, Self, TypeVar
from weakref import finalize

from anyio.from_thread import BlockingPortal, start_blocking_portal

from chain.client import ChainClient
from chain.deployment import Deployment
from multitude.buyer.api import AsyncMarketApi, JobEvent
from multitude.buyer.client import AsyncClient, Inputs
from multitude.buyer.identity import Signer
from multitude.buyer.jobs import AsyncJob, Cancellation, OnProgress
from multitude.buyer.pricing import Quote, Terms
from multitude.buyer.program import ProgramRef, same
from multitude.buyer.receipt import JobReceipt
from multitude.buyer.status import JobStatus, Task, TaskState
from multitude.buyer.verification import SettledTask
from multitude.buyer.wallet import Wallet
from multitude.buyer.webhooks import EVENTS, AsyncWebhooks, Webhook

T = TypeVar("T")
CLOSING_TRIES = 100


class Portal:
    """An event loop on a thread of its own, started when it is first needed. Safe between threads."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._lock = Lock()
        self._portal: BlockingPortal | None = None
        self._end: Callable[[], object] = _nothing

    def call(self, work: Callable[..., Awaitable[T]], *args: Any, **options: Any) -> T:
        """The result of a coroutine function; an interrupt ends it there too."""
        future = self.start(work, *args, **options)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def start(self, work: Callable[..., Awaitable[T]], *args: Any, **options: Any) -> "Future[T]":
        """Begin a coroutine function; its future."""
        with self._lock:
            if self._portal is None:
                self._portal = self._stack.enter_context(start_blocking_portal("asyncio", name="multitude"))
                self._end = finalize(self, _end, self._portal, self._stack)  # at exit, while the thread can still end
            return self._portal.start_task_soon(partial(work, *args, **options))

    def iterate(self, source: AsyncGenerator[T, None]) -> Iterator[T]:
        """The items of an asynchronous generator, which is closed in any case."""
        try:
            while True:
                try:
                    item = self.call(source.__anext__)
                except StopAsyncIteration:
                    return
                yield item
        finally:
            self.call(_close, source)

    def close(self) -> None:
        """Ends what runs, and the thread."""
        with self._lock:
            self._end()
            self._portal = None


def _nothing() -> None:
    """The end of what never began."""


def _end(portal: BlockingPortal, stack: ExitStack) -> None:
    portal.call(portal.stop, True)
    stack.close()


class MarketApi:
    """Requests to one market, for code that blocks: see `AsyncMarketApi`. On a new thread unless one is given."""

    def __init__(self, url: str | AsyncMarketApi, portal: Portal | None = None) -> None:
        self._api = AsyncMarketApi(url) if isinstance(url, str) else url
        self._portal = portal or Portal()
        self.url = self._api.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._portal.call(self._api.aclose)
        self._portal.close()

    def deployment(self) -> Deployment:
        """The contracts that this market settles on."""
        return self._portal.call(self._api.deployment)

    def network(self) -> dict[str, Any]:
        """Contracts, clocks in seconds, settler, fee."""
        return self._portal.call(self._api.network)

    def put_blob(self, data: bytes) -> str:
        """Upload a blob; its id."""
        return self._portal.call(self._api.put_blob, data)

    def get_blob(self, name: bytes) -> bytes:
        """A blob, checked against its id."""
        return self._portal.call(self._api.get_blob, name)

    def admit(self, original_hash: str, limits: dict[str, int], name: str | None) -> str:
        """Ask for an uploaded module to be admitted and registered; the program's id."""
        return self._portal.call(self._api.admit, original_hash, limits, name)

    def program(self, program_id: str) -> dict[str, Any]:
        """A program."""
        return self._portal.call(self._api.program, program_id)

    def programs(self, cursor: int | None = None) -> dict[str, Any]:
        """Programs, newest first: `programs` and `next`."""
        return self._portal.call(self._api.programs, cursor)

    def offers(self) -> dict[str, Any]:
        """Counts of live devices."""
        return self._portal.call(self._api.offers)


class Webhooks:
    """Webhooks of one buyer: see `AsyncWebhooks`."""

    def __init__(self, inner: AsyncWebhooks, portal: Portal) -> None:
        self._inner, self._portal = inner, portal

    def add(self, url: str, job_id: str | None = None, events: Sequence[str] = EVENTS) -> Webhook:
        """Ask for deliveries to a URL, of one job or of all."""
        return self._portal.call(self._inner.add, url, job_id, events)

    def list(self) -> Sequence[Webhook]:
        """All webhooks, without their secrets."""
        return self._portal.call(self._inner.list)

    def remove(self, webhook_id: str) -> None:
        """End one."""
        self._portal.call(self._inner.remove, webhook_id)

    def deliveries(self, webhook_id: str) -> Sequence[dict[str, Any]]:
        """The latest deliveries of one."""
        return self._portal.call(self._inner.deliveries, webhook_id)


class Client:
    """One buyer at one market, for code that blocks: see `AsyncClient`, whose words hold here too."""

    def __init__(
        self,
        api_url: str,
        key: bytes | Signer,
        rpc_url: str | None = None,
        *,
        account: str | None = None,
        deployment: Deployment | None = None,
    ) -> None:
        self.inner = AsyncClient(api_url, key, rpc_url, account=account, deployment=deployment)
        self.portal = Portal()
        self.address = self.inner.address
        self.api = MarketApi(self.inner.api, self.portal)
        self.webhooks = Webhooks(self.inner.webhooks, self.portal)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back. Jobs go on."""
        self.api.close()

    @cached_property
    def chain(self) -> ChainClient:
        """The chain that the market settles on. Raises NoChain."""
        return self.portal.call(self.inner.chain)

    @cached_property
    def wallet(self) -> Wallet:
        """Tokens and deposits. Raises NoChain."""
        return self.portal.call(self.inner.wallet)

    def deposit(self, amount: int) -> None:
        """Move token wei into the escrow."""
        self.portal.call(self.inner.deposit, amount)

    def sign_in(self) -> None:
        """Sign in at the market, where that is not so already."""
        self.portal.call(self.inner.sign_in)

    def sign_out(self) -> None:
        """End the session at the market."""
        self.portal.call(self.inner.sign_out)

    def quote(self, program: str | ProgramRef, inputs: Inputs, terms: Terms | None = None) -> Quote:
        """What a job over these inputs would cost."""
        return self.portal.call(self.inner.quote, program, inputs, terms)

    def submit(
        self,
        program: str | ProgramRef,
        inputs: Inputs,
        terms: Terms | None = None,
        quote: Quote | None = None,
        *,
        deposit: bool = False,
        cap: int | None = None,
    ) -> "Job":
        """Sign a bid and open a job: one task for each input."""
        made = self.portal.call(self.inner.submit, program, inputs, terms, quote, deposit=deposit, cap=cap)
        return Job(made, self.portal)

    def job(self, job_id: str) -> "Job":
        """A job that was opened before."""
        return Job(self.portal.call(self.inner.job, job_id), self.portal)

    def jobs(self, limit: int = 50) -> list[tuple["Job", JobStatus]]:
        """The newest jobs of this buyer with their states."""
        found = self.portal.call(self.inner.jobs, limit)
        return [(Job(job, self.portal), status) for job, status in found]

    def map(self, program: str | ProgramRef, inputs: Iterable[Any] | AsyncIterable[Any], **how: Any) -> Iterator[Any]:
        """The outputs over any iterable, endless ones too. Options as of `AsyncClient.map`."""
        return self.portal.iterate(self.inner.map(program, inputs, **how))

    def program(
        self, program_id: str, encode: Callable[[Any], bytes] = same, decode: Callable[[bytes], Any] = same
    ) -> "Program":
        """A program as a function: `square(3)`, `square.map(range(100))`."""
        return Program(program_id, encode, decode, self)


class Program(ProgramRef):
    """A program at one client: call it over one value, or `map` it."""

    client: Client

    def __init__(
        self, program_id: str, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any], client: Client
    ) -> None:
        super().__init__(program_id, encode, decode)
        object.__setattr__(self, "client", client)

    def __call__(self, value: Any, **how: Any) -> Any:
        """The output's value, after a job of one task. Options as of `Client.submit`, and `state`."""
        return self.client.portal.call(self.client.inner.call, self, value, **how)

    def map(self, values: Iterable[Any] | AsyncIterable[Any], **how: Any) -> Iterator[Any]:
        """As `Client.map`."""
        return self.client.map(self, values, **how)


class Job:
    """A job of this buyer, for code that blocks: see `AsyncJob`, whose words hold here too."""

    def __init__(self, inner: AsyncJob, portal: Portal) -> None:
        self.inner, self._portal = inner, portal
        self.bid = inner.bid
        self.job_id = inner.job_id

    def status(self) -> JobStatus:
        """Where the job stands."""
        return self._portal.call(self.inner.status)

    def events(self) -> Iterator[JobEvent]:
        """The job's story as it happens, until the job is over."""
        return self._portal.iterate(self.inner.events())

    def wait(
        self,
        timeout_s: float = 600,
        on_progress: OnProgress | None = None,
        *,
        state: TaskState = "final",
        progress: bool = False,
    ) -> Self:
        """Until every task has reached `state`; `progress` draws a bar."""
        self._portal.call(self.inner.wait, timeout_s, on_progress, state=state, progress=progress)
        return self

    def as_completed(self, state: TaskState = "final", timeout_s: float | None = None) -> Iterator[Task]:
        """Each task once, when it has reached `state`."""
        return self._portal.iterate(self.inner.as_completed(state, timeout_s))

    def reached(self, state: TaskState = "final") -> list[Task]:
        """The tasks that have reached the state by now, in order; does not wait."""
        return self._portal.call(self.inner.reached, state)

    def settled(self) -> list[SettledTask]:
        """The tasks that are paid for, verified against the chain and the blobs."""
        return self._portal.call(self.inner.settled)

    def results(self) -> list[bytes]:
        """Every task's verified output in task order."""
        return self._portal.call(self.inner.results)

    def cancel(self) -> Cancellation:
        """Cancel the job; what comes back, and when."""
        return self._portal.call(self.inner.cancel)

    def receipt(self) -> JobReceipt:
        """Where the money went."""
        return self._portal.call(self.inner.receipt)

    def _repr_html_(self) -> str:
        return self.inner._repr_html_()


async def _close(source: AsyncGenerator[Any, None]) -> None:
    """Closes a generator whose last step, interrupted, may still be ending."""
    for _ in range(CLOSING_TRIES):
        try:
            await source.aclose()
        except RuntimeError:
            await asyncio.sleep(0.01)
        else:
            return
