"""A market's answers over HTTP that need no session: its network, its health, bindings that it takes."""

import http.server
import json
import threading
import time
from email.utils import formatdate

from protocol.messages import Binding, Domain
from protocol.signing import address_of
from tests.worker.fake_market import SETTLER
from worker import benchmark
from worker.benchmark import Benchmark

ESCROW = "0x" + "11" * 20
DOMAIN = Domain(31337, ESCROW)


def as_measured(folder):
    """A benchmark of this machine in the state folder, so that an agent's start does not measure one."""
    made = Benchmark(benchmark.machine_now(), benchmark.version_now(), 0.0, {"digits": 2.0})
    benchmark.load_or_measure(folder, lambda: made)


def ask(price, devices):
    """A level of the order book."""
    return {"priceWeiPerGWU": str(price), "devices": devices, "wuPerSecond": 1.0, "unmeasured": 0}


class Desk(http.server.ThreadingHTTPServer):
    """`network` and `book` may be changed, `bound` is what was asked for, `skew_s` how wrong its clock is."""

    def __init__(self):
        desk = self
        self.bound = []
        self.skew_s = 0.0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                answers = {"/v1/network": desk.network, "/v1/book": desk.book, "/healthz": {"status": "ok"}}
                self.answer(200 if self.path in answers else 404, answers.get(self.path, {"code": "not_found"}))

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                binding = Binding.from_json(body["binding"])
                for name, signer in (("deviceSignature", binding.device), ("ownerSignature", binding.owner)):
                    binding.check_signature(DOMAIN, bytes.fromhex(body[name][2:]), signer)
                desk.bound.append(binding)
                self.answer(202, {"accepted": True})

            def answer(self, status, value):
                self.send_response_only(status)
                self.send_header("Date", formatdate(time.time() + desk.skew_s, usegmt=True))
                self.end_headers()
                self.wfile.write(json.dumps(value).encode())

            def log_message(self, *args):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.network = {
            "chain_id": 31337, "deploy_block": 1, "settler": address_of(SETTLER), "blobs": f"{self.url}/v1/blobs",
            "addresses": {"JobEscrow": ESCROW, "StakeVault": "0x" + "22" * 20}, "clocks": {}, "fee_ppm": 0,
        }  # fmt: skip
        self.book = {"asks": [ask(30, 1), ask(12, 2), ask(40, 2)]}
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()
