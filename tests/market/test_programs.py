"""Admission, with the programs that this repository ships."""

import pytest

from programs.catalogue import CATALOGUE
from protocol.encoding import to_hex
from tests.market.world import World

ENTRY = CATALOGUE["digits"]


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
