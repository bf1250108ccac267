"""What a device may hand in that is not its own, not now, or not true. The forged fields of a receipt are in
tests/market/test_leases.py; here are whole messages in the wrong place."""

from dataclasses import replace
from typing import Any

import pytest

from market.settlement import build
from protocol.encoding import to_hex
from protocol.messages import Receipt
from tests.market.world import PRICE, Device, World, key_of


@pytest.fixture
def device(world: World) -> Device:
    """A device with a job to work on."""
    made = world.device("one")
    world.open_job(world.bid(tasks=12, span_tasks=1))
    return made


def code_of(response: Any) -> tuple[int, str]:
    """Status and code of a problem."""
    return response.status_code, response.json()["code"]


def signed(world: World, signer: Device, body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The body with a changed receipt, signed again by the device."""
    receipt = replace(Receipt.from_json(body["receipt"]), **changes)
    return body | {"receipt": receipt.to_json(), "signature": to_hex(receipt.sign(world.context.domain, signer.key))}


def test_lease_of_another_device_can_be_neither_delivered_nor_kept_nor_released(world: World, device: Device) -> None:
    thief, grant = world.device("two"), device.lease()
    body = device.work(grant)
    as_thief = signed(world, thief, body, device=thief.address)
    for stolen in (body, as_thief):
        assert code_of(thief.submit(grant, stolen)) == (404, "not_found")
    for what in ("heartbeat", "release"):
        assert code_of(world.http.post(thief.path(grant, what), headers=thief.headers)) == (404, "not_found")
    assert device.submit(grant, body).status_code == 200


def test_results_of_one_lease_under_the_address_of_another_are_refused(world: World, device: Device) -> None:
    first = device.lease()
    body = device.work(first)
    assert device.submit(first, body).status_code == 200
    second = device.lease()
    assert device.submit(second, body).status_code == 422
    assert world.job(first["lease"]["jobId"])["tasks"]["accepted"] == 1


def test_lease_that_never_was_is_not_found(world: World, device: Device) -> None:
    grant = device.lease()
    body = device.work(grant)
    for lease in (2**63 - 1, 99):
        path = f"/v1/leases/{grant['lease']['jobId']}/{lease}/results"
        assert code_of(world.http.post(path, json=body, headers=device.headers)) == (404, "not_found")
    path = f"/v1/leases/0x{'00' * 32}/1/results"
    assert code_of(world.http.post(path, json=body, headers=device.headers)) == (404, "not_found")


@pytest.mark.parametrize("period", [1, 7, 2**32 - 1])
def test_receipt_of_a_future_period_is_refused(world: World, device: Device, period: int) -> None:
    grant = device.lease()
    refused = device.submit(grant, signed(world, device, device.work(grant), period=period))
    assert code_of(refused) == (409, "period_closed")
    assert refused.json()["period"] == 0


def test_receipt_of_an_older_period_is_refused_after_its_epoch(world: World, device: Device) -> None:
    device.do_next()
    world.clock.advance(16)
    build.tick(world.context)
    device.open_session()
    device.offer()
    grant = device.lease()
    assert grant["period"] == 1
    body = device.work(grant, period=0)
    assert code_of(device.submit(grant, body)) == (409, "period_closed")
    assert device.submit(grant, device.work(grant)).status_code == 200


def test_receipt_replayed_after_its_lease_is_done_changes_nothing(world: World, device: Device) -> None:
    grant = device.lease()
    body = device.work(grant)
    assert device.submit(grant, body).status_code == 200
    before = world.http.get(f"/v1/devices/{device.address}").json()
    for _ in range(3):
        assert device.submit(grant, body).status_code == 200
    assert world.http.get(f"/v1/devices/{device.address}").json() == before
    assert before["unfinal_wei"] == str(PRICE)


def test_receipt_signed_on_another_chain_or_for_another_escrow_is_refused(world: World, device: Device) -> None:
    grant = device.lease()
    body = device.work(grant)
    receipt, domain = Receipt.from_json(body["receipt"]), world.context.domain
    others = (replace(domain, chain_id=domain.chain_id + 1), replace(domain, verifying_contract="0x" + "11" * 20))
    for other in others:
        forged = body | {"signature": to_hex(receipt.sign(other, device.key))}
        assert code_of(device.submit(grant, forged)) == (422, "receipt_invalid")


def test_receipt_that_leaves_out_what_was_accepted_before_is_refused(world: World, device: Device) -> None:
    device.do_next()
    grant = device.lease()
    device.results.clear()
    device.spans.clear()
    device.post_by.clear()
    assert code_of(device.submit(grant, device.work(grant))) == (422, "receipt_invalid")


def test_expired_lease_is_refused_even_with_true_work(world: World, device: Device) -> None:
    grant = device.lease()
    body = device.work(grant)
    world.clock.advance(11)
    assert code_of(device.submit(grant, body)) == (409, "lease_expired")


@pytest.mark.parametrize("row", [[0], [0, "1", "0x", "1", 0], ["0"] * 5, [0] * 6, [-1, "1", "0x" + "00" * 32, "1", 0]])
def test_rows_of_another_form_are_refused(world: World, device: Device, row: list[Any]) -> None:
    grant = device.lease()
    body = device.work(grant) | {"results": [row]}
    assert device.submit(grant, body).status_code == 422


def test_rows_of_results_past_every_range_are_refused(world: World, device: Device) -> None:
    grant = device.lease()
    body = device.work(grant)
    good = body["results"][0]
    for place, values in (
        (0, [2**32, 2**70, 5]),
        (1, [str(2**64), "-1", 2**64]),
        (3, [str(2**64), "0", -1]),
        (4, [256]),
    ):
        for value in values:
            row = [*good[:place], value, *good[place + 1 :]]
            assert device.submit(grant, body | {"results": [row]}).status_code == 422, (place, value)
    many = body | {"results": [good] * 65_537}
    assert device.submit(grant, many).status_code == 422


def test_session_of_one_device_signs_for_no_other(world: World, device: Device) -> None:
    grant = device.lease()
    body = device.work(grant)
    receipt = Receipt.from_json(body["receipt"])
    forged = body | {"signature": to_hex(receipt.sign(world.context.domain, key_of("two")))}
    assert code_of(device.submit(grant, forged)) == (422, "receipt_invalid")


def test_session_that_is_over_is_unauthorized(world: World, device: Device) -> None:
    grant = device.lease()
    body = device.work(grant)
    world.clock.advance(world.context.settings.session_seconds + 1)
    assert code_of(device.submit(grant, body)) == (401, "session_expired")


def test_stranger_without_an_owner_waits_for_no_lease(world: World) -> None:
    stranger = Device(world, "stranger")
    stranger.open_session()
    stranger.offer()
    response = world.http.post("/v1/leases/next?wait=25", headers=stranger.headers)
    assert code_of(response) == (409, "device_unbound")
