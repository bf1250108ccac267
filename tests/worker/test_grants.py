import json
from dataclasses import replace

import pytest

from protocol.encoding import ZERO_ADDRESS
from protocol.errors import EncodingInvalid, ProtocolError
from protocol.messages import Bid
from protocol.signing import address_of
from tests.worker.fake_market import (
    BUYER,
    DEVICE,
    DOMAIN,
    NETWORK,
    OTHER,
    PRICE,
    SETTLER,
    START,
    inputs_of,
    make_bid,
    make_grant,
)
from worker.errors import LeaseRefused
from worker.grants import BID_SIGNATURE_BYTES_MAX, Grant, Network, Terms, check_grant

BID = make_bid(inputs_of(10))
TERMS = Terms(address_of(DEVICE), PRICE, 4)


def refusal(grant: Grant, terms: Terms = TERMS, now: float = START) -> str:
    with pytest.raises(LeaseRefused) as caught:
        check_grant(grant, NETWORK, terms, now)
    return caught.value.reason


def test_lease_signed_by_somebody_else_is_refused():
    grant = make_grant(BID)
    assert "signed by" in refusal(replace(grant, signature=grant.lease.sign(DOMAIN, OTHER)))


def test_lease_signed_by_the_networks_settler_on_anothers_bid_is_refused():
    bid = make_bid(inputs_of(10), settler=address_of(OTHER))
    assert "signed by" in refusal(make_grant(bid))


def test_lease_of_another_network_is_refused():
    grant = make_grant(BID)
    elsewhere = replace(DOMAIN, chain_id=1)
    assert "signed by" in refusal(replace(grant, signature=grant.lease.sign(elsewhere, SETTLER)))


def test_bid_signature_past_the_markets_bound_is_refused():
    value = make_grant(BID).to_json() | {"bidSignature": "0x" + "ab" * (BID_SIGNATURE_BYTES_MAX + 1)}
    with pytest.raises(EncodingInvalid, match="bidSignature"):
        Grant.from_json(value)


def test_bid_signature_of_a_contract_wallet_is_for_the_escrow_to_judge():
    value = make_grant(BID).to_json() | {"bidSignature": "0x" + "ab" * BID_SIGNATURE_BYTES_MAX}
    check_grant(Grant.from_json(value), NETWORK, TERMS, START)


@pytest.mark.parametrize("field", [field.name for field in Bid.fields])
def test_bid_with_any_field_changed_is_refused(field):
    grant = make_grant(BID)
    value = getattr(BID, field)
    changed = {int: lambda v: v + 1, bytes: lambda v: bytes([v[0] ^ 1]) + v[1:], str: lambda _: address_of(OTHER)}
    forged = replace(BID, **{field: changed[type(value)](value)})
    refusal(replace(grant, bid=forged, bid_signature=forged.sign(DOMAIN, OTHER)))
    refusal(replace(grant, bid=forged))


def test_program_other_than_the_bids_is_refused():
    grant = make_grant(BID)
    assert "program" in refusal(replace(grant, program=replace(grant.program, limit_wu=2)))


def test_lease_for_another_device_is_refused():
    assert "is for" in refusal(make_grant(BID, device=address_of(OTHER)))


def test_price_below_the_devices_is_refused():
    assert "asks" in refusal(make_grant(BID, price_wei_per_gwu=PRICE - 1))


def test_price_above_the_bids_is_refused():
    assert "above the bid" in refusal(make_grant(BID, price_wei_per_gwu=PRICE + 1))


def test_program_larger_than_the_devices_memory_is_refused():
    assert "memory" in refusal(make_grant(BID), Terms(address_of(DEVICE), 0, 0))


def test_task_limit_above_the_programs_is_refused():
    assert "limit" in refusal(make_grant(make_bid(inputs_of(10), task_limit_wu=1_000_001)))


@pytest.mark.parametrize(
    ("spans", "reason"), [((), "0 spans"), ((0, 0), "repeated"), ((3,), "of 3"), (range(65), "65")]
)
def test_spans_that_are_none_repeated_outside_or_too_many_are_refused(spans, reason):
    assert reason in refusal(make_grant(BID, spans=tuple(spans)))


def test_expired_lease_is_refused():
    assert "expired" in refusal(make_grant(BID, expiry=int(START)))


def test_post_by_before_the_expiry_is_refused():
    assert "postBy" in refusal(make_grant(BID, post_by=int(START) + 1))


def test_bid_past_its_deadline_is_refused():
    assert "deadline" in refusal(make_grant(make_bid(inputs_of(10), deadline=int(START))))


def test_bid_without_a_settler_takes_the_networks():
    check_grant(make_grant(make_bid(inputs_of(10), settler=ZERO_ADDRESS)), NETWORK, TERMS, START)


def test_honest_lease_passes():
    check_grant(make_grant(BID, spans=(2, 0)), NETWORK, TERMS, START)


def test_grant_survives_json():
    grant = make_grant(BID, spans=(2, 0))
    assert Grant.from_json(json.loads(json.dumps(grant.to_json()))) == grant


def test_network_survives_json():
    assert Network.from_json(json.loads(json.dumps(NETWORK.to_json()))) == NETWORK


@pytest.mark.parametrize("name", list(make_grant(BID).to_json()))
def test_grant_without_a_field_is_malformed(name):
    value = make_grant(BID).to_json()
    del value[name]
    if name == "receiptBase":
        assert Grant.from_json(value).base is None
    else:
        with pytest.raises(ProtocolError):
            Grant.from_json(value)


@pytest.mark.parametrize("seconds", [0, -1, 1e9, "3", float("nan")])
def test_grant_with_an_absurd_heartbeat_is_malformed(seconds):
    with pytest.raises(ProtocolError):
        Grant.from_json({**make_grant(BID).to_json(), "heartbeatSeconds": seconds})


def test_program_whose_id_is_not_that_of_its_facts_is_malformed():
    value = make_grant(BID).to_json()
    value["program"]["limitWU"] = "7"
    with pytest.raises(ProtocolError, match="programId"):
        Grant.from_json(value)


def test_buyer_key_is_not_the_settlers():
    assert address_of(BUYER) != address_of(SETTLER)
