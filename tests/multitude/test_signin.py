"""Sign-in and webhooks: a text is read before it is signed, a delivery is believed only with the secret."""

import base64
import hmac
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from multitude import ApiHostile, NotSignedIn, WebhookInvalid, verify_webhook
from multitude.buyer.identity import text_digest
from multitude.buyer.signin import check_text
from protocol.blobs import blob_id
from protocol.encoding import to_hex
from protocol.signing import recover_digest
from tests.multitude.fake_market import CHAIN_ID, SECRET

NOW = 1_900_000_000


def text_of(url, address, **changes):
    fields = {
        "domain": url.partition("://")[2],
        "who": address,
        "uri": url,
        "chain": CHAIN_ID,
        "more": "",
    } | changes
    return (
        "{domain} wants you to sign in with your Ethereum account:\n{who}\n\nSign in to Multitude.\n\n"
        "URI: {uri}\nVersion: 1\nChain ID: {chain}\nNonce: abcdefgh1\nIssued At: 2030-01-01T00:00:00Z{more}"
    ).format(**fields)


@pytest.fixture
def person(client, market):
    """A market that signs in."""
    market.changes = {}

    def challenge(handler):
        handler.send(200, {"message": text_of(market.url, client.address, **market.changes), "expiresAt": NOW})

    market.answers["POST", "/v1/sign-in/challenge"] = challenge
    market.answers["POST", "/v1/sign-in"] = (200, {"token": "t0ken", "address": client.address, "expiresAt": 2**40})
    market.answers["DELETE", "/v1/sign-in"] = (204, b"")
    return client


@pytest.mark.parametrize(
    "changes",
    [
        {"domain": "bank.example"},
        {"who": "0x" + "11" * 20},
        {"uri": "https://bank.example/login"},
        {"chain": 1},
        {"more": "\nResources:\n- https://bank.example/everything"},
        {"more": "\nChain ID: 1"},
        {"more": "x" * 3_000},
    ],
)
def test_sign_in_text_that_says_something_else_is_not_signed(person, market, changes):
    market.changes = changes
    with pytest.raises(ApiHostile):
        person.sign_in()
    assert not any(path == "/v1/sign-in" for _, path, *_ in market.asked)


def test_check_text_something_that_is_no_sign_in_is_hostile(client):
    for message in ("", "I owe you everything", "x wants you to sign in"):
        with pytest.raises(ApiHostile):
            check_text(message, client.api.url, client.address, CHAIN_ID)


def test_sign_in_signs_the_text_and_keeps_the_token(person, market):
    person.sign_in()
    person.sign_in()
    sent = [json.loads(body) for _, path, body, _ in market.asked if path == "/v1/sign-in"]
    assert len(sent) == 1
    signature = bytes.fromhex(sent[0]["signature"][2:])
    assert recover_digest(text_digest(sent[0]["message"]), signature) == person.address
    person.sign_out()
    assert market.asked[-1][3]["authorization"] == "Bearer t0ken"


def test_large_blob_is_uploaded_signed_in(person, market):
    puts = []

    def put(handler):
        puts.append(handler.headers.get("authorization"))
        if puts[-1] is None:
            return handler.problem(401, "unauthorized")
        return handler.send(201)

    data = b"z" * 2_000
    market.answers["PUT", f"/v1/blobs/{to_hex(blob_id(data))}"] = put
    person.quote("0x" + "00" * 32, [data])
    assert puts == [None, "Bearer t0ken"]


def test_webhooks_of_a_stranger_are_refused(person, market):
    market.answers["POST", "/v1/sign-in"] = (401, {"code": "signature_invalid"})
    with pytest.raises(NotSignedIn):
        person.webhooks.add("https://mine.example/hook")


def test_webhooks_are_added_listed_and_removed(person, market):
    made = {"id": "w1", "url": "https://mine.example/hook", "jobId": None, "events": ["job.finished"], "active": True}
    market.answers["POST", "/v1/webhooks"] = (201, made | {"secret": SECRET})
    market.answers["GET", "/v1/webhooks"] = (200, {"webhooks": [made]})
    market.answers["GET", "/v1/webhooks/w1/deliveries"] = (200, {"deliveries": [{"id": "d1"}], "next": None})
    market.answers["DELETE", "/v1/webhooks/w1"] = (204, b"")
    assert person.webhooks.add("https://mine.example/hook", events=["job.finished"]).secret == SECRET
    assert [hook.secret for hook in person.webhooks.list()] == [None]
    assert person.webhooks.deliveries("w1") == [{"id": "d1"}]
    person.webhooks.remove("w1")
    assert all(
        headers["authorization"] == "Bearer t0ken" for *_, path, _, headers in market.asked if "webhooks" in path
    )


BODY = b'{"type":"job.finished","timestamp":"2030-01-01T00:00:00Z","data":{"jobId":"0x00"}}'


def delivery(body=BODY, name="msg_1", at=NOW, secret=SECRET):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"{name}.{at}.".encode() + body, "sha256")).decode()
    return {"Webhook-Id": name, "Webhook-Timestamp": str(at), "Webhook-Signature": f"v1,{signature}"}


def test_verify_webhook_right_signature_is_believed():
    assert verify_webhook(delivery(), BODY, SECRET, now=NOW)["data"] == {"jobId": "0x00"}
    several = delivery() | {"Webhook-Signature": "v1a,xx v1,AAAA " + delivery()["Webhook-Signature"]}
    assert verify_webhook(several, BODY, SECRET, now=NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"Webhook-Id": "msg_2"},
        {"Webhook-Id": ""},
        {"Webhook-Timestamp": str(NOW + 1)},
        {"Webhook-Timestamp": "soon"},
        {"Webhook-Signature": ""},
        {"Webhook-Signature": "v1,"},
        {"Webhook-Signature": "v1,####"},
        {"Webhook-Signature": delivery()["Webhook-Signature"].replace("v1", "v2")},
    ],
)
def test_verify_webhook_anything_changed_is_refused(change):
    with pytest.raises(WebhookInvalid):
        verify_webhook(delivery() | change, BODY, SECRET, now=NOW)


def test_verify_webhook_another_body_secret_or_time_is_refused():
    other = "whsec_" + base64.b64encode(b"another").decode()
    for given in ((BODY + b" ", SECRET, NOW), (BODY, other, NOW), (BODY, "whsec_", NOW), (BODY, SECRET, NOW + 301)):
        with pytest.raises(WebhookInvalid):
            verify_webhook(delivery(), given[0], given[1], now=given[2])
    for body in (b"[]", b"no json"):
        with pytest.raises(WebhookInvalid):
            verify_webhook(delivery(body), body, SECRET, now=NOW)


def test_verify_webhook_agrees_with_the_standards_own_library():
    now = datetime.now(UTC)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp()))}
    headers["webhook-signature"] = Webhook(SECRET).sign("msg_1", now, BODY.decode())
    assert verify_webhook(headers, BODY, SECRET)["type"] == "job.finished"
