"""The surface as a whole: frozen, problems everywhere, limits, settings that are refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import create_engine, inspect

from market import openapi
from market.db import Lock, advisory_lock
from market.limits import RateLimits
from market.models import metadata
from market.settings import Settings, SettingsRefused, SettlerKey
from market.ticks import run
from tests.market.world import World, key_of, world_on


def test_openapi_is_the_frozen_one() -> None:
    assert openapi.PATH.read_text() == openapi.render(), "python -m market.openapi --write"


def test_operations_have_ids_and_descriptions() -> None:
    paths = json.loads(openapi.PATH.read_text())["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    assert all(operation.get("description") for operation in operations)


def test_migrations_make_the_tables_that_the_models_say(market_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = create_engine(market_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert "jobs" in inspect(connection).get_table_names()
    engine.dispose()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["0x" + "00" * 32, "0x" + "11" * 20, "0x" + "22" * 65, "0", "1"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
NAMES = [
    "bid",
    "signature",
    "binding",
    "deviceSignature",
    "ownerSignature",
    "session",
    "programs",
    "minPriceWeiPerGWU",
    "nsPerWU",
    "memoryPages",
    "results",
    "outputs",
    "receipt",
    "originalHash",
    "limits",
    "name",
    "programId",
    "manifest",
    "rateFloorPpm",
]
BODIES = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=8) | JSON
CALLS = [
    ("POST", "/v1/jobs"),
    ("POST", "/v1/devices"),
    ("POST", "/v1/sessions"),
    ("POST", "/v1/programs"),
    ("POST", "/v1/quotes"),
    ("PUT", "/v1/offers"),
    ("POST", f"/v1/leases/0x{'00' * 32}/1/results"),
    ("POST", f"/v1/leases/0x{'00' * 32}/99999999999999999999999/heartbeat"),
]


@pytest.mark.slow
def test_malformed_bodies_are_problems_and_never_failures(world: World) -> None:
    headers = world.device("one").headers

    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(CALLS), BODIES)
    def check(call: tuple[str, str], body: Any) -> None:
        data = json.dumps(body).encode()
        response = world.http.request(*call, content=data, headers={**headers, "Content-Type": "application/json"})
        assert 400 <= response.status_code < 500 or body == {} or response.status_code in (200, 204), response.text
        if response.status_code >= 400:
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["code"]

    check()


@pytest.mark.parametrize("url", ["/v1/nothing", "/v1/jobs/0x12", "/v1/jobs?limit=0", "/v1/epochs/x", "/v1/blobs/1"])
def test_wrong_urls_are_problems(world: World, url: str) -> None:
    response = world.http.get(url)
    assert response.status_code in (404, 422)
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"]


def test_oversized_body_is_refused_while_it_arrives(market_url: str, valkey_url: str, tmp_path: Path) -> None:
    with world_on(market_url, valkey_url, tmp_path, body_max_bytes=1000) as world:
        for content in (b"x" * 1001, iter([b"x" * 600, b"x" * 600])):
            response = world.http.post("/v1/jobs", content=content)
            assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


def test_rate_limit_refuses_and_says_when_to_come_back(world: World, valkey_url: str) -> None:
    world.context.limits = RateLimits(valkey_url, 1)
    body = {"programId": "0x" + "00" * 32, "manifest": "0x" + "00" * 32}
    answers = [world.http.post("/v1/quotes", json=body) for _ in range(21)]
    assert [answer.status_code for answer in answers] == [422] * 20 + [429]
    assert answers[-1].headers["retry-after"] == "60"


def test_rate_limit_holds_without_valkey(world: World) -> None:
    world.context.limits = RateLimits("redis://127.0.0.1:1", 1)
    body = {"programId": "0x" + "00" * 32, "manifest": "0x" + "00" * 32}
    answers = [world.http.post("/v1/quotes", json=body).status_code for _ in range(21)]
    assert answers == [422] * 20 + [429]


def test_tick_runs_once_at_a_time(world: World) -> None:
    ran: list[int] = []
    with advisory_lock(world.context.engine, Lock.MATCHING) as held:
        assert held
        assert not run(Lock.MATCHING, lambda _: ran.append(1), world.context)
    assert run(Lock.MATCHING, lambda _: ran.append(1), world.context)
    assert ran == [1]


GOOD = {"database_url": "postgresql://x/y", "redis_url": "redis://x", "blobs_url": "/x", "settler_key_file": "/x"}


@pytest.mark.parametrize(
    "change",
    [{"database_url": "sqlite://"}, {"public_url": "http://example.org"}, {"max_share_ppm": 0}, {"redis_url": None}],
)
def test_settings_that_are_unsafe_are_refused(change: dict[str, Any]) -> None:
    Settings(**GOOD)  # type: ignore[arg-type]
    with pytest.raises((ValidationError, SettingsRefused)):
        Settings(**(GOOD | change))


def test_settler_key_readable_by_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(key_of("settler").hex())
    path.chmod(0o644)
    with pytest.raises(SettingsRefused):
        SettlerKey.read(path, strict=True)
    path.chmod(0o600)
    assert "key" not in repr(SettlerKey.read(path, strict=True)).lower().replace("settlerkey", "")


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_metrics_name_routes_and_not_urls(world: World) -> None:
    world.http.get(f"/v1/jobs/0x{'00' * 32}")
    text = world.http.get("/metrics").text
    assert 'route="/v1/jobs/{job}",status="404"' in text
    assert "0x0000" not in text


def test_documentation_page_asks_nobody_else_for_anything(world: World) -> None:
    page = world.http.get("/docs").text
    parts = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(parts) >= 3
    for part in parts:
        assert part.startswith("/")
        assert world.http.get(part).status_code == 200


def test_network_tells_where_things_are(world: World) -> None:
    body = world.http.get("/v1/network").json()
    assert body["chain_id"] == 31337
    assert body["blobs"] == "http://127.0.0.1:8000/v1/blobs"
    assert body["settler"] == world.context.settler.address
