"""A market with a fake chain and a clock of its own, and the people who use it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from fastapi.testclient import TestClient
from httpx2 import Response

from market.app import create_app
from market.blobs.store import BlobStore
from market.context import Context
from market.db import engine_of, sessions_of
from market.leases.service import expire_leases
from market.limits import RateLimits
from market.matching.tick import tick as match_tick
from market.programs.models import Program
from market.settings import Settings, SettlerKey
from market.settlement import build, settle
from market.settlement.gateway import DeviceFacts
from market.ticks import chain_tick
from market.wake import Waker
from protocol.blobs import blob_id
from protocol.encoding import to_hex
from protocol.hashing import keccak256
from protocol.manifest import Manifest
from protocol.merkle import ResultTree, TaskResult
from protocol.messages import Bid, Binding, Receipt, Session
from protocol.money import amount_of
from protocol.output_blob import encode_outputs
from protocol.program import ProgramFacts
from protocol.signing import address_of
from protocol.spans import SpanSet
from tests.market.fake_chain import FakeChain

GWU = 10**9
PRICE = 10**15
TASK_WU = GWU
LIMIT_WU = 2 * GWU
START = 1_900_000_000.0


def key_of(name: str) -> bytes:
    """A key that anybody can make again."""
    return keccak256(name.encode())


class Clock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.seconds = START

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Moves on."""
        self.seconds += seconds


FACTS = ProgramFacts(1, bytes([1]) * 32, bytes([2]) * 32, bytes(32), bytes([3]) * 32, LIMIT_WU, 16, 65_536, 1)


@dataclass
class World:
    """One market under test."""

    context: Context
    chain: Any
    clock: Any
    http: TestClient
    nonces: int = 0

    def tick(self) -> None:
        """Everything that Celery would do, once; what was queued is mined first."""
        self.chain.mine()
        chain_tick(self.context)
        expire_leases(self.context)
        match_tick(self.context)
        build.tick(self.context)
        settle.tick(self.context)
        self.chain.mine()
        chain_tick(self.context)
        match_tick(self.context)

    def add_program(self) -> str:
        """A registered program without a module."""
        facts, name = FACTS, to_hex(FACTS.program_id)
        with self.context.transaction() as session:
            row = Program(program_id=name, assurance=facts.assurance, state="registered", name="test")
            row.original_hash, row.rewritten_hash = to_hex(facts.original_hash), to_hex(facts.rewritten_hash)
            row.code_root, row.initial_memory_root = to_hex(facts.code_root), to_hex(facts.initial_memory_root)
            row.limit_wu, row.memory_pages = facts.limit_wu, facts.memory_pages
            row.frame_bytes, row.tool_version = facts.frame_bytes, facts.tool_version
            session.merge(row)
        return name

    def bid(self, tasks: int = 10, span_tasks: int = 2, **changes: Any) -> Bid:
        """A bid whose manifest is uploaded."""
        manifest = Manifest.of([bytes([i % 256, i // 256]) for i in range(tasks)])
        self.put_blob(manifest.blob)
        fields: dict[str, Any] = {
            "buyer": address_of(key_of("buyer")),
            "program_id": FACTS.program_id,
            "inputs_root": manifest.inputs_root,
            "manifest": manifest.blob_id,
            "task_count": tasks,
            "span_tasks": span_tasks,
            "task_limit_wu": LIMIT_WU,
            "max_output_bytes": 64,
            "max_price_wei_per_gwu": 2 * PRICE,
            "budget": 1000 * PRICE,
            "rate_floor_ppm": 100_000,
            "min_stake": 0,
            "deadline": int(self.clock()) + 3600,
            "settler": self.context.settler.address,
            "max_fee_ppm": 30_000,
            "salt": bytes(32),
        }
        return Bid(**(fields | changes))

    def put_blob(self, data: bytes, headers: dict[str, str] | None = None) -> str:
        """Uploads and returns the id."""
        name = to_hex(blob_id(data))
        response = self.http.put(f"/v1/blobs/{name}", content=data, headers=headers)
        assert response.status_code in (200, 201), response.text
        return name

    def post_job(self, bid: Bid, key: bytes | None = None, **headers: str) -> Response:
        """Submits a bid."""
        signature = bid.sign(self.context.domain, key or key_of("buyer"))
        body = {"bid": bid.to_json(), "signature": to_hex(signature)}
        return self.http.post("/v1/jobs", json=body, headers=headers)

    def open_job(self, bid: Bid | None = None) -> str:
        """A job that the chain has opened."""
        self.add_program()
        response = self.post_job(bid or self.bid())
        assert response.status_code == 202, response.text
        self.tick()
        return str(response.json()["jobId"])

    def job(self, job_id: str) -> dict[str, Any]:
        """GET of a job."""
        found: dict[str, Any] = self.http.get(f"/v1/jobs/{job_id}").json()
        return found

    def device(self, name: str, stake: int = 1000 * PRICE, price: int = PRICE) -> "Device":
        """A bound device with a session and an offer."""
        made = Device(self, name)
        self.chain.devices[made.address] = DeviceFacts(address_of(key_of(f"owner of {name}")), stake)
        made.open_session()
        made.offer(price)
        made.poll()
        return made


@dataclass
class Device:
    """A device that does as it is told."""

    world: World
    name: str
    headers: dict[str, str] = field(default_factory=dict)
    results: dict[tuple[str, int], dict[int, TaskResult]] = field(default_factory=dict)
    post_by: dict[tuple[str, int], int] = field(default_factory=dict)
    spans: dict[tuple[str, int], set[int]] = field(default_factory=dict)

    @property
    def key(self) -> bytes:
        """Its private key."""
        return key_of(self.name)

    @property
    def address(self) -> str:
        """Its address."""
        return address_of(self.key)

    def open_session(self, **changes: Any) -> Response:
        """Opens a session and keeps the token."""
        self.world.nonces += 1
        fields = {"issued_at": int(self.world.clock()), "nonce": self.world.nonces.to_bytes(32, "big")} | changes
        message = Session(device=self.address, **fields)
        signature = to_hex(message.sign(self.world.context.domain, self.key))
        response = self.world.http.post("/v1/sessions", json={"session": message.to_json(), "signature": signature})
        if response.status_code == 200:
            self.headers = {"Authorization": f"Bearer {response.json()['token']}"}
        return response

    def bind(self, owner: bytes) -> Response:
        """Asks for a binding."""
        binding = Binding(self.address, address_of(owner))
        domain = self.world.context.domain
        signatures = {
            "deviceSignature": to_hex(binding.sign(domain, self.key)),
            "ownerSignature": to_hex(binding.sign(domain, owner)),
        }
        return self.world.http.post("/v1/devices", json={"binding": binding.to_json(), **signatures})

    def offer(self, price: int = PRICE, **changes: Any) -> Response:
        """Makes an offer."""
        body = {"programs": None, "minPriceWeiPerGWU": str(price), "nsPerWU": 1.5, "memoryPages": 256} | changes
        return self.world.http.put("/v1/offers", json=body, headers=self.headers)

    def poll(self) -> Response:
        """Asks for a lease once."""
        return self.world.http.post("/v1/leases/next?wait=0", headers=self.headers)

    def lease(self) -> dict[str, Any]:
        """Its next lease, which has to be there."""
        response = self.poll()
        assert response.status_code == 200, (response.status_code, response.text)
        found: dict[str, Any] = response.json()
        return found

    def path(self, grant: dict[str, Any], what: str) -> str:
        """The URL of a lease's call."""
        return f"/v1/leases/{grant['lease']['jobId']}/{grant['lease']['leaseId']}/{what}"

    def work(self, grant: dict[str, Any], period: int | None = None, wu: int = TASK_WU) -> dict[str, Any]:
        """The honest submission of a lease, cumulative over what was accepted of this period."""
        lease, bid = grant["lease"], Bid.from_json(grant["bid"])
        period = grant["period"] if period is None else period
        at = (lease["jobId"], period)
        tasks = SpanSet.of(lease["spans"]).tasks(bid.task_count, bid.span_tasks)
        outputs = [b"out %d" % task for task in tasks]
        fresh = [TaskResult.of_output(task, output, wu) for task, output in zip(tasks, outputs, strict=True)]
        together = self.results.get(at, {}) | {result.task_index: result for result in fresh}
        tree = ResultTree([together[task] for task in sorted(together)])
        spans = self.spans.get(at, set()) | set(lease["spans"])
        receipt = Receipt(
            job_id=bid.job_id,
            device=self.address,
            period=period,
            spans_hash=SpanSet.of(spans).hash,
            results_root=tree.root,
            count=tree.count,
            total_wu=tree.total_wu,
            total_squared_wu=tree.total_squared_wu,
            amount=amount_of(tree.total_wu, int(lease["priceWeiPerGWU"])),
            post_by=min(self.post_by.get(at, 2**40 - 1), lease["postBy"]),
        )
        return self.sign(receipt, fresh, outputs)

    def sign(self, receipt: Receipt, results: Sequence[TaskResult], outputs: Sequence[bytes]) -> dict[str, Any]:
        """A body of a submission; the outputs are uploaded."""
        blob = self.world.put_blob(encode_outputs(outputs), self.headers)
        return {
            "results": [
                [r.task_index, str(r.output_length), to_hex(r.output_root), str(r.wu), r.status] for r in results
            ],
            "outputs": blob,
            "receipt": receipt.to_json(),
            "signature": to_hex(receipt.sign(self.world.context.domain, self.key)),
        }

    def submit(self, grant: dict[str, Any], body: dict[str, Any]) -> Response:
        """Hands in a body; what is accepted is remembered."""
        response = self.world.http.post(self.path(grant, "results"), json=body, headers=self.headers)
        if response.status_code == 200:
            at = (grant["lease"]["jobId"], body["receipt"]["period"])
            rows = [TaskResult(r[0], int(r[1]), bytes.fromhex(r[2][2:]), int(r[3]), r[4]) for r in body["results"]]
            self.results.setdefault(at, {}).update({row.task_index: row for row in rows})
            self.spans.setdefault(at, set()).update(grant["lease"]["spans"])
            self.post_by[at] = body["receipt"]["postBy"]
        return response

    def do_next(self) -> dict[str, Any]:
        """Takes a lease and delivers it."""
        grant = self.lease()
        response = self.submit(grant, self.work(grant))
        assert response.status_code == 200, response.text
        return grant

    def do_all(self) -> int:
        """Works until there is nothing more for it; leases done."""
        done = 0
        while self.poll().status_code == 200:
            self.do_next()
            done += 1
        return done


@contextmanager
def world_on(
    database: str, valkey: str, folder: Path, gateway: Any = None, clock: Any = None, **changes: Any
) -> Iterator[World]:
    """A world on a migrated database; `gateway(engine, settler)` makes another chain than the fake."""
    clock = clock or Clock()
    key_file = folder / "settler.key"
    key_file.write_text(key_of("settler").hex())
    key_file.chmod(0o600)
    settings = Settings(
        database_url=database,
        redis_url=valkey,
        blobs_url=str(folder / "blobs"),
        settler_key_file=key_file,
        rate_factor=1000,
        poll_step_seconds=0.05,
        **changes,
    )
    settler = SettlerKey.read(key_file, strict=True)
    engine = engine_of(settings.sqlalchemy_url)
    chain: Any = gateway(engine, settler) if gateway else FakeChain(settler.address, clock, sessions_of(engine))
    client = redis.Redis.from_url(valkey)
    context = Context(
        settings=settings,
        engine=engine,
        sessions=sessions_of(engine),
        blobs=BlobStore(settings.blobs_url),
        chain=chain,
        settler=settler,
        waker=Waker(client),
        limits=RateLimits(valkey, settings.rate_factor),
        now=clock,
    )
    with TestClient(create_app(context)) as http:
        yield World(context, chain, clock, http)
    client.close()
