"""The buyer's side of HTTP: what a hostile or broken market can do to it, which is nothing."""

import anyio
import pytest

from multitude import (
    ApiHostile,
    ApiRefused,
    ApiUnreachable,
    AsyncClient,
    InputsRefused,
    MarketApi,
    NoCapacity,
    NotSignedIn,
    ProgramRefused,
    ProgramUnknown,
    RateLimited,
)
from multitude import errors as all_errors
from multitude.buyer import http
from protocol.blobs import blob_id
from protocol.encoding import to_hex

NETWORK = ("GET", "/v1/network")


@pytest.fixture
def api(market):
    with MarketApi(market.url) as made:
        yield made


@pytest.mark.parametrize(
    "url", ["http://example.com", "ftp://127.0.0.1", "example.com", "http://", "http://10.0.0.1:80"]
)
def test_market_api_address_that_is_neither_https_nor_loopback_is_refused(url):
    with pytest.raises(ApiHostile):
        MarketApi(url)


def test_market_api_https_and_loopback_are_taken():
    for url in ("https://market.example/", "http://localhost:1", "http://127.0.0.2:1", "http://[::1]:1"):
        MarketApi(url)


def test_request_nobody_there_is_unreachable(monkeypatch):
    monkeypatch.setattr(http, "WAIT_FIRST_S", 0.001)
    with MarketApi("http://127.0.0.1:1") as api, pytest.raises(ApiUnreachable):
        api.network()


def test_request_connection_that_breaks_is_tried_again(api, market, monkeypatch):
    monkeypatch.setattr(http, "WAIT_FIRST_S", 0.001)
    left = [2]

    def breaking(handler):
        if left[0]:
            left[0] -= 1
            handler.close_connection = True
            return None
        return handler.send(200, {"fine": True})

    market.answers[NETWORK] = breaking
    assert api.network() == {"fine": True}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_request_redirect_is_not_followed(api, market, status):
    market.answers[NETWORK] = lambda handler: handler.send(status, location="https://elsewhere.example/")
    with pytest.raises(ApiHostile, match="redirect"):
        api.network()
    assert len(market.asked) == 1


@pytest.mark.parametrize("body", [b"", b"no json", b"[1]", b'"text"', b"[" * 100_000, b"\xff"])
def test_request_answer_that_is_no_object_is_hostile(api, market, body):
    market.answers[NETWORK] = (200, body)
    with pytest.raises(ApiHostile):
        api.network()


def test_request_answer_past_the_bound_is_hostile(api, market, monkeypatch):
    monkeypatch.setattr(http, "JSON_BYTES_MAX", 1000)

    async def ask():
        async with AsyncClient(market.url, b"\7" * 32) as client:
            return await client.api.connection.send("GET", "/v1/network", most=1000)

    market.answers[NETWORK] = (200, b" " * 1001)
    with pytest.raises(ApiHostile, match="more than 1000"):
        anyio.run(ask)
    market.answers[NETWORK] = (200, b" " * 1000)
    assert len(anyio.run(ask).body) == 1000


def test_request_answer_that_drips_is_given_up(api, market, monkeypatch):
    monkeypatch.setattr(http, "REQUEST_S", 0.05)
    monkeypatch.setattr(http, "TRIES", 1)

    def drip(handler):
        handler.send_response(200)
        handler.send_header("content-length", "1000")
        handler.end_headers()
        for _ in range(20):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            handler.server.released.wait(0.02)

    import threading

    market.released = threading.Event()
    market.answers[NETWORK] = drip
    with pytest.raises(ApiUnreachable):
        api.network()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("no_capacity", NoCapacity),
        ("program_unknown", ProgramUnknown),
        ("program_refused", ProgramRefused),
        ("module_refused", ProgramRefused),
        ("quote_failed", InputsRefused),
        ("input_missing", InputsRefused),
        ("session_expired", NotSignedIn),
        ("rate_limited", RateLimited),
        ("some_new_code", ApiRefused),
    ],
)
def test_problem_code_has_its_error(api, market, code, kind):
    market.answers[NETWORK] = (409, {"code": code, "detail": "a sentence", "live": 0})
    with pytest.raises(kind) as caught:
        api.network()
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.code, caught.value.detail) == (409, code, "a sentence")
    assert caught.value.members == {"live": 0}


def test_refused_programs_faults_are_the_markets_and_safe_to_show(api, market):
    good = {"cause": "floating_point", "function": "mean", "offset": 7, "message": "no floats"}
    hostile = good | {"function": "\x1b[2J" + "x" * 1_000, "message": "\u202e" + "y" * 9_000}
    rows = [good, good | {"function": 3}, hostile, {"cause": 1}, "x", None, good | {"offset": "7"}]
    market.answers[NETWORK] = (422, {"code": "module_refused", "detail": "no", "faults": rows + [good] * 500})
    with pytest.raises(ProgramRefused) as caught:
        api.network()
    first, second, third, *others = caught.value.faults
    assert (first.cause, first.name, first.offset, first.message) == ("floating_point", "mean", 7, "no floats")
    assert (second.function, second.name) == (3, None)
    assert str(third).isprintable()
    assert len(str(third)) < 600
    assert len(others) < 50


@pytest.mark.parametrize("faults", [None, "x", {}, 7])
def test_refused_program_without_a_list_of_faults_has_none(api, market, faults):
    market.answers[NETWORK] = (422, {"code": "program_refused", "detail": "no", "faults": faults})
    with pytest.raises(ProgramRefused) as caught:
        api.network()
    assert caught.value.faults == ()


def test_problem_without_a_code_or_with_a_terminals_controls_is_shown_plainly(api, market):
    market.answers[NETWORK] = (500, b"<html>\x1b[31mred")
    with pytest.raises(ApiRefused, match="no_problem") as caught:
        api.network()
    assert "\x1b" not in str(caught.value)
    market.answers[NETWORK] = (409, {"code": "x", "detail": "\x1b[31m" + "long" * 1000})
    with pytest.raises(ApiRefused) as caught:
        api.network()
    assert "\x1b" not in caught.value.detail
    assert len(caught.value.detail) <= 500


def test_request_limited_is_sent_again_after_the_wait(api, market):
    answers = iter([429, 503])

    def limited(handler):
        status = next(answers, 200)
        return handler.problem(status, "rate_limited") if status != 200 else handler.send(200, {})

    def soon(handler):
        status = next(answers, 200)
        if status == 200:
            return handler.send(200, {})
        return handler.send(status, {"code": "rate_limited"}, retry_after="0")

    market.answers[NETWORK] = soon
    assert api.network() == {}


@pytest.mark.parametrize("wait", ["61", "nan", "-1", "1e9", "soon"])
def test_request_limited_for_long_is_told(api, market, wait):
    market.answers[NETWORK] = lambda handler: handler.send(429, {"code": "rate_limited"}, retry_after=wait)
    with pytest.raises(RateLimited):
        api.network()


def test_get_blob_other_bytes_are_hostile(api, market):
    name = blob_id(b"right")
    market.answers["GET", f"/v1/blobs/{to_hex(name)}"] = (200, b"wrong")
    with pytest.raises(ApiHostile, match="others"):
        api.get_blob(name)


def test_put_blob_that_is_there_is_not_sent_again(api, market):
    api.put_blob(b"data")
    api.put_blob(b"data")
    assert [method for method, *_ in market.asked] == ["HEAD", "PUT", "HEAD"]


@pytest.mark.parametrize("value", [{}, {"addresses": 1, "chain_id": 1}, {"addresses": {"A": "0x1"}, "chain_id": 1}])
def test_deployment_that_is_none_is_hostile(api, market, value):
    market.answers[NETWORK] = (200, value)
    with pytest.raises(ApiHostile):
        api.deployment()


def test_errors_every_class_is_in_the_tree_of_the_docstring():
    tree = [line.split("── ")[-1].split()[0] for line in all_errors.__doc__.splitlines() if "── " in line]
    classes = [
        name
        for name, value in vars(all_errors).items()
        if getattr(value, "__module__", "") == all_errors.__name__ and isinstance(value, type)
    ]
    assert sorted([*tree, "MultitudeError"]) == sorted(classes)
