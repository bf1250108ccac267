"""Bodies, addresses and headers that a stranger may send: each is answered with a problem, none with a failure."""

import json
from typing import Any

import pytest

from market.guard import JSON_DEPTH_MAX, SMALL_BODY_BYTES, BodyInvalid, strict_json
from market.limits import RateLimits, caller_of
from market.problems import TEXT_MAX
from protocol.blobs import blob_id
from protocol.encoding import to_hex
from tests.market.world import START, World, key_of

HASH = "0x" + "11" * 32
SIGNATURE = "0x" + "22" * 65
JSON = {"Content-Type": "application/json"}
CALLS = [
    ("POST", "/v1/jobs"),
    ("POST", "/v1/devices"),
    ("POST", "/v1/sessions"),
    ("POST", "/v1/programs"),
    ("POST", "/v1/quotes"),
    ("POST", "/v1/sign-in"),
    ("POST", "/v1/sign-in/challenge"),
    ("PUT", "/v1/offers"),
    ("POST", f"/v1/leases/{HASH}/1/results"),
]


def code_of(response: Any) -> tuple[int, str]:
    """Status and code of a problem, which every answer above 399 has to be."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    return response.status_code, response.json()["code"]


def session_body(world: World, name: str = "stranger", **changes: Any) -> dict[str, Any]:
    """A good request for a session, with changed JSON fields of the message (not signed again)."""
    from protocol.messages import Session
    from protocol.signing import address_of

    message = Session(address_of(key_of(name)), int(START), bytes(31) + name.encode()[-1:])
    signature = to_hex(message.sign(world.context.domain, key_of(name)))
    return {"session": message.to_json() | changes, "signature": signature}


UNREADABLE = [
    b"",
    b"{",
    b"\xff\xfe{\x00}\x00",
    b'{"a": NaN}',
    b'{"a": Infinity}',
    b'{"a": 1, "a": 2}',
    b'{"a": "\\u0000"}',
    b'{"a": "\\ud800"}',
    b'{"\\udfff": 1}',
    b'{"a": "\xed\xa0\x80"}',
    b'{"a": ' + b"9" * 5_000 + b"}",
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 990 + b"1" + b"}" * 990,
    b"[" * (JSON_DEPTH_MAX + 2) + b"]" * (JSON_DEPTH_MAX + 2),
    b"\xef\xbb\xbf{}",
]


@pytest.mark.parametrize("body", UNREADABLE[1:])
def test_strict_json_of_what_is_ambiguous_or_cannot_be_stored_is_refused(body: bytes) -> None:
    with pytest.raises(BodyInvalid):
        strict_json(body)


def test_strict_json_of_json_is_its_value() -> None:
    value = {"a": [1, 2.5, None, True, {"b": "\U0001f600 é"}], "c": "x" * 1000}
    assert strict_json(json.dumps(value).encode()) == value
    assert strict_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", range(len(UNREADABLE)))
def test_unreadable_body_is_a_problem(shared: World, call: tuple[str, str], body: int) -> None:
    response = shared.http.request(*call, content=UNREADABLE[body], headers=JSON)
    assert code_of(response)[0] in (400, 401, 422)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "a/b/c;;"]
)
def test_wrong_content_type_is_a_problem(shared: World, kind: str) -> None:
    body = json.dumps(session_body(shared)).encode()
    assert code_of(shared.http.post("/v1/sessions", content=body, headers={"Content-Type": kind}))[0] == 422


NUMBERS: list[Any] = [
    -1, 2**256, 2**40, 10**400, 1.5, 1e300, "1", "-1", "0x1", "1e3", "٣", " 1", "01", "", True, None, [], {}, "9" * 79,
    "x" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("value", range(len(NUMBERS)))
def test_wrong_numbers_in_messages_are_problems(shared: World, value: int) -> None:
    body = session_body(shared, issuedAt=NUMBERS[value])
    response = shared.http.post("/v1/sessions", json=body)
    assert code_of(response) in ((422, "request_invalid"), (400, "request_malformed")), response.text
    assert len(response.content) < 4 * TEXT_MAX + 2_000


BID = ["taskCount", "spanTasks", "taskLimitWU", "budget", "maxPriceWeiPerGWU", "minStake", "deadline", "maxFeePpm"]


@pytest.mark.parametrize("name", BID)
def test_wrong_numbers_in_bids_are_problems(shared: World, name: str) -> None:
    good = shared.bid().to_json()
    for value in NUMBERS:
        if value == "1" and isinstance(good[name], str):
            continue
        body = {"bid": good | {name: value}, "signature": SIGNATURE}
        assert code_of(shared.http.post("/v1/jobs", json=body))[0] in (400, 422), value


def test_bids_of_the_greatest_numbers_are_no_failures(shared: World) -> None:
    shared.add_program()
    greatest = {"max_price_wei_per_gwu": 2**128 - 1, "budget": 2**128 - 1, "min_stake": 2**128 - 1}
    for change in (greatest, {"task_limit_wu": 2**64 - 1}, {"deadline": 2**40 - 1}, {"max_output_bytes": 2**32 - 1}):
        response = shared.post_job(shared.bid(salt=bytes([len(change)]) * 32, **change))
        assert response.status_code in (202, 422), response.text


def test_text_of_the_caller_comes_back_cut(shared: World) -> None:
    body = {"x" * 200_000: 1, "bid": {}, "signature": "0x"}
    response = shared.http.post("/v1/jobs", json=body)
    assert code_of(response)[0] == 422
    assert len(response.content) < 20 * TEXT_MAX


def test_body_above_its_limit_is_refused_and_results_may_be_larger(shared: World) -> None:
    big = b'"' + b"x" * SMALL_BODY_BYTES + b'"'
    assert code_of(shared.http.post("/v1/jobs", content=big, headers=JSON)) == (413, "body_too_large")
    assert code_of(shared.http.post(f"/v1/leases/{HASH}/1/results", content=big, headers=JSON))[0] in (401, 422)
    bigger = b'"' + b"x" * shared.context.settings.body_max_bytes + b'"'
    assert code_of(shared.http.post(f"/v1/leases/{HASH}/1/results", content=bigger, headers=JSON))[0] == 413


PATHS = [
    "/v1/jobs/..%2f..%2fetc",
    "/v1/jobs/%2e%2e",
    "/v1/jobs/0x" + "11" * 32 + "%00",
    "/v1/jobs/0x" + "11" * 32 + "%0a",
    "/v1/jobs/0x" + "11" * 31 + "1%ff",
    "/v1/jobs/" + "1" * 5_000,
    "/v1/jobs/0x" + "AA" * 32,
    "/v1/jobs/%ed%a0%80",
    "http://testserver//v1/jobs",
    "/v1//jobs",
    "/v1/jobs/",
    "/v1/blobs/..%2f..%2f..%2fetc%2fpasswd",
    "/v1/blobs/file:%2f%2f%2fetc%2fpasswd",
    "/v1/devices/0x" + "zz" * 20,
    "/v1/devices/%00",
    "/v1/epochs/-1",
    "/v1/epochs/" + "9" * 30,
    "/v1/epochs/1e3",
    "/v1/epochs/٣",
    "/static-offline-docs/..%2f..%2fcore.py",
    "/static-offline-docs/%2e%2e/core.py",
]


@pytest.mark.parametrize("path", PATHS)
def test_path_tricks_are_not_found(shared: World, path: str) -> None:
    assert code_of(shared.http.get(path))[0] in (404, 422)


QUERIES = [
    "/v1/jobs?cursor=-1",
    "/v1/jobs?cursor=9223372036854775808",
    "/v1/jobs?cursor=" + "9" * 5_000,
    "/v1/jobs?cursor=1.5",
    "/v1/jobs?cursor=%00",
    "/v1/jobs?limit=1000000",
    "/v1/jobs?buyer=0x%00",
    "/v1/jobs?buyer=0x" + "11" * 20 + "%0a",
    f"/v1/jobs/{HASH}/results?cursor=-1",
    f"/v1/jobs/{HASH}/results?limit=0",
    f"/v1/jobs/{HASH}/results?limit=NaN",
    "/v1/programs?cursor=-5",
    "/v1/epochs?limit=101",
    "/v1/epochs?cursor=" + "9" * 40,
]


@pytest.mark.parametrize("url", QUERIES)
def test_cursors_and_limits_out_of_range_are_problems(shared: World, url: str) -> None:
    assert code_of(shared.http.get(url)) == (422, "request_invalid") or "/jobs/0x" in url


def test_cursors_past_the_end_are_empty_pages(shared: World) -> None:
    assert shared.http.get("/v1/jobs?cursor=0").json() == {"jobs": [], "next": None}
    assert shared.http.get(f"/v1/programs?cursor={2**62}").status_code == 200
    assert shared.http.get(f"/v1/epochs?cursor={2**62}").json() == {"epochs": [], "next": None}


@pytest.mark.parametrize("key", ["", "a" * 129, "a b", "a\tb", "\x7f", "é", "a\x00"])
def test_idempotency_keys_of_strange_characters_are_refused(shared: World, key: str) -> None:
    headers = [("Idempotency-Key", key.encode("latin-1"))]
    response = shared.http.post(
        "/v1/jobs", json={"bid": shared.bid().to_json(), "signature": SIGNATURE}, headers=headers
    )
    assert code_of(response) == (422, "request_invalid")


def test_idempotency_key_of_somebody_else_takes_nothing_from_its_owner(world: World) -> None:
    world.add_program()
    mine = world.post_job(world.bid(), **{"Idempotency-Key": "k"})
    theirs = world.bid(salt=bytes([1]) * 32)
    assert code_of(world.post_job(theirs, **{"Idempotency-Key": "k"})) == (409, "idempotency_conflict")
    again = world.post_job(world.bid(), **{"Idempotency-Key": "k"})
    assert (mine.status_code, again.status_code) == (202, 202)
    assert mine.json()["jobId"] == again.json()["jobId"]


@pytest.mark.parametrize("value", ["-1", "1.5", "x", "9" * 21, "9223372036854775808", "٣", "1\x00"])
def test_event_ids_that_no_stream_gave_are_problems(world: World, value: str) -> None:
    job = world.open_job()
    headers = [("Last-Event-ID", value.encode())]
    assert code_of(world.http.get(f"/v1/jobs/{job}/events", headers=headers)) == (422, "request_invalid")


@pytest.mark.parametrize(
    "value",
    [
        "Bearer",
        "Bearer ",
        "Bearer x" + "y" * 5_000,
        "Basic eDp5",
        "bearer \x00",
        "Bearer a b",
        "Token x",
        "Bearer \xff\xfe",
    ],
)
def test_strange_tokens_are_unauthorized(shared: World, value: str) -> None:
    headers = [("Authorization", value.encode("latin-1"))]
    assert code_of(shared.http.post("/v1/leases/next?wait=0", headers=headers))[0] == 401


def test_heads_of_many_headers_or_bytes_are_refused(shared: World) -> None:
    many = [(f"X-{i}", "a") for i in range(101)]
    assert code_of(shared.http.get("/healthz", headers=many)) == (431, "head_too_large")
    assert code_of(shared.http.get("/healthz", headers={"X": "a" * 16_384})) == (431, "head_too_large")
    assert code_of(shared.http.get("/healthz?" + "a" * 16_384)) == (431, "head_too_large")


def test_wait_of_no_number_is_refused(shared: World) -> None:
    headers = shared.device("waits").headers
    for wait in ("NaN", "inf", "-1", "61", "1e400", "x"):
        assert code_of(shared.http.post(f"/v1/leases/next?wait={wait}", headers=headers)) == (422, "request_invalid")


def test_offers_of_extreme_numbers_are_kept_or_refused(shared: World) -> None:
    device = shared.device("extreme")
    for change in (
        {"nsPerWU": 5e-324},
        {"nsPerWU": 1e9 - 1},
        {"minPriceWeiPerGWU": "9" * 39},
        {"programs": [HASH] * 1000},
    ):
        assert device.offer(**change).status_code in (200, 422)  # type: ignore[arg-type]
    for change in ({"nsPerWU": 0}, {"nsPerWU": 1e9}, {"minPriceWeiPerGWU": "1" * 40}, {"programs": [HASH] * 1001}):
        assert device.offer(**change).status_code == 422  # type: ignore[arg-type]
    device.offer()


@pytest.mark.parametrize(
    "replayed", [{"nonce": 1}, {"issued_at": 0}, {"issued_at": 2**40 - 1}, {"issued_at": int(START) + 61}]
)
def test_session_replayed_stale_or_of_the_future_is_refused(world: World, replayed: dict[str, Any]) -> None:
    device = world.device("one")
    if "nonce" in replayed:
        assert code_of(device.open_session(nonce=world.nonces.to_bytes(32, "big"))) == (409, "nonce_used")
    else:
        assert code_of(device.open_session(**replayed)) == (401, "session_stale")


def test_messages_signed_for_another_chain_or_by_another_key_are_refused(shared: World) -> None:
    from dataclasses import replace

    from protocol.messages import Bid, Session

    body = session_body(shared)
    other = replace(shared.context.domain, chain_id=shared.context.domain.chain_id + 1)
    message = Session.from_json(body["session"])
    for signature in (message.sign(other, key_of("stranger")), message.sign(shared.context.domain, key_of("thief"))):
        answer = shared.http.post("/v1/sessions", json=body | {"signature": to_hex(signature)})
        assert code_of(answer) == (422, "message_invalid")
    bid = shared.bid()
    assert isinstance(bid, Bid)
    body = {"bid": bid.to_json(), "signature": to_hex(bid.sign(other, key_of("buyer")))}
    assert code_of(shared.http.post("/v1/jobs", json=body))[0] == 422


def test_signatures_that_are_another_form_of_the_same_are_refused(shared: World) -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    body = session_body(shared)
    good = bytes.fromhex(body["signature"][2:])
    high = good[:32] + (order - int.from_bytes(good[32:64], "big")).to_bytes(32, "big") + bytes([55 - good[64]])
    for forged in (high, good[:64] + bytes([good[64] - 27]), bytes(65), good[:32] + bytes(32) + good[64:]):
        answer = shared.http.post("/v1/sessions", json=body | {"signature": to_hex(forged)})
        assert code_of(answer) == (422, "message_invalid")


def test_values_that_only_the_database_refuses_are_problems(shared: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy import text

    from market.network import routes

    for statement in ("select cast('x' as integer)", "select 2147483647 + 1"):
        monkeypatch.setattr(routes, "text", lambda _, s=statement: text(s))
        assert code_of(shared.http.get("/readyz")) == (422, "request_invalid")


@pytest.mark.parametrize(
    ("host", "caller"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_caller_of_an_address_is_its_subscriber(host: str, caller: str) -> None:
    assert caller_of({"client": (host, 1)}) == caller
    assert caller_of({"client": None}) == "unknown"


def test_forwarded_headers_do_not_change_whom_limits_count(world: World, valkey_url: str) -> None:
    world.context.limits = RateLimits(valkey_url, 1)
    body = {"programId": HASH, "manifest": HASH}
    answers = [
        world.http.post(
            "/v1/quotes", json=body, headers={"X-Forwarded-For": f"10.0.0.{i}", "Forwarded": f"for=10.0.0.{i}"}
        )
        for i in range(21)
    ]
    assert code_of(answers[-1]) == (429, "rate_limited")


def test_requests_of_any_kind_are_counted(world: World, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("market.limits", fromlist=["RULES"]).RULES, "any", "5/minute")
    world.context.limits = RateLimits(valkey_url, 1)
    answers = [world.http.get("/healthz") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[-1].headers["retry-after"] == "60"
    assert code_of(answers[-1]) == (429, "rate_limited")


def test_settlers_transactions_for_strangers_are_bounded_for_all_together(
    world: World, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from market import limits
    from market.problems import Problem

    monkeypatch.setitem(limits.SHARED_RULES, "device", "3/hour")
    rates = RateLimits(valkey_url, 1)
    request = type("Asked", (), {})
    for i in range(4):
        request.scope = {"client": (f"192.0.2.{i}", 1)}  # type: ignore[attr-defined]
        if i < 3:
            rates.check(request, "device")  # type: ignore[arg-type]
        else:
            with pytest.raises(Problem, match="rate_limited"):
                rates.check(request, "device")  # type: ignore[arg-type]


def test_blob_of_deeply_nested_json_as_manifest_is_a_problem(shared: World) -> None:
    shared.add_program()
    for data in (b"[" * 100_000, b'{"inputs":' * 900 + b"1" + b"}" * 900, b"9" * 5_000, b"NaN", b"\xff"):
        name = shared.put_blob(data)
        assert name == to_hex(blob_id(data))
        body = shared.bid(manifest=blob_id(data))
        assert code_of(shared.post_job(body)) == (422, "message_invalid")
