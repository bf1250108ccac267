"""Schemathesis over the whole OpenAPI against the real app: no server error, every answer as it is described, every
error a problem with a documented status. HOSTILE_EXAMPLES=300 is the long run (`make fuzz-api`); both are seeded."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from market.jobs import routes
from market.openapi import render
from protocol.blobs import blob_id
from protocol.encoding import to_hex
from tests.hostile.server import Served
from tests.market.world import FACTS, Device, World, key_of

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "3"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SCHEMA = schemathesis.openapi.from_dict(json.loads(render()))
OPERATIONS = {found.ok().definition.raw["operationId"]: found.ok() for found in SCHEMA.get_all_operations()}
MODES = {"stranger": GenerationMode.POSITIVE, "insider": GenerationMode.POSITIVE, "liar": GenerationMode.NEGATIVE}


class Insider:
    """Sessions and ids that are good: what lets a call get past the first checks."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.device: Device = world.device("insider")
        self.job = world.open_job(world.bid(tasks=6, span_tasks=1))
        self.device.do_next()
        self.grant = self.device.lease()
        world.clock.advance(16)
        world.tick()
        self.person = self._sign_in()

    def _sign_in(self) -> str:
        account = Account.from_key(key_of("buyer"))
        asked = self._world.http.post("/v1/sign-in/challenge", json={"address": account.address}).json()
        signature = account.sign_message(encode_defunct(text=asked["message"])).signature
        body = {"message": asked["message"], "signature": to_hex(bytes(signature))}
        return str(self._world.http.post("/v1/sign-in", json=body).json()["token"])

    def headers(self, operation: Any) -> dict[str, str]:
        """The session that the operation asks for."""
        schemes = {scheme for option in operation.definition.raw.get("security", []) for scheme in option}
        if "personSession" in schemes:
            return {"Authorization": f"Bearer {self.person}"}
        return dict(self.device.headers) if schemes else {}

    def path(self, operation: Any) -> dict[str, Any]:
        """Ids that are there."""
        known = {
            "job": self.job,
            "lease": int(self.grant["lease"]["leaseId"]),
            "program": to_hex(FACTS.program_id),
            "blob": to_hex(blob_id(b"insider")),
            "address": self.device.address,
            "epoch": 1,
        }
        wanted = [part["name"] for part in operation.definition.raw.get("parameters", []) if part["in"] == "path"]
        return {name: known[name] for name in wanted if name in known}


@pytest.fixture(scope="module")
def insider(shared: World) -> Iterator[Insider]:
    """Somebody who is in."""
    shared.put_blob(b"insider")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routes, "FOLLOW_SECONDS", 0.0)
        yield Insider(shared)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_operation_answers_as_described(insider: Insider, shared_serve: Served, operation: str, mode: str) -> None:
    found = OPERATIONS[operation]
    parts: dict[str, Any] = (
        {"path_parameters": insider.path(found)} if mode == "insider" and insider.path(found) else {}
    )
    headers = insider.headers(found) if mode != "stranger" else {}
    if mode == "liar" and not (list(found.iter_parameters()) or found.body):
        return  # nothing to lie about

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(found.as_strategy(generation_mode=MODES[mode], **parts))
    def check(case: Case) -> None:
        response = case.call(base_url=shared_serve.url, headers=headers, timeout=30)
        case.validate_response(response, checks=CHECKS, headers=headers)
        if response.status_code >= 400:
            assert response.headers["content-type"] == ["application/problem+json"]
            assert case.method == "HEAD" or response.json()["code"]

    check()


@pytest.mark.parametrize("path", sorted(json.loads(render())["paths"]))
def test_other_methods_are_refused(shared: World, path: str) -> None:
    known = {method.upper() for method in json.loads(render())["paths"][path]}
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} - known:
        if "GET" in known and method == "HEAD":
            continue
        response = shared.http.request(method, path.replace("{", "").replace("}", ""))
        assert response.status_code in (404, 405, 422), method
        assert response.headers["content-type"] == "application/problem+json"
