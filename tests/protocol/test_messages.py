import dataclasses
import json

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding import ZERO_ADDRESS
from protocol.errors import EncodingInvalid, SignatureInvalid
from protocol.messages import Bid, Binding, Domain, Lease, Message, Receipt, Session
from protocol.signing import address_of
from tests.vectors.samples import DOMAIN, bid_of, key_of, receipt_of

LEASE = Lease(bid_of().job_id, 3, (1, 5), address_of(key_of("device")), 7, 100, 200)
SESSION = Session(LEASE.device, 5, bytes(32))
MESSAGES = [bid_of(), LEASE, receipt_of(), Binding(LEASE.device, bid_of().buyer), SESSION]
KEY = key_of("device")


def _values(kind: str) -> st.SearchStrategy:
    if kind == "bytes32":
        return st.binary(min_size=32, max_size=32)
    if kind == "address":
        return st.binary(min_size=20, max_size=20).map(lambda data: "0x" + data.hex())
    if kind.endswith("[]"):
        return st.lists(st.integers(0, 2**32 - 1), max_size=5).map(tuple)
    return st.integers(0, 2 ** int(kind.removeprefix("uint")) - 1)


def _any_message() -> st.SearchStrategy[Message]:
    def build(kind: type[Message]) -> st.SearchStrategy[Message]:
        return st.builds(kind, **{field.name: _values(field.type) for field in kind.fields})

    return st.sampled_from((Bid, Lease, Receipt, Binding, Session)).flatmap(build)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_message_with_a_field_outside_its_type_is_refused(message):
    wrong = {"bytes32": [bytes(31), bytes(33), "0x00", None], "address": ["0x12", "nobody", ZERO_ADDRESS + "00"]}
    for field in message.fields:
        bits = field.bits
        values = wrong.get(
            field.type, [(-1,), (1 << bits,)] if field.type.endswith("[]") else [-1, 1 << bits, True, 1.0]
        )
        for value in values:
            with pytest.raises(EncodingInvalid):
                dataclasses.replace(message, **{field.name: value})


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_from_json_with_a_field_missing_added_or_mistyped_is_refused(message):
    good = message.to_json()
    with pytest.raises(EncodingInvalid):
        type(message).from_json(good | {"extra": 1})
    for name, value in good.items():
        with pytest.raises(EncodingInvalid, match=name):
            type(message).from_json({key: item for key, item in good.items() if key != name})
        swapped = int(value) if isinstance(value, str) and value.isdigit() else str(value)[:-1] + "x"
        for bad in (None, swapped, [swapped], {}, ""):
            with pytest.raises(EncodingInvalid):
                type(message).from_json(good | {name: bad})


@pytest.mark.parametrize("value", [None, [], "Bid", 5])
def test_from_json_of_no_object_is_refused(value):
    with pytest.raises(EncodingInvalid):
        Bid.from_json(value)


@pytest.mark.parametrize("value", ["01", "-1", "+1", " 1", "1e3", "0x1", "١", "1" * 79, str(2**128)])
def test_from_json_of_another_form_of_a_number_is_refused(value):
    with pytest.raises(EncodingInvalid, match="budget"):
        Bid.from_json(bid_of().to_json() | {"budget": value})


@pytest.mark.parametrize(
    "changes",
    [
        {"task_count": 0},
        {"span_tasks": 0},
        {"span_tasks": 257},
        {"task_limit_wu": 0},
        {"rate_floor_ppm": 9_999},
        {"rate_floor_ppm": 1_000_001},
        {"max_fee_ppm": 30_001},
    ],
)
def test_check_rules_of_a_bid_that_no_job_opens_on_is_refused(changes):
    with pytest.raises(EncodingInvalid):
        bid_of(**changes).check_rules()


def test_check_rules_at_the_bounds_is_accepted():
    bid_of(task_count=1, span_tasks=256, rate_floor_ppm=10_000, max_fee_ppm=0).check_rules()
    bid_of(span_tasks=1, rate_floor_ppm=1_000_000, max_fee_ppm=30_000).check_rules()


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_check_signature_of_another_signer_or_domain_is_refused(message):
    signature = message.sign(DOMAIN, KEY)
    message.check_signature(DOMAIN, signature, address_of(KEY).lower())
    with pytest.raises(SignatureInvalid):
        message.check_signature(DOMAIN, signature, address_of(key_of("owner")))
    for domain in (Domain(1, DOMAIN.verifying_contract), Domain(DOMAIN.chain_id, ZERO_ADDRESS)):
        with pytest.raises(SignatureInvalid):
            message.check_signature(domain, signature, address_of(KEY))


@settings(max_examples=60)
@given(st.sampled_from(MESSAGES), st.integers(0, 65 * 8 - 1))
def test_check_signature_with_one_bit_flipped_is_refused(message, bit):
    signature = bytearray(message.sign(DOMAIN, KEY))
    signature[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SignatureInvalid):
        message.check_signature(DOMAIN, bytes(signature), address_of(KEY))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_struct_hash_depends_on_every_field(message):
    other = {"bytes32": b"\x07" * 32, "address": "0x" + "77" * 20, "uint32[]": (9,)}
    hashes = {message.struct_hash}
    for field in message.fields:
        value = other.get(field.type, getattr(message, field.name) if field.type in other else None)
        value = getattr(message, field.name) ^ 1 if value is None else value
        hashes.add(dataclasses.replace(message, **{field.name: value}).struct_hash)
    assert len(hashes) == len(message.fields) + 1


@settings(max_examples=100)
@given(_any_message())
def test_from_json_of_to_json_is_the_same_message(message):
    again = type(message).from_json(json.loads(json.dumps(message.to_json())))
    assert again == message
    assert again.struct_hash == message.struct_hash


@settings(max_examples=40)
@given(_any_message())
def test_digest_is_that_of_eth_account(message):
    kind = type(message)
    fields = [{"name": field.json_name, "type": field.type} for field in kind.fields]
    values = {field.json_name: getattr(message, field.name) for field in kind.fields}
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    signable = encode_typed_data(
        {
            "name": "Multitude",
            "version": "1",
            "chainId": DOMAIN.chain_id,
            "verifyingContract": DOMAIN.verifying_contract,
        },
        {kind.__name__: fields},
        values,
    )
    assert Account.sign_message(signable, KEY).signature == message.sign(DOMAIN, KEY)


def test_addresses_of_any_case_give_one_message():
    bid = bid_of()
    assert bid_of(buyer=bid.buyer.lower()) == bid
    assert bid_of(buyer="0x" + bid.buyer[2:].upper()).job_id == bid.job_id


@pytest.mark.parametrize(("tasks", "span_tasks", "spans"), [(1797, 16, 113), (16, 16, 1), (17, 16, 2), (1, 256, 1)])
def test_span_count_is_rounded_up(tasks, span_tasks, spans):
    assert bid_of(task_count=tasks, span_tasks=span_tasks).span_count == spans
