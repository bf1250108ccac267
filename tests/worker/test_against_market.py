"""The agent against the market's own API on PostgreSQL and Valkey; only the chain is a fake."""

import asyncio
from contextlib import suppress
from functools import partial
from random import Random

import httpx2
import pytest
from sqlalchemy import select

from market.leases.models import Receipt
from market.settlement.gateway import DeviceFacts
from programs.catalogue import CATALOGUE
from protocol.encoding import to_hex
from protocol.manifest import Manifest
from protocol.signing import address_of
from tests.market.world import PRICE, World, key_of, world_on
from tests.worker.fake_market import DEVICE, OTHER, digits, inputs_of
from tests.worker.test_agent import Crash, CrashingJournal
from worker.agent import Agent
from worker.journal import Journal
from worker.keystore import DeviceKey
from worker.market_client import HttpMarket
from worker.policy import Policy
from worker.runner import SandboxRunner

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.e2e]

TASKS, SPAN_TASKS = 40, 4
ALL_SPANS = list(range(TASKS // SPAN_TASKS))


class ThroughTestClient(httpx2.AsyncBaseTransport):
    """Requests of the agent, carried to the app by its test client."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.broken = []

    async def handle_async_request(self, request):
        content = await request.aread()
        url = request.url.raw_path.decode()
        if self.broken and self.broken[0] in url:
            self.broken.pop(0)
            raise httpx2.ConnectError("broken")
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "accept-encoding")}
        answer = await asyncio.to_thread(
            self.world.http.request, request.method, url, content=content, headers=headers, follow_redirects=False
        )
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)


class Stage:
    """A market with a job of real images, and what is needed to start agents on it."""

    def __init__(self, world: World, folder) -> None:
        self.world, self.folder = world, folder
        self.transport = ThroughTestClient(world)
        self.inputs = inputs_of(TASKS)
        entry = CATALOGUE["digits"]
        limits = {
            "wu": entry.limits.wu,
            "memoryPages": entry.limits.memory_pages,
            "frameBytes": entry.limits.frame_bytes,
        }
        body = {"originalHash": world.put_blob(entry.module.read_bytes()), "limits": limits, "name": "digits"}
        answer = world.http.post("/v1/programs", json=body)
        assert answer.json() == {"programId": to_hex(digits().program_id)}
        manifest = Manifest.of(self.inputs)
        world.put_blob(manifest.blob)
        world.tick()
        self.bid = world.bid(
            program_id=digits().program_id,
            manifest=manifest.blob_id,
            inputs_root=manifest.inputs_root,
            task_count=TASKS,
            span_tasks=SPAN_TASKS,
            task_limit_wu=entry.limits.wu,
        )
        self.add(DEVICE)

    def add(self, key: bytes, stake: int = 1_000 * PRICE) -> None:
        self.world.chain.devices[address_of(key)] = DeviceFacts(address_of(key_of("owner")), stake)

    def open(self) -> None:
        answer = self.world.post_job(self.bid)
        assert answer.status_code == 202, answer.text
        self.world.tick()

    def agent(self, key: bytes = DEVICE, make_journal=Journal) -> Agent:
        market = HttpMarket(["http://127.0.0.1:1"], self.transport)
        journal = make_journal(self.folder / address_of(key))
        policy = Policy(self.folder, PRICE, 1, 64)
        clock = self.world.clock
        return Agent(DeviceKey(key), market, SandboxRunner(), journal, policy, clock=clock, rng=Random(1))

    async def run(self, *agents: Agent, limit_s: float = 40.0) -> None:
        """Agents work and the market ticks until every span is accepted; then they are stopped."""
        running = [asyncio.create_task(agent.run()) for agent in agents]
        async with asyncio.timeout(limit_s):
            while not any(task.done() for task in running) and len(self.spans) < TASKS // SPAN_TASKS:
                await asyncio.to_thread(self.world.tick)
                self.world.clock.advance(0.5)
                await asyncio.sleep(0.02)
        for agent in agents:
            agent.shut_down()
        await asyncio.gather(*running)

    @property
    def spans(self) -> list[int]:
        """The spans of all receipts, rising, with repetitions."""
        return sorted(span for receipt in self.receipts() for span in receipt.spans)

    def receipts(self):
        with self.world.context.sessions() as session:
            return session.scalars(select(Receipt).order_by(Receipt.id)).all()


@pytest.fixture
def stage(market_url, valkey_url, tmp_path):
    """Its long polls are short: a thread that carries one cannot be cancelled."""
    with world_on(market_url, valkey_url, tmp_path, poll_max_seconds=1) as world:
        yield Stage(world, tmp_path / "agents")


async def test_two_agents_work_a_job_off_over_several_periods(stage):
    stage.add(OTHER)
    stage.open()
    await stage.run(stage.agent(), stage.agent(OTHER))
    assert stage.spans == ALL_SPANS
    assert {receipt.device for receipt in stage.receipts()} == {address_of(DEVICE), address_of(OTHER)}


async def test_agent_that_crashes_again_and_again_loses_nothing(stage):
    stage.add(OTHER)
    stage.open()
    helper = asyncio.create_task(stage.agent(OTHER).run())
    for at in (1, 3, 5, 9):
        with suppress(Crash):
            await stage.run(stage.agent(make_journal=partial(CrashingJournal, at=at, after=at % 2 == 0)))
    await stage.run(stage.agent())
    helper.cancel()
    await asyncio.gather(helper, return_exceptions=True)
    assert stage.spans == ALL_SPANS


@pytest.mark.parametrize("call", ["results", "sessions", "next", "network", "blobs"])
async def test_broken_connections_lose_nothing(stage, call):
    stage.add(OTHER)
    stage.open()
    stage.transport.broken = [call] * 3
    await stage.run(stage.agent(), stage.agent(OTHER))
    assert stage.transport.broken == []
    assert stage.spans == ALL_SPANS
