"""Who may call what: one row for each operation, and each row is tried. An operation without a row fails."""

import json
import re
from typing import Any

import pytest

from market.app import ROUTERS
from market.guard import StrictRoute
from market.openapi import render
from market.web import PAGES
from tests.market.world import World

NOTHING, DEVICE, PERSON, EITHER = "nothing", "a device's session", "a person's session", "nothing, more with a session"
"""What an operation demands. NOTHING also where a signature in the body says who asks."""

RULES = {
    "health": NOTHING,
    "ready": NOTHING,
    "metrics": NOTHING,
    "getNetwork": NOTHING,
    "listPrograms": NOTHING,
    "listOwnedDevices": NOTHING,
    "listEarnings": NOTHING,
    "getProgram": NOTHING,
    "admitProgram": NOTHING,
    "quoteJob": NOTHING,
    "submitJob": NOTHING,
    "listJobs": NOTHING,
    "getJob": NOTHING,
    "listResults": NOTHING,
    "getJobReceipt": NOTHING,
    "followJob": NOTHING,
    "listEpochs": NOTHING,
    "getEpoch": NOTHING,
    "summariseOffers": NOTHING,
    "getBook": NOTHING,
    "getStats": NOTHING,
    "putOffer": DEVICE,
    "bindDevice": NOTHING,
    "getDevice": NOTHING,
    "openSession": NOTHING,
    "nextLease": DEVICE,
    "keepLease": DEVICE,
    "releaseLease": DEVICE,
    "submitResults": DEVICE,
    "putBlob": EITHER,
    "getBlob": NOTHING,
    "headBlob": NOTHING,
    "askToSignIn": NOTHING,
    "signIn": NOTHING,
    "whoAmI": PERSON,
    "signOut": PERSON,
    "addWebhook": PERSON,
    "listWebhooks": PERSON,
    "getWebhook": PERSON,
    "removeWebhook": PERSON,
    "listDeliveries": PERSON,
}

OPERATIONS = [
    (operation["operationId"], method.upper(), path, operation)
    for path, operations in json.loads(render())["paths"].items()
    for method, operation in operations.items()
]
IDS = [operation[0] for operation in OPERATIONS]
UNGUARDED = {"/openapi.json", "/docs", "/redoc", "/docs/oauth2-redirect", "/static-offline-docs", "/assets", *PAGES}
"""What is served besides the operations: the description and its page, and the web app where it was built."""


def test_every_operation_has_a_rule() -> None:
    assert set(IDS) == set(RULES), "say in RULES who may call it"


@pytest.mark.parametrize("operation", OPERATIONS, ids=IDS)
def test_description_says_what_the_rule_says(operation: tuple[str, str, str, dict[str, Any]]) -> None:
    name, _, _, description = operation
    schemes = {scheme for option in description.get("security", []) for scheme in option}
    wanted = {NOTHING: set(), DEVICE: {"deviceSession"}, PERSON: {"personSession"}, EITHER: schemes or {"any"}}
    assert schemes == wanted[RULES[name]]


def path_of(path: str) -> str:
    """The path with ids that fit and name nothing."""
    names = {"job": "0x" + "ab" * 32, "program": "0x" + "ab" * 32, "blob": "0x" + "ab" * 32, "lease": "1", "epoch": "1"}
    return re.sub(r"{(\w+)}", lambda match: names.get(match[1], "0x" + "ab" * 20), path)


@pytest.mark.parametrize("operation", OPERATIONS, ids=IDS)
def test_call_without_a_session_or_with_the_wrong_one(
    shared: World, operation: tuple[str, str, str, dict[str, Any]]
) -> None:
    name, method, path, _ = operation
    rule, url = RULES[name], path_of(path)
    body: dict[str, Any] = {}
    if rule == NOTHING:
        if name != "followJob":
            assert shared.http.request(method, url, json=body or None).status_code not in (401, 403)
        return
    invented = {"Authorization": "Bearer invented"}
    answers = [shared.http.request(method, url, headers=invented, content=b"x")]
    if rule != EITHER:
        answers.append(shared.http.request(method, url, content=b"x"))
    if rule == PERSON:
        answers.append(shared.http.request(method, url, headers=shared.device("not a person").headers))
    for answer in answers:
        assert answer.status_code == 401 or (answer.status_code == 422 and method in ("POST", "PUT")), answer.text
        assert answer.headers["content-type"] == "application/problem+json"


def test_every_route_is_an_operation_and_reads_json_strictly() -> None:
    routes = [route for router in ROUTERS for route in router.routes]
    assert [route for route in routes if type(route) is not StrictRoute] == []
    assert {route.operation_id for route in routes if isinstance(route, StrictRoute)} == set(IDS)


def test_nothing_is_served_besides_the_operations_and_their_description(shared: World) -> None:
    app: Any = shared.http.app
    paths = {path for route in app.routes if (path := getattr(route, "path", None)) is not None}
    assert paths - {path for _, _, path, _ in OPERATIONS} <= UNGUARDED
