"""Leases and receipts: only the live holder's exact work counts."""

import base64
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, update

from market.blobs.uploads import Upload
from market.blobs.uses import BlobUse
from market.jobs.models import Span
from market.leases.models import Lease as LeaseRow
from market.leases.models import Receipt as ReceiptRow
from market.leases.models import Result
from market.leases.service import expire_leases
from market.matching.tick import tick as match_tick
from market.offers.models import Offer
from market.programs.models import Program
from market.sessions.models import Device as DeviceRow
from market.settlement import build
from protocol.blobs import blob_id
from protocol.encoding import to_hex
from protocol.merkle import EMPTY_ROOT, ResultTree, TaskResult, words_root
from protocol.messages import Lease, Receipt
from protocol.money import amount_of
from protocol.output_blob import encode_outputs
from protocol.spans import SpanSet
from tests.market.world import LIMIT_WU, PRICE, TASK_WU, Device, World, key_of


@pytest.fixture
def device(world: World) -> Device:
    """A device with a job to work on."""
    made = world.device("one")
    world.open_job()
    return made


def test_lease_is_signed_by_the_settler_and_given_again_until_delivered(world: World, device: Device) -> None:
    first, again = device.lease(), device.lease()
    assert first == again
    lease = Lease.from_json(first["lease"])
    lease.check_signature(world.context.domain, bytes.fromhex(first["signature"][2:]), world.context.settler.address)
    assert first["receiptBase"] is None
    assert lease.spans == (0,)
    assert lease.post_by == lease.expiry + 120


def test_lease_price_is_the_ask_and_sizes_double_while_quick(world: World) -> None:
    device = world.device("one", price=PRICE + 5)
    world.open_job(world.bid(tasks=40, span_tasks=1))
    sizes = [len(device.do_next()["lease"]["spans"]) for _ in range(4)]
    assert sizes == [1, 2, 4, 8]
    assert device.lease()["priceWeiPerGWU"] == str(PRICE + 5)


def test_lease_ask_above_the_bid_gets_nothing(world: World) -> None:
    device = world.device("one", price=2 * PRICE + 1)
    world.open_job()
    assert device.poll().status_code == 204


def test_no_device_gets_more_than_its_share_of_a_period(world: World) -> None:
    device = world.device("one")
    job = world.open_job(world.bid(tasks=20, span_tasks=2))
    device.do_all()
    assert world.job(job)["tasks"]["accepted"] == 10


def test_leases_never_exceed_the_budget(world: World) -> None:
    devices = [world.device(f"device {i}") for i in range(3)]
    # one span of two tasks costs at most 2 * 2 GWU * PRICE, a fee of 1 % and a floor share of 5 %
    job = world.open_job(world.bid(budget=9 * PRICE))
    got = [device.poll().status_code for device in devices]
    assert sorted(got) == [200, 200, 204]
    assert world.job(job)["tasks"]["leased"] == 4


def test_heartbeat_keeps_a_lease_and_silence_hands_it_on(world: World, device: Device) -> None:
    other = world.device("two")
    grant = device.lease()
    for _ in range(3):
        world.clock.advance(9)
        assert world.http.post(device.path(grant, "heartbeat"), headers=device.headers).status_code == 204
    world.clock.advance(11)
    late = world.http.post(device.path(grant, "heartbeat"), headers=device.headers)
    assert (late.status_code, late.json()["code"]) == (409, "lease_expired")
    assert expire_leases(world.context) == 1
    assert other.poll().status_code == 204
    match_tick(world.context)
    taken = other.lease()
    assert taken["lease"]["spans"] == grant["lease"]["spans"]
    assert int(taken["lease"]["leaseId"]) > int(grant["lease"]["leaseId"])
    fenced = device.submit(grant, device.work(grant))
    assert (fenced.status_code, fenced.json()["code"]) == (409, "lease_fenced")


def test_lease_ends_at_its_signed_expiry_in_spite_of_heartbeats(world: World, device: Device) -> None:
    grant = device.lease()
    for _ in range(6):
        world.clock.advance(9)
        assert world.http.post(device.path(grant, "heartbeat"), headers=device.headers).status_code == 204
    world.clock.advance(7)
    assert device.submit(grant, device.work(grant)).json()["code"] == "lease_expired"


def test_released_lease_is_handed_on_at_once(world: World, device: Device) -> None:
    grant = device.lease()
    for _ in range(2):
        assert world.http.post(device.path(grant, "release"), headers=device.headers).status_code == 204
    assert device.submit(grant, device.work(grant)).json()["code"] == "lease_expired"
    again = device.lease()
    assert again["lease"]["spans"] == grant["lease"]["spans"]


def test_lease_of_another_device_is_not_found(world: World, device: Device) -> None:
    thief, grant = world.device("two"), device.lease()
    body = device.work(grant)
    assert thief.submit(grant, body).status_code == 404
    assert world.http.post(thief.path(grant, "release"), headers=thief.headers).status_code == 404


def test_submission_repeated_gives_the_same_answer_and_another_is_refused(world: World, device: Device) -> None:
    grant = device.lease()
    body = device.work(grant)
    for _ in range(2):
        assert world.http.post(device.path(grant, "results"), json=body, headers=device.headers).status_code == 200
    other = device.work(grant, wu=TASK_WU + 1)
    assert device.submit(grant, other).json()["code"] == "lease_fenced"
    job = grant["lease"]["jobId"]
    assert world.job(job)["tasks"]["accepted"] == 2


def test_receipts_are_cumulative(world: World, device: Device) -> None:
    first = device.do_next()
    base = device.lease()["receiptBase"]
    assert base == {"firstWord": 0, "words": ["0x" + "0" * 63 + "1"], "count": 2, "totalWU": str(2 * TASK_WU)}
    device.do_next()
    found = world.http.get(f"/v1/devices/{device.address}").json()
    assert found["unfinal_wei"] == str(len(device.results[first["lease"]["jobId"], 0]) * PRICE)


def test_receipt_of_a_closed_period_is_signed_again_under_the_next(world: World) -> None:
    one, two = world.device("one"), world.device("two")
    job = world.open_job()
    one.do_next()
    grant = two.lease()
    world.clock.advance(9)
    world.http.post(two.path(grant, "heartbeat"), headers=two.headers)
    world.clock.advance(9)
    build.tick(world.context)
    refused = two.submit(grant, two.work(grant))
    assert (refused.status_code, refused.json()["code"]) == (409, "period_closed")
    assert refused.json()["period"] == 1
    assert two.submit(grant, two.work(grant, period=1)).status_code == 200
    world.tick()
    tasks = {state: count for state, count in world.job(job)["tasks"].items() if count}
    assert tasks == {"open": 6, "accepted": 2, "committed": 2}


def test_work_past_the_deadline_is_refused(world: World) -> None:
    device = world.device("one")
    world.open_job(world.bid(deadline=int(world.clock()) + 15))
    grant = device.lease()
    world.clock.advance(8)
    world.http.post(device.path(grant, "heartbeat"), headers=device.headers)
    world.clock.advance(8)
    assert device.submit(grant, device.work(grant)).json()["code"] == "deadline_passed"
    assert device.poll().status_code == 200  # the live lease, once more
    world.http.post(device.path(grant, "release"), headers=device.headers)
    assert device.poll().status_code == 204


Receipts = dict[str, Any]
FORGERIES: list[tuple[str, dict[str, Any]]] = [
    ("job", {"job_id": bytes(32)}),
    ("device", {"device": "0x" + "11" * 20}),
    ("spans", {"spans_hash": SpanSet.of([1]).hash}),
    ("more spans", {"spans_hash": SpanSet.of([0, 1]).hash, "count": 4}),
    ("root", {"results_root": bytes(32)}),
    ("count", {"count": 3}),
    ("wu", {"total_wu": 2 * TASK_WU + 1}),
    ("squares", {"total_squared_wu": 2 * TASK_WU**2 + 1}),
    ("amount", {"amount": 2 * PRICE + 1}),
    ("less amount", {"amount": 2 * PRICE - 1}),
    ("post by", {"post_by": 2**40 - 1}),
]


@pytest.mark.parametrize(("what", "change"), FORGERIES)
def test_receipt_with_a_forged_field_is_refused(world: World, device: Device, what: str, change: Receipts) -> None:
    grant = device.lease()
    body = device.work(grant)
    receipt = replace(Receipt.from_json(body["receipt"]), **change)
    body["receipt"], body["signature"] = receipt.to_json(), to_hex(receipt.sign(world.context.domain, device.key))
    response = device.submit(grant, body)
    assert (response.status_code, response.json()["code"]) == (422, "receipt_invalid"), what
    assert world.job(grant["lease"]["jobId"])["tasks"]["accepted"] == 0


def test_receipt_signed_by_somebody_else_is_refused(world: World, device: Device) -> None:
    grant = device.lease()
    body = device.work(grant)
    body["signature"] = to_hex(Receipt.from_json(body["receipt"]).sign(world.context.domain, key_of("two")))
    assert device.submit(grant, body).json()["code"] == "receipt_invalid"


def with_results(device: Device, grant: dict[str, Any], results: list[TaskResult], outputs: list[bytes]) -> Any:
    """A submission that is consistent in itself over these results."""
    body = device.work(grant)
    tree = ResultTree(results)
    receipt = replace(
        Receipt.from_json(body["receipt"]),
        results_root=tree.root,
        total_wu=tree.total_wu,
        total_squared_wu=tree.total_squared_wu,
        amount=amount_of(tree.total_wu, PRICE),
    )
    return device.sign(receipt, results, outputs)


RESULT = TaskResult.of_output(0, b"a", TASK_WU)
SECOND = TaskResult.of_output(1, b"b", TASK_WU)


@pytest.mark.parametrize(
    ("results", "outputs"),
    [
        ([RESULT], [b"a"]),
        ([SECOND, RESULT], [b"b", b"a"]),
        ([RESULT, replace(SECOND, task_index=2)], [b"a", b"b"]),
        ([RESULT, replace(SECOND, wu=LIMIT_WU + 1)], [b"a", b"b"]),
        ([RESULT, replace(SECOND, wu=0)], [b"a", b"b"]),
        ([RESULT, replace(SECOND, status=1)], [b"a", b"b"]),
        ([RESULT, replace(SECOND, status=4)], [b"a", b"b"]),
        ([RESULT, TaskResult(1, 0, EMPTY_ROOT, TASK_WU, 1)], [b"a", b""]),
        ([RESULT, TaskResult(1, 0, words_root(b"b"), TASK_WU, 0)], [b"a", b""]),
        ([RESULT, TaskResult.of_output(1, b"c" * 65, TASK_WU)], [b"a", b"c" * 65]),
        ([RESULT, SECOND], [b"a", b"B"]),
        ([RESULT, SECOND], [b"a"]),
        ([RESULT, SECOND], [b"a", b"b\0"]),
    ],
)
def test_results_that_no_run_gives_are_refused(
    world: World, device: Device, results: list[TaskResult], outputs: list[bytes]
) -> None:
    grant = device.lease()
    response = device.submit(grant, with_results(device, grant, results, outputs))
    assert (response.status_code, response.json()["code"]) == (422, "receipt_invalid")


def test_trap_with_an_empty_output_at_the_full_limit_is_accepted(world: World, device: Device) -> None:
    grant = device.lease()
    results = [RESULT, TaskResult(1, 0, EMPTY_ROOT, LIMIT_WU, 1)]
    assert device.submit(grant, with_results(device, grant, results, [b"a", b""])).status_code == 200
    found = world.http.get(f"/v1/jobs/{grant['lease']['jobId']}/results").json()["results"][1]
    assert (found["state"], found["output"], found["status"]) == ("accepted", "0x", 1)


def test_outputs_that_were_not_uploaded_are_refused(world: World, device: Device) -> None:
    grant = device.lease()
    body = device.work(grant) | {"outputs": "0x" + "00" * 32}
    assert device.submit(grant, body).json()["code"] == "receipt_invalid"
    assert encode_outputs([]) == b"MNYO\x01\0\0\0\0"


@pytest.mark.parametrize(("state", "status"), [("posting", 422), ("committed", 422), ("dropped", 200)])
def test_receipt_beside_one_of_its_period_takes_its_row_only_where_that_was_dropped(
    world: World, device: Device, state: str, status: int
) -> None:
    device.do_next()
    grant = device.lease()
    world.clock.advance(2)
    with world.context.transaction() as session:
        session.execute(update(ReceiptRow).values(state=state))
    for known in (device.results, device.spans, device.post_by):
        known.clear()
    answer = device.submit(grant, device.work(grant))
    assert answer.status_code == status
    with world.context.sessions() as session:
        row = session.scalars(select(ReceiptRow)).one()
        lease = session.get_one(LeaseRow, (grant["lease"]["jobId"], int(grant["lease"]["leaseId"])))
        accepted = session.scalar(select(func.count()).where(Span.state == "accepted"))
        results = session.scalar(select(func.count()).where(Result.lease_id == lease.lease_id))
    if status == 200:
        assert (row.state, row.spans, row.first_accepted_at) == ("accepted", lease.spans, row.accepted_at)
        assert (lease.state, lease.receipt_id, accepted, results) == ("done", row.id, 1 + len(lease.spans), row.count)
    else:
        assert answer.json()["code"] == "receipt_invalid"
        assert (row.state, row.spans, lease.state, accepted, results) == (state, [0], "live", 1, 0)


def inline(body: dict[str, Any], blob: bytes, **changes: Any) -> dict[str, Any]:
    """The submission with its outputs along."""
    data = base64.b64encode(blob).decode()
    return body | {"outputs": to_hex(blob_id(blob)), "outputsData": data} | changes


def own_outputs(grant: dict[str, Any]) -> bytes:
    tasks = SpanSet.of(grant["lease"]["spans"]).tasks(10, 2)
    return encode_outputs([b"out %d" % task for task in tasks])


def test_outputs_that_come_along_are_stored_with_the_results(world: World, device: Device) -> None:
    grant = device.lease()
    body, blob = device.work(grant), own_outputs(grant)
    world.context.blobs.remove(body["outputs"])
    for _ in range(2):
        assert device.submit(grant, inline(body, blob)).status_code == 200
    assert world.http.get(f"/v1/blobs/{body['outputs']}").content == blob
    with world.context.sessions() as session:
        assert session.get(BlobUse, (body["outputs"], grant["lease"]["jobId"])) is not None
        assert session.get(Upload, body["outputs"]) is None


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"outputsData": "AA=="}, 422),
        ({"outputsData": "not base64!"}, 422),
        ({"outputsData": ""}, 422),
        ({"outputsData": "A" * 87_388}, 422),
        ({"outputsData": "A" * 87_389}, 422),
        ({"outputsData": 7}, 422),
        ({"next": "yes"}, 422),
    ],
)
def test_outputs_along_that_are_not_those_of_the_id_store_nothing(
    world: World, device: Device, changes: dict[str, Any], status: int
) -> None:
    grant = device.lease()
    body, blob = device.work(grant), own_outputs(grant)
    world.context.blobs.remove(body["outputs"])
    assert device.submit(grant, inline(body, blob, **changes)).status_code == status
    assert not world.context.blobs.has(body["outputs"])
    assert device.lease()["lease"] == grant["lease"]


def test_outputs_along_with_a_refused_receipt_are_not_stored(world: World, device: Device) -> None:
    grant = device.lease()
    body, blob = device.work(grant), own_outputs(grant)
    world.context.blobs.remove(body["outputs"])
    forged = inline(body, blob, receipt=body["receipt"] | {"amount": "1"})
    assert device.submit(grant, forged).json()["code"] == "receipt_invalid"
    assert not world.context.blobs.has(body["outputs"])


def test_answer_to_results_brings_the_next_lease_when_asked(world: World, device: Device) -> None:
    grant = device.lease()
    body = device.work(grant) | {"next": True}
    answer = device.submit(grant, body).json()
    assert answer["accepted"] is True
    assert answer["next"] == device.lease()
    assert answer["next"]["receiptBase"]["count"] == 2
    assert device.submit(grant, body).json() == answer


def test_answer_to_results_without_a_wish_brings_none(world: World, device: Device) -> None:
    grant = device.lease()
    assert device.submit(grant, device.work(grant)).json() == {"accepted": True, "next": None}
    assert grant["lease"]["leaseId"] == "1"


@pytest.mark.parametrize("over", ["offer", "share", "accused"])
def test_results_are_accepted_where_no_lease_can_follow(world: World, device: Device, over: str) -> None:
    grant = device.lease()
    if over == "offer":
        with world.context.transaction() as session:
            session.execute(update(Offer).values(valid_until=world.context.moment(-1)))
    elif over == "share":
        device.submit(grant, device.work(grant))
        grant = device.lease()
    else:
        with world.context.transaction() as session:
            session.execute(update(DeviceRow).values(open_games=1))
    answer = device.submit(grant, device.work(grant) | {"next": True})
    assert (answer.status_code, answer.json()) == (200, {"accepted": True, "next": None})


def test_device_that_takes_attested_programs_alone_waits_for_the_seats(world: World) -> None:
    tab = world.device("tab")
    tab.offer(attestedOnly=True)
    world.open_job()
    world.tick()
    assert tab.poll().status_code == 204
    with world.context.transaction() as session:
        session.execute(update(Program).values(attested=True))
    world.tick()
    assert tab.poll().status_code == 200


def test_stakeless_device_has_one_span_until_it_is_attested(world: World) -> None:
    device = world.device("one", stake=0)
    world.open_job(world.bid(tasks=8, span_tasks=1))
    assert device.do_all() == 1
    world.clock.advance(16)
    world.tick()
    device.open_session()
    device.offer()
    assert device.poll().status_code == 204


def test_device_with_unfinal_pay_of_its_stake_waits(world: World) -> None:
    world.chain.minimum_stake = PRICE
    device = world.device("one", stake=3 * PRICE)
    job = world.open_job(world.bid(tasks=40, span_tasks=1))
    device.do_all()
    assert world.job(job)["tasks"]["accepted"] == 3
