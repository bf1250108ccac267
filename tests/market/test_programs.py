"""Admission, with the programs that this repository ships."""

import json

import pytest
import wasmtime

from programs.catalogue import CATALOGUE
from protocol.encoding import to_hex
from protocol.wasm.faults import MAX_FAULTS
from tests.market.world import World

ENTRY = CATALOGUE["digits"]
FAULT_MEMBERS = {"cause", "function", "offset", "message"}


def admit(world: World, module: bytes, **limits: int) -> dict[str, object]:
    """Uploads and admits a module."""
    wanted = {"wu": ENTRY.limits.wu, "memoryPages": ENTRY.limits.memory_pages, "frameBytes": ENTRY.limits.frame_bytes}
    body = {"originalHash": world.put_blob(module), "limits": wanted | limits, "name": "digits"}
    response = world.http.post("/v1/programs", json=body)
    return {"status": response.status_code, **response.json()}


@pytest.mark.parametrize("module", [b"", b"\0asm\1\0\0\0", b"\0asm\1\0\0\0" + b"\1" * 100])
def test_module_that_is_not_admitted_is_refused(world: World, module: bytes) -> None:
    found = admit(world, module)
    assert (found["status"], found["code"]) == (422, "module_refused")


def test_refused_module_has_every_fault_with_its_function_and_byte(world: World) -> None:
    code = '(memory 1) (func $one f32.const 1 drop) (func (export "\\1b[2J") (local f64))'
    found = admit(world, bytes(wasmtime.wat2wasm(f"(module {code})")))
    assert (found["status"], found["code"], found["more"]) == (422, "module_refused", 0)
    faults = found["faults"]
    assert isinstance(faults, list)
    assert [(fault["cause"], fault["function"]) for fault in faults] == [
        ("memory_unbounded", None),
        ("floating_point", "?[2J"),
        ("memory_missing", None),
        ("export_missing", None),
        ("export_missing", None),
        ("floating_point", "one"),
    ]
    assert all(isinstance(fault["offset"], int) and set(fault) == FAULT_MEMBERS for fault in faults)
    assert found["detail"] == f"the memory declares no maximum (byte {faults[0]['offset']}), and 5 more"


def test_module_full_of_faults_has_a_short_answer(world: World) -> None:
    code = "".join(f'(func (export "{k}{"x" * 5_000}") {"f32.const 1 drop " * 90})' for k in range(60))
    found = admit(world, bytes(wasmtime.wat2wasm(f"(module {code})")))
    faults = found["faults"]
    assert isinstance(faults, list)
    assert (len(faults), found["more"]) == (MAX_FAULTS, 60 * 90 + 3 - MAX_FAULTS)
    assert len(json.dumps(found)) < 20_000


def test_module_that_was_not_uploaded_is_not_found(world: World) -> None:
    body = {"originalHash": "0x" + "00" * 32, "limits": {"wu": 1, "memoryPages": 1, "frameBytes": 1}}
    assert world.http.post("/v1/programs", json=body).status_code == 404


def test_program_is_admitted_and_registered(world: World) -> None:
    found = admit(world, ENTRY.module.read_bytes())
    program = ENTRY.build()
    assert (found["status"], found["programId"]) == (202, to_hex(program.program_id))
    world.tick()
    body = world.http.get(f"/v1/programs/{found['programId']}").json()
    assert (body["state"], body["class"], body["limitWU"]) == ("registered", 1, str(ENTRY.limits.wu))
    assert world.http.get(f"/v1/blobs/{body['rewrittenHash']}").content == program.rewritten
