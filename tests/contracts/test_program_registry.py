"""ProgramRegistry: ids, attestation by drawn seats, bounded redraws."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import brownie
import pytest

from tests.contracts.chain import ZERO, advance, mine, reverts, rpc
from tests.contracts.conftest import PROGRAM_LIMIT_WU, SEAT_PERIOD_S, program
from tests.contracts.test_libraries import vectors

HISTORY = "0x0000F90827F1C53a10cb7A02335B175320002935"


@pytest.fixture(scope="module")
def registry(desk: SimpleNamespace, accounts: Any) -> Any:
    """The registry, with three seats of each of three verifiers."""
    for i in (4, 5, 6):
        desk.seats.join(3, accounts[i + 10], {"from": accounts[i]})
    return desk.registry


def register(registry: Any, accounts: Any, wait: bool = True, **changes: Any) -> bytes:
    """Registers a program; with `wait` its seats are drawn too."""
    tx = registry.register(program(**changes), {"from": accounts[8]})
    if wait:
        mine(3)
    return bytes(tx.return_value)


def drawn(registry: Any, program_id: bytes) -> list[str]:
    return [str(address) for address in registry.drawnVerifiers(program_id)]


def registered_with(registry: Any, accounts: Any, different: int) -> bytes:
    """A program whose three seats belong to so many different verifiers."""
    for version in range(1, 200):
        program_id = register(registry, accounts, toolVersion=version)
        if len(set(drawn(registry, program_id))) == different:
            return program_id
    raise AssertionError("no draw has so many verifiers")


# --- register


@pytest.mark.parametrize("class_", [0, 3, 255])
def test_register_of_unknown_class_reverts(registry: Any, accounts: Any, class_: int) -> None:
    with reverts("ProgramRegistry_BadClass", class_):
        register(registry, accounts, **{"class": class_})


def test_register_without_limit_reverts(registry: Any, accounts: Any) -> None:
    with reverts("ProgramRegistry_NoLimit"):
        register(registry, accounts, limitWU=0)


def test_register_again_reverts(registry: Any, accounts: Any) -> None:
    program_id = register(registry, accounts)
    with reverts("ProgramRegistry_AlreadyRegistered", program_id):
        register(registry, accounts)


def test_register_gives_the_id_of_the_vectors(registry: Any, accounts: Any) -> None:
    for case in vectors("programs")["cases"]:
        fields = {name: value for name, value in case.items() if name != "programId"}
        assert "0x" + register(registry, accounts, **fields).hex() == case["programId"]
        assert registry.limitWU(case["programId"]) == int(case["limitWU"])


def test_unknown_program_has_no_limit_and_no_seats(registry: Any, accounts: Any) -> None:
    unknown = b"\x09" * 32
    assert registry.limitWU(unknown) == 0
    assert not registry.attested(unknown)
    for call in (registry.attest, registry.redraw):
        with reverts("ProgramRegistry_Unknown"):
            call(unknown, {"from": accounts[4]})
    with reverts("ProgramRegistry_Unknown"):
        registry.drawnVerifiers(unknown)


# --- attest


def test_attest_before_the_draw_reverts(registry: Any, accounts: Any) -> None:
    program_id = register(registry, accounts, wait=False)
    with reverts("ProgramRegistry_NotDrawnYet"):
        registry.drawnVerifiers(program_id)
    with reverts("ProgramRegistry_NotDrawnYet"):
        registry.attest(program_id, {"from": accounts[4]})


def test_attest_by_one_that_was_not_drawn_reverts(registry: Any, accounts: Any) -> None:
    program_id = registered_with(registry, accounts, 2)
    outside = ({a.address for a in accounts[4:7]} - set(drawn(registry, program_id))).pop()
    for sender in (outside, accounts[8], accounts[14]):
        with reverts("ProgramRegistry_NotDrawn", sender):
            registry.attest(program_id, {"from": sender})


def test_attest_twice_reverts_and_counts_once(registry: Any, accounts: Any) -> None:
    program_id = registered_with(registry, accounts, 3)
    verifier = drawn(registry, program_id)[0]
    registry.attest(program_id, {"from": verifier})
    with reverts("ProgramRegistry_AlreadyAttested", verifier):
        registry.attest(program_id, {"from": verifier})
    assert not registry.attested(program_id)


def test_attest_by_two_of_three_seats_completes(registry: Any, accounts: Any) -> None:
    program_id = registered_with(registry, accounts, 3)
    first, second, third = drawn(registry, program_id)
    registry.attest(program_id, {"from": first})
    tx = registry.attest(program_id, {"from": third})
    assert tx.events["ProgramAttested"].values() == ["0x" + program_id.hex(), third, 1, True]
    assert registry.attested(program_id)
    for call in (registry.attest, registry.redraw):
        with reverts("ProgramRegistry_Complete"):
            call(program_id, {"from": second})


def test_attest_by_a_verifier_with_two_drawn_seats_counts_two(registry: Any, accounts: Any) -> None:
    program_id = registered_with(registry, accounts, 2)
    seats = drawn(registry, program_id)
    double = max(seats, key=seats.count)
    tx = registry.attest(program_id, {"from": double})
    assert tx.events["ProgramAttested"]["seats"] == 2
    assert registry.attested(program_id)


def test_draw_outlives_the_beacons_memory_once_attested(registry: Any, accounts: Any) -> None:
    program_id = registered_with(registry, accounts, 3)
    seats = drawn(registry, program_id)
    registry.attest(program_id, {"from": seats[0]})
    rpc("anvil_setCode", HISTORY, "0xfe")
    mine(300)
    assert drawn(registry, program_id) == seats
    registry.attest(program_id, {"from": seats[1]})
    assert registry.attested(program_id)


# --- redraw


def test_redraw_before_the_seats_had_their_time_reverts(registry: Any, accounts: Any) -> None:
    program_id = registered_with(registry, accounts, 3)
    with reverts("ProgramRegistry_TooSoon"):
        registry.redraw(program_id, {"from": accounts[8]})
    advance(SEAT_PERIOD_S - 10)
    registry.attest(program_id, {"from": drawn(registry, program_id)[0]})
    advance(SEAT_PERIOD_S - 10)
    with reverts("ProgramRegistry_TooSoon"):
        registry.redraw(program_id, {"from": accounts[8]})


def test_redraw_starts_over_without_the_old_attestations(registry: Any, accounts: Any) -> None:
    program_id = registered_with(registry, accounts, 3)
    registry.attest(program_id, {"from": drawn(registry, program_id)[0]})
    advance(SEAT_PERIOD_S + 1)
    registry.redraw(program_id, {"from": accounts[9]})
    mine(3)
    fresh = drawn(registry, program_id)
    lone = next(verifier for verifier in fresh if fresh.count(verifier) < 2)
    registry.attest(program_id, {"from": lone})
    assert not registry.attested(program_id)


def test_redraw_until_it_pleases_reverts(registry: Any, accounts: Any) -> None:
    program_id = register(registry, accounts)
    for _ in range(2):
        advance(SEAT_PERIOD_S + 1)
        registry.redraw(program_id, {"from": accounts[8]})
    advance(SEAT_PERIOD_S + 1)
    with reverts("ProgramRegistry_NoMoreDraws"):
        registry.redraw(program_id, {"from": accounts[8]})


def test_programs_are_registered_without_seats_too(desk: SimpleNamespace, accounts: Any) -> None:
    terms = (1, 1, 10, 100, 10)
    empty = accounts[0].deploy(brownie.Seats, desk.token, ZERO, ZERO, ZERO, terms)
    lonely = accounts[0].deploy(brownie.ProgramRegistry, desk.beacon, empty, SEAT_PERIOD_S)
    program_id = register(lonely, accounts)
    assert drawn(lonely, program_id) == []
    assert lonely.limitWU(program_id) == PROGRAM_LIMIT_WU
