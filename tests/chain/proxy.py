"""A JSON-RPC node in front of another, whose answers a test bends."""

import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Refuse(Exception):
    """The bent answer is this error."""

    def __init__(self, message, code=-32000):
        super().__init__(message)
        self.error = {"code": code, "message": message}


class Proxy:
    """`bend(method, with_)`: with_(params, forward) returns the result or raises Refuse; `status` answers all by HTTP.

    `head` makes it a node whose newest block is that one. `asked` lists the methods that came.
    """

    def __init__(self, behind_url):
        self._behind = behind_url
        self._bent = {}
        self.head = None
        self.status = None
        self.asked = []

    def __enter__(self):
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def bend(self, method, with_):
        self._bent[method] = with_

    def straighten(self, method):
        del self._bent[method]

    def forward(self, method, params):
        """The real node's result."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self._behind, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as response:
            answer = json.load(response)
        if "error" in answer:
            raise Refuse(answer["error"]["message"])
        return answer["result"]

    def answer(self, request):
        method, params = request["method"], request["params"]
        self.asked.append(method)
        try:
            if method in self._bent:
                result = self._bent[method](params, lambda: self.forward(method, params))
            else:
                result = self._as_of_head(method, params)
        except Refuse as refused:
            return {"jsonrpc": "2.0", "id": request["id"], "error": refused.error}
        return {"jsonrpc": "2.0", "id": request["id"], "result": result}

    def _as_of_head(self, method, params):
        if self.head is None:
            return self.forward(method, params)
        if method == "eth_getBlockByNumber":
            if params[0] == "latest":
                params = [hex(self.head), params[1]]
            return None if int(params[0], 16) > self.head else self.forward(method, params)
        if method == "eth_getLogs":
            query = params[0] | {"toBlock": hex(min(int(params[0]["toBlock"], 16), self.head))}
            empty = int(query["fromBlock"], 16) > self.head
            return [] if empty else self.forward(method, [query])
        if method == "eth_getTransactionReceipt":
            found = self.forward(method, params)
            return None if found and int(found["blockNumber"], 16) > self.head else found
        if method == "eth_getTransactionCount":
            return self.forward(method, [params[0], hex(self.head)])
        return self.forward(method, params)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.proxy.status is not None:
            self.send_response(self.proxy.status)
            body = b"{}"
        else:
            answer = self.proxy.answer
            body = json.dumps([answer(r) for r in request] if isinstance(request, list) else answer(request)).encode()
            self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
