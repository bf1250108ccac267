"""Sessions and bindings: what is not signed, stale, replayed or of another chain is refused."""

import pytest

from protocol.encoding import to_hex
from protocol.messages import Domain, Session
from protocol.signing import address_of
from tests.market.world import START, Device, World, key_of


@pytest.mark.parametrize("issued_at", [int(START) - 61, int(START) + 61])
def test_session_stale_is_refused(world: World, issued_at: int) -> None:
    response = Device(world, "one").open_session(issued_at=issued_at)
    assert (response.status_code, response.json()["code"]) == (401, "session_stale")
    assert response.headers["content-type"] == "application/problem+json"


def test_session_nonce_replayed_is_refused(world: World) -> None:
    device = Device(world, "one")
    assert device.open_session(nonce=bytes(32)).status_code == 200
    response = device.open_session(nonce=bytes(32))
    assert (response.status_code, response.json()["code"]) == (409, "nonce_used")
    assert Device(world, "two").open_session(nonce=bytes(32)).status_code == 200


@pytest.mark.parametrize("change", ["chain", "contract", "signer", "high s", "short"])
def test_session_signature_of_something_else_is_refused(world: World, change: str) -> None:
    domain, key = world.context.domain, key_of("one")
    message = Session(address_of(key), int(START), bytes(32))
    other = {"chain": Domain(1, domain.verifying_contract), "contract": Domain(31337, "0x" + "11" * 20)}.get(
        change, domain
    )
    signature = message.sign(other, key_of("two") if change == "signer" else key)
    if change == "high s":
        order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
        s = order - int.from_bytes(signature[32:64], "big")
        signature = signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])
    body = {"session": message.to_json(), "signature": to_hex(signature[:64] if change == "short" else signature)}
    response = world.http.post("/v1/sessions", json=body)
    assert response.status_code == 422, response.text
    assert response.json()["code"] in ("message_invalid", "request_invalid")


def test_session_over_is_refused(world: World) -> None:
    device = world.device("one")
    assert device.offer().is_success, "a session that the process knows"
    world.clock.advance(901)
    response = device.offer()
    assert (response.status_code, response.json()["code"]) == (401, "session_expired")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}])
def test_device_call_without_a_session_is_refused(world: World, headers: dict[str, str]) -> None:
    for call in (
        world.http.put("/v1/offers", json={"minPriceWeiPerGWU": "1"}, headers=headers),
        world.http.post("/v1/leases/next?wait=0", headers=headers),
        world.http.post(f"/v1/leases/0x{'00' * 32}/1/heartbeat", headers=headers),
    ):
        assert call.status_code == 401, call.text


def test_binding_is_relayed_once_and_another_owner_is_refused(world: World) -> None:
    device = Device(world, "one")
    assert device.bind(key_of("owner")).status_code == 202
    assert device.bind(key_of("owner")).status_code == 202
    assert device.bind(key_of("thief")).json()["code"] == "device_bound"
    assert len(world.chain.queued("bind")) == 1
    world.tick()
    body = world.http.get(f"/v1/devices/{device.address}").json()
    assert body == {
        "address": device.address, "owner": address_of(key_of("owner")), "stake_wei": "0", "bound": True,
        "convicted": False, "unfinal_wei": "0",
    }  # fmt: skip


def test_binding_without_the_owners_signature_is_refused(world: World) -> None:
    device = Device(world, "one")
    from protocol.messages import Binding

    binding = Binding(device.address, address_of(key_of("owner")))
    mine = to_hex(binding.sign(world.context.domain, device.key))
    body = {"binding": binding.to_json(), "deviceSignature": mine, "ownerSignature": mine}
    assert world.http.post("/v1/devices", json=body).json()["code"] == "message_invalid"
    assert not world.chain.queued("bind")


def test_unbound_device_gets_no_lease_until_the_chain_has_bound_it(world: World) -> None:
    device = Device(world, "one")
    device.open_session()
    assert device.poll().json()["code"] == "no_offer"
    device.offer()
    world.open_job()
    assert (device.poll().status_code, device.poll().json()["code"]) == (409, "device_unbound")
    device.bind(key_of("owner"))
    world.tick()
    assert device.poll().status_code == 200
