"""The buyer's side of HTTP against a small server of our own."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from multitude.api import MarketApi
from multitude.client import Client, Job
from multitude.errors import ApiRefused, ApiUnreachable, JobFailed, JobTimedOut, NoChain
from multitude.pricing import Quote, Terms, budget_for, build_bid
from multitude.wallet import Permit
from protocol.blobs import blob_id
from protocol.encoding import to_hex
from protocol.errors import EncodingInvalid
from protocol.manifest import Manifest
from protocol.money import amount_of, debit_of

KEY = b"\7" * 32
QUOTE = Quote(90_000, 100_000, 200_000, 10**18, 64, 12.5)
BUYER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


class Market(ThreadingHTTPServer):
    """Answers from `answers`: (method, path) to (status, body); remembers what was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = {}
        self.asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.asked.append((self.command, self.path, body))
        status, content = self.server.answers.get((self.command, self.path), (404, b"nothing"))
        if callable(content):
            content = content()
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_HEAD = answer  # noqa: N815 - the base class names them

    def log_message(self, *_):
        pass


@pytest.fixture
def market():
    with Market() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_api_nobody_there_is_unreachable():
    with MarketApi("http://127.0.0.1:1") as api, pytest.raises(ApiUnreachable):
        api.network()


def test_api_problem_carries_its_code(market):
    market.answers["GET", "/v1/jobs/0x1"] = (409, {"code": "period_closed", "detail": "again"})
    with MarketApi(market.url) as api:
        with pytest.raises(ApiRefused) as caught:
            api.job("0x1")
        assert (caught.value.status, caught.value.code) == (409, "period_closed")
        with pytest.raises(ApiRefused, match="no_problem"):
            api.job("0x2")


def test_get_blob_other_bytes_are_refused(market):
    name = blob_id(b"right")
    market.answers["GET", f"/v1/blobs/{to_hex(name)}"] = (200, b"wrong")
    with MarketApi(market.url) as api, pytest.raises(ApiRefused, match="blob_damaged"):
        api.get_blob(name)


def test_put_blob_that_is_there_is_not_sent_again(market):
    path = f"/v1/blobs/{to_hex(blob_id(b'data'))}"
    market.answers["PUT", path] = (201, {})
    with MarketApi(market.url) as api:
        api.put_blob(b"data")
        market.answers["HEAD", path] = (200, b"")
        api.put_blob(b"data")
    assert [method for method, _, _ in market.asked] == ["HEAD", "PUT", "HEAD"]


def test_client_without_rpc_has_no_chain(market):
    with Client(market.url, KEY) as client, pytest.raises(NoChain):
        client.deposit(1)


def job_of(market, *states):
    client = Client(market.url, KEY)
    bid = build_bid(client.address, to_hex(bytes(32)), Manifest.of([b"a", b"b"]), QUOTE, Terms(), 1_000, bytes(32))
    answers = iter(states)
    last = states[-1]
    market.answers["GET", f"/v1/jobs/{to_hex(bid.job_id)}"] = (200, lambda: json.dumps(next(answers, last)).encode())
    return Job(client, bid)


def test_wait_refused_or_closed_undone_fails(market):
    with pytest.raises(JobFailed, match="BalanceTooLow"):
        job_of(market, {"state": "refused", "error": "BalanceTooLow", "tasks": {}}).wait(5)
    with pytest.raises(JobFailed, match="undone"):
        job_of(market, {"state": "closed", "tasks": {"final": 1, "open": 1}}).wait(5)


def test_wait_past_the_time_times_out(market):
    with pytest.raises(JobTimedOut):
        job_of(market, {"state": "open", "tasks": {"open": 2}}).wait(0)


def test_wait_all_final_returns(market):
    job = job_of(market, {"state": "open", "tasks": {"final": 2}})
    seen = []
    assert job.wait(5, seen.append) is job
    assert len(seen) == 1


def test_build_bid_takes_the_quote_where_terms_are_silent():
    manifest = Manifest.of([b"a", b"b" * 2_000])
    bid = build_bid(BUYER, to_hex(b"\1" * 32), manifest, QUOTE, Terms(), 1_000, b"\2" * 32)
    assert (bid.max_price_wei_per_gwu, bid.span_tasks, bid.task_limit_wu) == (10**18, 64, 200_000)
    assert (bid.task_count, bid.inputs_root, bid.manifest) == (2, manifest.inputs_root, manifest.blob_id)
    assert bid.deadline == 1_000 + 3_600


def test_build_bid_takes_the_terms():
    terms = Terms(max_price_wei_per_gwu=7, budget_wei=11, span_tasks=16, rate_floor_ppm=100_000, min_stake_wei=3)
    bid = build_bid(BUYER, to_hex(bytes(32)), Manifest.of([b""]), QUOTE, terms, 1_000, bytes(32))
    assert (bid.max_price_wei_per_gwu, bid.budget, bid.span_tasks, bid.min_stake) == (7, 11, 16, 3)
    with pytest.raises(EncodingInvalid, match="spanTasks"):
        build_bid(BUYER, to_hex(bytes(32)), Manifest.of([b""]), QUOTE, Terms(span_tasks=257), 1_000, bytes(32))


def test_budget_for_covers_every_task_at_its_limit():
    terms = Terms(rate_floor_ppm=100_000)
    leaf = debit_of(amount_of(10 * 200_000, 10**18), terms.max_fee_ppm, terms.rate_floor_ppm)
    assert budget_for(10, 200_000, terms, 10**18) >= leaf


def test_permit_has_the_type_hash_of_eip_2612():
    assert Permit.type_hash.hex() == "6e71edae12b1b97f4d1f60370fef10105fa2faae0126114a169c64845d6126c9"
