"""The web app as the market serves it."""

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from market import web
from market.settings import Settings, SettingsRefused

RPC = "http://127.0.0.1:8545"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "index-1a2b.js").write_text("export {};" * 500)
    (tmp_path / "assets" / "task-3c4d.js").write_text("export {};")
    (tmp_path / "index.html").write_text('<meta property="csp-nonce" nonce="__CSP_NONCE__"><div id="root"></div>')
    (tmp_path / "secret.txt").write_text("not for the web")
    return tmp_path


@pytest.fixture
def client(built: Path) -> TestClient:
    app = FastAPI(redirect_slashes=False)
    assert web.install(app, RPC, built)
    return TestClient(app)


def test_install_without_a_built_app_serves_nothing(tmp_path: Path) -> None:
    app = FastAPI()
    assert not web.install(app, RPC, tmp_path)
    assert TestClient(app).get("/").status_code == 404


@pytest.mark.parametrize(
    "path", ["/assets/../secret.txt", "/assets/%2e%2e/secret.txt", "/secret.txt", "/no-page", "/buyer"]
)
def test_what_is_no_page_and_no_asset_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "path", ["/", "/buy", "/jobs", "/jobs/0xab", "/earn", "/audit", "/audit/epochs/7", "/book", "/risks"]
)
def test_every_page_comes_under_its_own_policy(client: TestClient, path: str) -> None:
    answer = client.get(path)
    policy = answer.headers["content-security-policy"]
    nonce = re.search(r'nonce="([^"]+)"', answer.text)
    assert answer.status_code == 200
    assert nonce is not None
    assert f"style-src 'self' 'nonce-{nonce[1]}'" in policy
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy
    assert f"connect-src 'self' {RPC};" in policy
    assert answer.headers["cache-control"] == "no-store"


def test_every_route_of_the_app_is_a_page_that_is_served(client: TestClient) -> None:
    app = (web.BUILT.parent / "src" / "app" / "App.tsx").read_text()
    routes = re.findall(r'\["(/[^"]*)", page\(', app)
    assert len(routes) >= 10
    for route in routes:
        assert client.get(re.sub(r":\w+", "1", route)).status_code == 200, route


def test_a_nonce_is_never_used_twice(client: TestClient) -> None:
    assert client.get("/").headers["content-security-policy"] != client.get("/").headers["content-security-policy"]


def test_assets_are_kept_for_good_and_compressed(client: TestClient) -> None:
    answer = client.get("/assets/index-1a2b.js", headers={"accept-encoding": "gzip"})
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text == "export {};" * 500


def test_built_workers_of_guests_have_the_names_that_are_closed() -> None:
    workers = {path.name.split("-")[0] + "-" for path in (web.BUILT / "assets").glob("*.js")}
    assert set(web.GUESTS) <= workers


def test_worker_of_guests_may_reach_nothing_and_others_what_a_page_may(client: TestClient) -> None:
    guests = client.get("/assets/task-3c4d.js").headers["content-security-policy"]
    ours = client.get("/assets/index-1a2b.js").headers["content-security-policy"]
    assert "connect-src" not in guests
    assert "worker-src" not in guests
    assert "default-src 'none'" in guests
    assert f"connect-src 'self' {RPC};" in ours


@pytest.mark.parametrize(
    "address",
    [
        "http://rpc.example",
        "https://user@rpc.example",
        "ftp://rpc.example",
        "https://a b",
        "https://x;script-src *",
        "https://",
    ],
)
def test_public_rpc_that_would_weaken_the_policy_is_refused(address: str) -> None:
    with pytest.raises((SettingsRefused, ValueError)):
        Settings(
            database_url="postgresql://x",
            redis_url="redis://x",
            blobs_url="file:///x",
            settler_key_file=Path("x"),
            public_rpc_url=address,
        )
