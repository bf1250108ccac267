"""Signing in with Ethereum: one message, one address, one market, one use."""

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from siwe import SiweMessage
from sqlalchemy import select

from market.people.models import PersonSession
from market.people.service import _digest
from protocol.encoding import to_hex
from protocol.signing import address_of
from tests.market.world import START, World, key_of

WALLET = "0x" + "11" * 20


def challenge(world: World, address: str) -> str:
    response = world.http.post("/v1/sign-in/challenge", json={"address": address})
    assert response.status_code == 200, response.text
    assert response.json()["expiresAt"] == int(world.clock()) + 300
    return str(response.json()["message"])


def signed(message: str, name: str) -> str:
    return to_hex(bytes(Account.sign_message(encode_defunct(text=message), key_of(name)).signature))


def attempt(world: World, message: str, signature: str) -> tuple[int, str | None]:
    response = world.http.post("/v1/sign-in", json={"message": message, "signature": signature})
    return response.status_code, response.json().get("code")


def sign_in(world: World, name: str) -> dict[str, str]:
    message = challenge(world, address_of(key_of(name)))
    body = world.http.post("/v1/sign-in", json={"message": message, "signature": signed(message, name)}).json()
    return {"Authorization": f"Bearer {body['token']}"}


def test_message_names_this_market_its_chain_and_a_nonce(world: World) -> None:
    buyer = address_of(key_of("buyer"))
    parsed = SiweMessage.from_message(challenge(world, buyer.lower()))
    assert (parsed.domain, parsed.address, parsed.chain_id) == ("127.0.0.1:8000", buyer, 31337)
    assert parsed.nonce != SiweMessage.from_message(challenge(world, buyer)).nonce


def test_message_that_was_never_given_is_refused(world: World) -> None:
    message = challenge(world, address_of(key_of("buyer")))
    changes = [
        ("31337", "1"),
        ("127.0.0.1", "evil.example"),
        ("Nonce: ", "Nonce: x"),
        ("Issued At: 20", "Issued At: 21"),
    ]
    for old, new in changes:
        other = message.replace(old, new)
        assert other != message
        assert attempt(world, other, signed(other, "buyer")) == (401, "challenge_unknown")
    assert attempt(world, "x", "0x") == (401, "challenge_unknown")


@pytest.mark.parametrize("signature", ["other", "short", "empty", "zero", "long"])
def test_message_signed_by_nobody_or_another_is_refused_and_stays_good(world: World, signature: str) -> None:
    message = challenge(world, address_of(key_of("buyer")))
    made = {
        "other": signed(message, "thief"), "short": signed(message, "buyer")[:-2], "empty": "0x",
        "zero": "0x" + "00" * 65, "long": "0x" + "11" * 4096,
    }  # fmt: skip
    assert attempt(world, message, made[signature]) == (401, "signature_invalid")
    assert attempt(world, message, signed(message, "buyer"))[0] == 200


def test_message_used_once_is_used_up(world: World) -> None:
    message = challenge(world, address_of(key_of("buyer")))
    assert attempt(world, message, signed(message, "buyer"))[0] == 200
    assert attempt(world, message, signed(message, "buyer")) == (401, "challenge_unknown")


def test_message_signed_too_late_is_refused(world: World) -> None:
    message = challenge(world, address_of(key_of("buyer")))
    world.clock.advance(300)
    assert attempt(world, message, signed(message, "buyer")) == (401, "sign_in_expired")


def test_message_of_a_market_that_moved_is_refused(world: World) -> None:
    message = challenge(world, address_of(key_of("buyer")))
    world.context.settings = world.context.settings.model_copy(update={"public_url": "https://other.example"})
    assert attempt(world, message, signed(message, "buyer")) == (401, "sign_in_mismatch")


def test_wallet_that_is_a_contract_signs_in(world: World) -> None:
    message = challenge(world, WALLET)
    assert attempt(world, message, "0x1234") == (401, "signature_invalid")
    world.chain.wallets[WALLET] = (_digest(message), b"\x12\x34")
    assert attempt(world, message, "0x1235") == (401, "signature_invalid")
    assert attempt(world, message, "0x1234")[0] == 200


def test_token_is_a_persons_until_it_signs_out_or_time_is_over(world: World) -> None:
    headers, other = sign_in(world, "buyer"), sign_in(world, "buyer")
    body = world.http.get("/v1/sign-in", headers=headers).json()
    assert body == {"address": address_of(key_of("buyer")), "expiresAt": int(START) + 86_400}
    assert world.http.delete("/v1/sign-in", headers=headers).status_code == 204
    assert world.http.get("/v1/sign-in", headers=headers).json()["code"] == "session_expired"
    assert world.http.get("/v1/sign-in", headers=other).status_code == 200
    world.clock.advance(86_400)
    assert world.http.get("/v1/sign-in", headers=other).json()["code"] == "session_expired"
    assert world.http.get("/v1/sign-in").json()["code"] == "unauthorized"


def test_tokens_of_devices_and_people_are_not_each_others(world: World) -> None:
    person, device = sign_in(world, "buyer"), world.device("one").headers
    assert world.http.get("/v1/sign-in", headers=device).status_code == 401
    assert world.http.put("/v1/offers", json={"minPriceWeiPerGWU": "1"}, headers=person).status_code == 401


def test_tokens_are_not_kept_in_sql(world: World) -> None:
    token = sign_in(world, "buyer")["Authorization"].removeprefix("Bearer ")
    with world.context.sessions() as session:
        rows = [row.token_hash for row in session.scalars(select(PersonSession))]
    assert len(rows) == 1
    assert token not in rows[0]
