"""The buyer's client: quotes, jobs, deposits. On asyncio; `multitude.buyer.blocking` has the same without."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

from anyio.to_thread import run_sync

from chain.client import ChainClient
from chain.deployment import Deployment
from multitude.buyer.api import AsyncMarketApi
from multitude.buyer.identity import KeySigner, Signer, text_digest
from multitude.buyer.jobs import AsyncJob
from multitude.buyer.mapping import JOB_TASKS, LINGER_S, WINDOW, MapPlan, mapped
from multitude.buyer.pricing import Quote, Terms, build_bid
from multitude.buyer.program import ProgramRef, program_ref, same
from multitude.buyer.signin import check_text
from multitude.buyer.status import JobStatus, TaskState
from multitude.buyer.wallet import Wallet
from multitude.buyer.webhooks import AsyncWebhooks
from multitude.buyer.wire import list_of, number_of, object_of, text_of
from multitude.errors import ApiHostile, BalanceTooLow, CapExceeded, NoChain, NotSignedIn
from protocol.encoding import from_hex, to_hex
from protocol.errors import EncodingInvalid
from protocol.manifest import Manifest
from protocol.messages import Bid

T = TypeVar("T")

UPLOADS_AT_ONCE = 8
PROMISE_S = 60.0
"""How long a submitted job may take to lock its budget; after that it is taken for refused."""

Program = str | ProgramRef
Inputs = Iterable[Any] | Manifest
"""One input for each task: bytes, or what the program's `encode` takes."""


class AsyncClient:
    """One buyer at one market.

    `key` is a 32-byte private key or a Signer; with `account` the key signs for that contract account (EIP-1271).
    Money and verified results need `rpc_url`. `deployment` says where the contracts are; without it the market's word
    is taken, which a buyer with real money should not do. Raises MultitudeError (see `multitude.errors`) and, for what
    the chain refuses, `chain.errors.ChainError`.
    """

    def __init__(
        self,
        api_url: str,
        key: bytes | Signer,
        rpc_url: str | None = None,
        *,
        account: str | None = None,
        deployment: Deployment | None = None,
    ) -> None:
        self.api = AsyncMarketApi(api_url)
        self.signer: Signer = KeySigner(key, account) if isinstance(key, bytes) else key
        self.address = self.signer.address
        self.webhooks = AsyncWebhooks(self.api, self.sign_in)
        self.has_chain = rpc_url is not None
        self._rpc_url = rpc_url
        self._deployment = deployment
        self._chain: ChainClient | None = None
        self._signed_in_until = 0.0
        self._money = asyncio.Lock()
        self._promised: dict[bytes, tuple[int, float]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give the connections back. Jobs go on."""
        await self.api.aclose()

    # --- the chain

    async def deployment(self) -> Deployment:
        """The contracts. Raises ApiHostile where the market's are others than the ones given."""
        if self._deployment is None:
            self._deployment = await self.api.deployment()
        return self._deployment

    async def chain(self) -> ChainClient:
        """The chain that the market settles on. Raises NoChain, also for a node of another chain."""
        if self._rpc_url is None:
            raise NoChain("give rpc_url to the client to move money and to verify results")
        if self._chain is None:
            deployment = await self.deployment()
            chain = ChainClient(self._rpc_url, deployment)
            found = await run_sync(chain.chain_id)
            if found != deployment.chain_id:
                raise NoChain(f"{self._rpc_url} is chain {found}, the market settles on {deployment.chain_id}")
            self._chain = chain
        return self._chain

    async def wallet(self) -> Wallet:
        """Tokens and deposits; its methods block."""
        return Wallet(await self.chain(), self.signer)

    async def on_chain(self, work: Callable[[Wallet], T]) -> T:
        """Something with the wallet, on a thread of its own."""
        wallet = await self.wallet()
        return await run_sync(lambda: work(wallet))

    async def deposit(self, amount: int) -> None:
        """Move token wei into the escrow. Raises BalanceTooLow, AccountIsContract."""
        await self.on_chain(lambda wallet: wallet.deposit(amount))

    # --- the person

    async def sign_in(self) -> None:
        """Sign in at the market as this buyer, where that is not so already. Raises NotSignedIn, ApiHostile."""
        if self.api.token is not None and time.time() < self._signed_in_until:
            return
        given = await self.api.person("POST", "/v1/sign-in/challenge", json={"address": self.address})
        message = text_of(given, "message")
        check_text(message, self.api.url, self.address, (await self.deployment()).chain_id)
        signature = to_hex(self.signer.sign_digest(text_digest(message)))
        made = await self.api.person("POST", "/v1/sign-in", json={"message": message, "signature": signature})
        self.api.token = text_of(made, "token")
        self._signed_in_until = number_of(made, "expiresAt") - 60

    async def sign_out(self) -> None:
        """End the session at the market."""
        if self.api.token is not None:
            await self.api.person("DELETE", "/v1/sign-in")
            self.api.token = None

    # --- quotes and jobs

    async def quote(self, program: Program, inputs: Inputs, terms: Terms | None = None) -> Quote:
        """What a job over these inputs would cost. Uploads them: inputs are public from here on.

        Raises NoCapacity, ProgramUnknown, ProgramRefused, InputsRefused.
        """
        ref, terms = program_ref(program), terms or Terms()
        manifest = await self._upload(ref, inputs)
        found = await self.api.quote(
            ref.program_id, to_hex(manifest.blob_id), terms.rate_floor_ppm, terms.min_stake_wei
        )
        return Quote.from_json(found)

    async def submit(
        self,
        program: Program,
        inputs: Inputs,
        terms: Terms | None = None,
        quote: Quote | None = None,
        *,
        deposit: bool = False,
        cap: int | None = None,
    ) -> AsyncJob:
        """Sign a bid and open a job: one task for each input. Inputs and outputs are public.

        Without `quote` one is asked for. Raises CapExceeded where the budget is above `cap` wei, and BalanceTooLow
        where the escrow does not hold it; with `deposit` it gets what it lacks. Nothing is signed before either.
        """
        ref, terms = program_ref(program), terms or Terms()
        manifest = await self._upload(ref, inputs)
        if quote is None:
            quote = await self.quote(ref, manifest, terms)
        bid = build_bid(
            self.address, ref.program_id, manifest, quote, terms, await self._now(), secrets.token_bytes(32)
        )
        if cap is not None and bid.budget > cap:
            raise CapExceeded(bid.budget, cap)
        domain = (await self.deployment()).domain
        async with self._money:
            await self._fund(bid.budget, deposit)
            signature = self.signer.sign_digest(bid.digest(domain))
            await self.api.submit(bid, signature, to_hex(bid.job_id))
            self._promised[bid.job_id] = (bid.budget, time.monotonic())
        return AsyncJob(self, bid)

    async def job(self, job_id: str) -> AsyncJob:
        """A job that was opened before, by this process or another. Raises ApiHostile for another job's bid."""
        return AsyncJob(self, _bid_of(await self.api.job(job_id), job_id))

    async def jobs(self, limit: int = 50) -> list[tuple[AsyncJob, JobStatus]]:
        """The newest jobs of this buyer with their states."""
        found: list[tuple[AsyncJob, JobStatus]] = []
        cursor: int | None = None
        while len(found) < limit:
            page = await self.api.jobs(self.address, cursor, min(100, limit - len(found)))
            for value in list_of(page, "jobs", 100):
                body = object_of(value, "a job")
                job = AsyncJob(self, _bid_of(body, text_of(body, "jobId", 66)))
                found.append((job, JobStatus.from_json(body, job.bid.task_count)))
            if page.get("next") is None:
                break
            cursor = number_of(page, "next")
        return found[:limit]

    # --- many inputs

    def map(
        self,
        program: Program,
        inputs: Iterable[Any] | AsyncIterable[Any],
        *,
        ordered: bool = True,
        window: int = WINDOW,
        job_tasks: int = JOB_TASKS,
        linger_s: float = LINGER_S,
        state: TaskState = "final",
        terms: Terms | None = None,
        deposit: bool = False,
        cap: int | None = None,
    ) -> AsyncGenerator[Any, None]:
        """The outputs over any iterable, endless ones too: jobs of at most `job_tasks` tasks, `window` at a time.

        In order, or with ordered=False pairs (index, output) as they come. A job is also opened when its first input
        has waited `linger_s`. Inputs are read only as outputs are taken. `state` is how sure an output must be. `cap`
        bounds in wei what was spent and what is locked together: CapExceeded. Closing the generator cancels the jobs
        that run.
        """
        plan = MapPlan(
            program_ref(program), ordered, window, job_tasks, linger_s, state, terms or Terms(), deposit, cap
        )
        return mapped(self, plan, inputs)

    def program(
        self, program_id: str, encode: Callable[[Any], bytes] = same, decode: Callable[[bytes], Any] = same
    ) -> "AsyncProgram":
        """A program as a function: `await square(3)`, `square.map(range(100))`."""
        return AsyncProgram(program_id, encode, decode, self)

    async def call(self, program: Program, value: Any, **how: Any) -> Any:
        """One value through a program, as a job of one task. Raises TaskTrapped."""
        ref = program_ref(program)
        state: TaskState = how.pop("state", "final")
        job = await self.submit(ref, [value], **how)
        async for task in job.as_completed(state):
            return ref.value_of(task.task, task.status, task.output)
        raise ApiHostile("a job without a task")

    # --- inside

    async def _upload(self, ref: ProgramRef, inputs: Inputs) -> Manifest:
        if isinstance(inputs, Manifest):
            return inputs
        data = [ref.input_of(value) for value in inputs]
        manifest = await run_sync(Manifest.of, data)
        slots = asyncio.Semaphore(UPLOADS_AT_ONCE)

        async def put(blob: bytes) -> None:
            async with slots:
                await self._put(blob)

        large = {entry.hash: blob for entry, blob in zip(manifest.inputs, data, strict=True) if entry.data is None}
        await asyncio.gather(*(put(blob) for blob in large.values()))
        await self._put(manifest.blob)
        return manifest

    async def _put(self, blob: bytes) -> None:
        try:
            await self.api.put_blob(blob)
        except NotSignedIn:  # large ones are taken from people only
            await self.sign_in()
            await self.api.put_blob(blob)

    async def _fund(self, budget: int, deposit: bool) -> None:
        """Makes sure that the escrow holds the budget beside those of jobs that the chain has not opened yet."""
        if not self.has_chain:
            return
        needed = budget + await self._promised_wei()
        held = await self.on_chain(Wallet.deposited)
        if held >= needed:
            return
        if not deposit:
            raise BalanceTooLow(needed, held, "the escrow")
        await self.deposit(needed - held)

    async def _promised_wei(self) -> int:
        """The budgets of jobs that were submitted and are not on chain yet."""
        chain = await self.chain()
        for job_id, (_, since) in list(self._promised.items()):
            record = await run_sync(chain.call, "JobEscrow", "jobOf", job_id)
            if record["phase"] != 0 or time.monotonic() - since > PROMISE_S:
                del self._promised[job_id]
        return sum(budget for budget, _ in self._promised.values())

    async def _now(self) -> int:
        if not self.has_chain:
            return int(time.time())
        chain = await self.chain()
        return (await run_sync(chain.head)).timestamp


class AsyncProgram(ProgramRef):
    """A program at one client: call it over one value, or `map` it."""

    def __init__(
        self, program_id: str, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any], client: AsyncClient
    ) -> None:
        super().__init__(program_id, encode, decode)
        object.__setattr__(self, "client", client)

    client: AsyncClient

    async def __call__(self, value: Any, **how: Any) -> Any:
        """The output's value. Options as of `AsyncClient.submit`, and `state`."""
        return await self.client.call(self, value, **how)

    def map(self, values: Iterable[Any] | AsyncIterable[Any], **how: Any) -> AsyncGenerator[Any, None]:
        """As `AsyncClient.map`."""
        return self.client.map(self, values, **how)


def _bid_of(body: dict[str, Any], job_id: str) -> Bid:
    try:
        bid = Bid.from_json(body.get("bid"))
        wanted = from_hex(job_id, 32, "job id")
    except EncodingInvalid as error:
        raise ApiHostile(f"job {job_id[:66]}: {error.reason}") from error
    if bid.job_id != wanted:
        raise ApiHostile(f"the bid shown for job {job_id} is another job's")
    return bid
