"""The agent's process is killed (SIGKILL) at a chosen call of the market's real API, then started again."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import psutil
import pytest

from protocol.signing import address_of
from tests.market.world import PRICE, world_on
from tests.worker.desk import as_measured
from tests.worker.fake_market import DEVICE
from tests.worker.test_against_market import Stage
from worker.facts import ReceiptSigned
from worker.journal import Journal

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


class Bridge(BaseHTTPRequestHandler):
    """Carries requests to the app. At the `kill_at` call the caller is killed, before or after the call's effect."""

    protocol_version = "HTTP/1.1"
    stage: Stage
    kill_at: str
    after: bool
    process: subprocess.Popen

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        cls = type(self)
        fatal = cls.kill_at and cls.kill_at in f"{self.command} {self.path}"
        if fatal:
            cls.kill_at = ""
        if not fatal or cls.after:
            headers = {name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers}
            answer = self.stage.world.http.request(self.command, self.path, content=body, headers=headers)
        if fatal:
            cls.process.kill()
            self.close_connection = True
            return
        self.send_response(answer.status_code)
        if answer.status_code != 204:
            self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_PUT = do_POST = _serve  # noqa: N815

    def log_message(self, *args):
        pass


@contextmanager
def serving(kill_at, after):
    """A server whose handler has yet to be told its `stage` and `process`."""
    handler = type("Bridged", (Bridge,), {"kill_at": kill_at, "after": after, "process": None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler
    finally:
        if handler.process:
            handler.process.kill()
            handler.process.wait()
        server.shutdown()
        server.server_close()


def start(url, folder):
    as_measured(folder)
    key = folder / "device.key"
    key.touch(0o600)
    key.write_text(DEVICE.hex())
    environment = {
        **os.environ,
        "WORKER_MARKET_URL": url,
        "WORKER_KEY_FILE": str(key),
        "WORKER_STATE_DIR": str(folder),
        "WORKER_MIN_PRICE_WEI_PER_GWU": str(PRICE),
        "WORKER_MEMORY_PAGES": "64",
    }
    return subprocess.Popen([sys.executable, "-m", "worker", "run"], env=environment, stderr=subprocess.DEVNULL)


def tick_until(stage, holds, limit_s=30.0):
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline
        stage.world.clock.seconds = time.time()
        stage.world.tick()
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("kill_at", "after"),
    [("GET /v1/blobs", False), ("/leases/next", True), ("/results", False), ("/results", True)],
)
def test_device_killed_in_the_middle_of_a_lease_goes_on_where_it_was(market_url, valkey_url, tmp_path, kill_at, after):
    options = {"poll_max_seconds": 1, "max_share_ppm": 1_000_000}
    with (
        serving(kill_at, after) as (url, handler),
        world_on(market_url, valkey_url, tmp_path, public_url=url, **options) as world,
    ):
        world.clock.seconds = time.time()
        handler.stage = stage = Stage(world, tmp_path)
        stage.open()
        handler.process = first = start(url, tmp_path)
        tick_until(stage, lambda: first.poll() is not None)
        assert first.returncode == -signal.SIGKILL
        handler.process = second = start(url, tmp_path)
        tick_until(stage, lambda: len(stage.spans) >= 3)
        children = psutil.Process(second.pid).children(recursive=True)
        second.terminate()
        assert second.wait(10) == 0
        assert not any(child.is_running() for child in children)
        assert stage.spans == sorted(set(stage.spans))
    journal = Journal(tmp_path / address_of(DEVICE).lower())
    signed = [fact.receipt for fact in journal.facts if isinstance(fact, ReceiptSigned)]
    assert len({receipt.struct_hash for receipt in signed}) == len({(r.period, r.spans_hash) for r in signed})
