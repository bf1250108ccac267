"""A market of our own making for the SDK's tests: its interface, a node's few answers, and no money."""

import base64
import json
import threading
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from chain import abi
from protocol.blobs import blob_id
from protocol.encoding import to_hex
from protocol.hashing import keccak256
from protocol.manifest import Manifest
from protocol.messages import Bid

PROGRAM = to_hex(keccak256(b"double"))
DEVICE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
CHAIN_ID = 31337
CONTRACTS = {name: "0x" + f"{number:02x}" * 20 for number, name in enumerate(abi.names(), 1)}
SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes....").decode()
PRICE = 10**15


def doubled(data):
    return data + data


@dataclass
class FakeJob:
    """A job: states and events are what a test makes them."""

    bid: Bid
    inputs: list
    program: object
    state: str = "open"
    error: str | None = None
    refunded: str | None = None
    states: list = field(default_factory=list)
    attested: set = field(default_factory=set)
    traps: set = field(default_factory=set)
    drawn: dict = field(default_factory=dict)
    events: list = field(default_factory=list)

    def __post_init__(self):
        self.states = ["open"] * len(self.inputs)
        self.changed = threading.Condition()

    def tell(self, kind, **data):
        with self.changed:
            self.events.append((kind, {"at": 1.0, **data}))
            self.changed.notify_all()

    def move(self, first, after, state):
        """Tasks first to after - 1 reach accepted, attested or final."""
        for task in range(first, after):
            self.states[task] = {"attested": "drawn"}.get(state, state)
            if state != "accepted":
                self.attested.add(task)
                self.drawn[task] = task % 2 == 0
        self.tell(f"span.{state}", tasks=[[first, after]], device=DEVICE)

    def close(self, state="closed", error=None):
        self.state, self.error, self.refunded = state, error, "7" if state == "closed" else None
        self.tell(f"job.{state}")

    def body(self):
        counts = dict.fromkeys(("open", "leased", "accepted", "committed", "final", "attested", "voided"), 0)
        for task, state in enumerate(self.states):
            counts["committed" if state == "drawn" else state] += 1
            counts["attested"] += state == "drawn" and task in self.attested
        return {
            "jobId": to_hex(self.bid.job_id),
            "state": self.state,
            "bid": self.bid.to_json(),
            "feePpm": 10_000,
            "period": 0,
            "tasks": counts,
            "refunded": self.refunded,
            "error": self.error,
        }

    def result(self, task):
        state = self.states[task]
        value = {"task": task, "state": state, "attested": task in self.attested}
        done = state not in ("open", "leased")
        trapped = task in self.traps
        value["drawn"] = self.drawn.get(task)
        value["replayed"] = bool(self.drawn.get(task))
        value["output"] = to_hex(b"" if trapped else self.program(self.inputs[task])) if done else None
        return value | {"wu": "1000", "status": int(trapped), "device": DEVICE, "epoch": None}


class FakeMarket(ThreadingHTTPServer):
    """`on_job(job)` decides what becomes of a new job; `answers[method, path]` = (status, body) or a function of the
    handler takes precedence; `asked` remembers everything."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked, self.blobs, self.jobs, self.hooks = {}, [], {}, {}, {}
        self.program = doubled
        self.balance = 10**30
        self.on_job = lambda job: job.move(0, len(job.inputs), "final")
        self.is_open = True

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """A client that went away is no error."""

    def quote(self, body):
        tasks = len(Manifest.parse(self.blobs[body["manifest"]]).inputs)
        cap = tasks * 3000 * PRICE // 10**9
        return {
            "tasks": tasks,
            "wuPerTask": {"min": "900", "mean": "1000", "max": "1500"},
            "sampled": min(8, tasks),
            "taskLimitWU": "3000",
            "spanTasks": 4,
            "priceWeiPerGWU": str(PRICE),
            "priceRange": {"low": str(PRICE // 2), "high": str(PRICE)},
            "feePpm": 10_000,
            "cap": str(cap + cap // 50 + tasks),
            "expectedCost": str(cap // 3),
            "fees": str(cap // 300),
            "verification": {"surcharge": "5", "deduction": "6", "replayedPpm": body["rateFloorPpm"]},
            "capacity": {"devices": 5, "wuPerSecond": "1000000000"},
            "expectedSeconds": 1.5,
            "attestedSeconds": 40.0,
            "finalSeconds": 60.0,
            "drivers": ["five devices ask <b>these</b> prices"],
        }

    def open_job(self, body):
        bid = Bid.from_json(body["bid"])
        entries = Manifest.parse(self.blobs[to_hex(bid.manifest)]).inputs
        inputs = [entry.data if entry.data is not None else self.blobs[to_hex(entry.hash)] for entry in entries]
        job = FakeJob(bid, inputs, self.program)
        self.jobs[to_hex(bid.job_id)] = job
        self.on_job(job)
        return 202, {"jobId": to_hex(bid.job_id), "state": "opening"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        market, body = self.server, self.rfile.read(int(self.headers.get("content-length") or 0))
        address = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(address.query).items()}
        market.asked.append((self.command, address.path, body, dict(self.headers)))
        special = market.answers.get((self.command, address.path))
        if callable(special):
            return special(self)
        if special is not None:
            return self.send(*special)
        return self.route(address.path.strip("/").split("/"), body)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = answer  # noqa: N815 - the base class names them

    def log_message(self, *_):
        pass

    def send(self, status, content=b"", **headers):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def problem(self, status, code, **members):
        self.send(status, {"code": code, "detail": f"it is {code}", **members})

    def route(self, parts, body):
        market, ask = self.server, (self.command, *parts[:2])
        if parts == ["rpc"]:
            return self.send(200, self.node(json.loads(body)))
        if ask == ("GET", "v1", "network"):
            value = {"chain_id": CHAIN_ID, "deploy_block": 1, "addresses": CONTRACTS, "clocks": {}, "fee_ppm": 10_000}
            return self.send(200, value)
        if parts[1] == "blobs":
            return self.blob(parts[2], body)
        if ask == ("POST", "v1", "quotes"):
            return self.send(200, market.quote(json.loads(body)))
        if ask == ("POST", "v1", "jobs"):
            return self.send(*market.open_job(json.loads(body)))
        if ask == ("GET", "v1", "jobs"):
            return self.job(parts[2:])
        if ask == ("GET", "v1", "programs"):
            rows = [{"programId": PROGRAM, "name": "double", "state": "registered"}]
            return self.send(200, {"programs": rows, "next": None})
        return self.problem(404, "not_found")

    def blob(self, name, body):
        blobs = self.server.blobs
        if self.command == "PUT":
            assert to_hex(blob_id(body)) == name
            blobs[name] = body
            return self.send(201)
        return self.send(200, blobs[name]) if name in blobs else self.problem(404, "not_found")

    def job(self, parts):
        jobs = self.server.jobs
        if not parts:
            return self.send(200, {"jobs": [job.body() for job in reversed(jobs.values())], "next": None})
        if parts[0] not in jobs:
            return self.problem(404, "not_found")
        job = jobs[parts[0]]
        what = parts[1] if len(parts) > 1 else ""
        if what == "events":
            return self.events(job)
        if what == "results":
            first = int(self.query["cursor"])
            after = min(first + int(self.query["limit"]), len(job.inputs))
            following = after if after < len(job.inputs) else None
            return self.send(200, {"results": [job.result(task) for task in range(first, after)], "next": following})
        if what == "receipt":
            return self.send(200, receipt_of(job))
        return self.send(200, job.body())

    def events(self, job):
        at = int(self.headers.get("last-event-id") or 0)
        over = job.state in ("closed", "refused")
        if over and at >= len(job.events):
            return self.send(204)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.close_connection = True
        while self.server.is_open and not (job.state in ("closed", "refused") and at >= len(job.events)):
            with job.changed:
                if at >= len(job.events):
                    job.changed.wait(0.1)
            for kind, data in job.events[at:]:
                at += 1
                self.wfile.write(f"id: {at}\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode())
            self.wfile.flush()
        return None

    def node(self, request):
        method, params = request["method"], request["params"]
        block = {"number": "0x5", "hash": "0x" + "11" * 32, "timestamp": hex(1_900_000_000), "baseFeePerGas": "0x0"}
        result = {"eth_chainId": hex(CHAIN_ID), "eth_getBlockByNumber": block}.get(method)
        if method == "eth_call":
            is_balance = params[0]["data"].startswith("0x" + keccak256(b"balanceOf(address)")[:4].hex())
            result = "0x" + (self.server.balance.to_bytes(32, "big") if is_balance else bytes(32 * 10)).hex()
        return {"jsonrpc": "2.0", "id": request["id"], "result": result}


def receipt_of(job):
    item = {"device": DEVICE, "epoch": 1, "state": "claimed", "tasks": 2, "wu": "2000", "amount": "100", "fee": "1"}
    item |= {
        "deduction": "2",
        "surcharge": "3",
        "paid": "98",
        "bonded": "0",
        "postTx": "0x" + "ab" * 32,
        "claimTx": None,
    }
    sums = {"budget": str(job.bid.budget), "spent": "104", "fees": "1", "verification": "5", "refunded": job.refunded}
    sent = [{"what": "open", "hash": "0x" + "cd" * 32, "block": 9, "epoch": None, "device": None}]
    return {"jobId": to_hex(job.bid.job_id), "state": job.state, **sums, "items": [item], "transactions": sent}


def running(server):
    """Serves until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.is_open = False
        server.shutdown()
        thread.join()
        server.server_close()


def digest_of(*parts):
    """A seeded number for tests."""
    return int.from_bytes(sha256(repr(parts).encode()).digest()[:8], "big")
