import json

import httpx2
import pytest

from protocol.encoding import to_hex
from protocol.messages import Session
from protocol.signing import address_of
from tests.worker.fake_market import DEVICE, NETWORK, inputs_of, make_bid, make_grant, results_of
from worker.book import Book
from worker.errors import LeaseRefused, MarketRefused, MarketUnreachable, SessionRefused, SettingsInvalid
from worker.facts import LeaseTaken, ResultsRecorded
from worker.market_client import HttpMarket, Submission, check_url

pytestmark = pytest.mark.anyio

URL = "https://market.example"
GRANT = make_grant(make_bid(inputs_of(10)))
SESSION = Session(address_of(DEVICE), 1, bytes(32))


class Server:
    """Answers by (method, path), and keeps the requests."""

    def __init__(self, **answers):
        self.answers = {
            "GET /v1/network": (200, NETWORK.to_json()),
            "POST /v1/sessions": (200, {"token": "secret", "expiresAt": 99}),
        } | answers
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        status, body, *headers = self.answers[f"{request.method} {request.url.path}"]
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx2.Response(status, content=content, headers=headers[0] if headers else None)


async def market(server, *urls):
    client = HttpMarket(urls or (URL,), httpx2.MockTransport(server))
    await client.network()
    await client.open_session(SESSION, bytes(65))
    return client


@pytest.mark.parametrize(
    "url",
    [
        "http://market.example",
        "http://10.0.0.1:80",
        "ftp://127.0.0.1",
        "market.example",
        "https://",
        "http://127.0.0.1.evil.example",
    ],
)
def test_url_in_the_clear_is_refused(url):
    with pytest.raises(SettingsInvalid):
        check_url(url)


@pytest.mark.parametrize(
    "url", ["https://market.example/", "http://127.0.0.1:8000", "http://localhost", "http://[::1]:1"]
)
def test_url_over_https_or_on_this_machine_is_taken(url):
    assert check_url(url) == url.rstrip("/")


async def test_network_with_blobs_in_the_clear_is_refused():
    blobs = {**NETWORK.to_json(), "blobs": "http://elsewhere.example"}
    with pytest.raises(MarketUnreachable, match="https"):
        await market(Server(**{"GET /v1/network": (200, blobs)}))


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_server_trouble_is_unreachable_with_its_wish(status):
    client = await market(Server(**{"PUT /v1/offers": (status, {"code": "busy"}, {"Retry-After": "7"})}))
    with pytest.raises(MarketUnreachable) as caught:
        await client.put_offer({})
    assert caught.value.retry_after_s == 7


async def test_unauthorized_means_the_session_is_lost():
    client = await market(Server(**{"PUT /v1/offers": (401, {"code": "session_expired"})}))
    with pytest.raises(SessionRefused):
        await client.put_offer({})


async def test_conflict_carries_code_and_period():
    path = f"POST /v1/leases/{to_hex(GRANT.key.job_id)}/1/results"
    client = await market(Server(**{path: (409, {"code": "period_closed", "detail": "posted", "period": 5})}))
    book = Book([LeaseTaken(GRANT), ResultsRecorded(GRANT.key, results_of(GRANT), bytes(32))])
    with pytest.raises(MarketRefused) as caught:
        await client.submit(GRANT.key, Submission(results_of(GRANT), bytes(32), book.receipt_of(GRANT.key), bytes(65)))
    assert (caught.value.code, caught.value.period) == ("period_closed", 5)


@pytest.mark.parametrize("body", [b"<html>", b"[1", b"\xff"])
async def test_answer_that_is_not_json_is_unreachable(body):
    with pytest.raises(MarketUnreachable):
        await market(Server(**{"GET /v1/network": (200, body)}))


@pytest.mark.parametrize("body", [{}, [], {"token": "t"}, {"token": "t", "expiresAt": "soon"}, None])
async def test_session_without_its_parts_is_unreachable(body):
    with pytest.raises(MarketUnreachable):
        await market(Server(**{"POST /v1/sessions": (200, body)}))


async def test_redirect_is_not_followed():
    client = await market(Server(**{"PUT /v1/offers": (307, b"", {"Location": "https://evil.example"})}))
    with pytest.raises(MarketRefused):
        await client.put_offer({})


async def test_no_content_is_no_lease():
    client = await market(Server(**{"POST /v1/leases/next": (204, b"")}))
    assert await client.next_lease(1) is None


async def test_lease_is_parsed_with_names_beyond_ours_left_alone():
    value = {**GRANT.to_json(), "manifest": "0x", "priceWeiPerGWU": "1"}
    value["program"] |= {"name": "digits", "attested": False}
    client = await market(Server(**{"POST /v1/leases/next": (200, value)}))
    assert await client.next_lease(1) == GRANT


async def test_malformed_lease_is_unreachable():
    client = await market(Server(**{"POST /v1/leases/next": (200, {"lease": {}})}))
    with pytest.raises(MarketUnreachable, match="malformed"):
        await client.next_lease(1)


async def test_blob_above_its_limit_is_refused():
    path = f"/v1/blobs/{to_hex(bytes(32))}"
    client = await market(Server(**{f"GET {path}": (200, b"12345")}))
    assert await client.get_blob(bytes(32), 5) == b"12345"
    with pytest.raises(LeaseRefused, match="more than"):
        await client.get_blob(bytes(32), 4)


async def test_blob_that_is_not_there_is_refused():
    client = await market(Server(**{f"GET /v1/blobs/{to_hex(bytes(32))}": (404, {"code": "not_found"})}))
    with pytest.raises(LeaseRefused, match="not served"):
        await client.get_blob(bytes(32), 5)


async def test_token_goes_to_the_market_that_gave_it_alone():
    elsewhere = {**NETWORK.to_json(), "blobs": "https://blobs.example"}
    server = Server(**{"GET /v1/network": (200, elsewhere), "PUT /v1/offers": (200, {})})
    server.answers[
        "PUT /" + to_hex(bytes.fromhex("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"))
    ] = (201, b"")
    client = await market(server)
    await client.put_offer({})
    await client.put_blob(b"")
    offer, blob = server.requests[-2:]
    assert offer.headers["Authorization"] == "Bearer secret"
    assert "Authorization" not in blob.headers


async def test_second_url_is_tried_after_the_first_fails_with_a_session_of_its_own():
    server = Server(**{"PUT /v1/offers": (200, {})})
    failing = []

    def handler(request):
        if request.url.host in failing:
            raise httpx2.ConnectError("down")
        return server(request)

    client = HttpMarket([URL, "https://second.example"], httpx2.MockTransport(handler))
    await client.network()
    await client.open_session(SESSION, bytes(65))
    failing.append("market.example")
    with pytest.raises(MarketUnreachable):
        await client.put_offer({})
    assert client.url == "https://second.example"
    await client.put_offer({})
    assert "Authorization" not in server.requests[-1].headers


async def test_results_travel_as_rows_of_section_nine():
    path = f"POST /v1/leases/{to_hex(GRANT.key.job_id)}/1/results"
    server = Server(**{path: (200, {"accepted": True})})
    client = await market(server)
    book = Book([LeaseTaken(GRANT), ResultsRecorded(GRANT.key, results_of(GRANT), bytes(32))])
    receipt = book.receipt_of(GRANT.key)
    await client.submit(GRANT.key, Submission(results_of(GRANT), bytes(32), receipt, bytes(65)))
    body = json.loads(server.requests[-1].content)
    assert body["results"][0] == [0, "1", to_hex(results_of(GRANT)[0].output_root), "1000", 0]
    assert body["receipt"] == receipt.to_json()


@pytest.mark.parametrize("given", [None, GRANT.to_json(), {"lease": "none"}, 7])
@pytest.mark.parametrize("wanted", [False, True])
async def test_answer_brings_the_next_lease_where_it_was_wanted_and_makes_sense(given, wanted):
    server = Server(
        **{f"POST /v1/leases/{to_hex(GRANT.key.job_id)}/1/results": (200, {"accepted": True, "next": given})}
    )
    client = await market(server)
    book = Book([LeaseTaken(GRANT), ResultsRecorded(GRANT.key, results_of(GRANT), bytes(32))])
    work = Submission(results_of(GRANT), bytes(32), book.receipt_of(GRANT.key), bytes(65), b"outputs")
    found = await client.submit(GRANT.key, work, wants_next=wanted)
    assert found == (GRANT if wanted and given == GRANT.to_json() else None)
    body = json.loads(server.requests[-1].content)
    assert (body["next"], body["outputsData"]) == (wanted, "b3V0cHV0cw==")


async def test_answer_without_acceptance_is_not_taken_for_one():
    path = f"POST /v1/leases/{to_hex(GRANT.key.job_id)}/1/results"
    client = await market(Server(**{path: (200, {"accepted": False})}))
    book = Book([LeaseTaken(GRANT), ResultsRecorded(GRANT.key, results_of(GRANT), bytes(32))])
    with pytest.raises(MarketUnreachable):
        await client.submit(GRANT.key, Submission(results_of(GRANT), bytes(32), book.receipt_of(GRANT.key), bytes(65)))
