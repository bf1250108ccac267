"""The web app, as `make setup` built it: its pages under a strict Content-Security-Policy, its assets for good.

Every answer with a page carries a nonce of its own, for the one style element that React Aria adds. A worker has the
policy of its own file: what runs guests may load code and nothing else.
"""

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

BUILT = Path(__file__).resolve().parent.parent / "web" / "dist"
"""Where `make setup` builds it."""

PAGES = ("/", "/buy", "/jobs", "/jobs/{job}", "/earn", "/audit", "/audit/{rest:path}", "/book", "/risks")
"""Addresses that the app answers itself, by its own routes."""

NONCE_PLACE = "__CSP_NONCE__"
COMPRESS_FROM_BYTES = 1024


GUESTS = ("task-", "replay.worker-")
"""How the files of workers that run guests begin: a device's and an auditor's (Vite keeps a worker's own name)."""


def content_security_policy(rpc_url: str, nonce: str | None = None) -> str:
    """What a page, or a worker of ours, may load: this origin's files, WebAssembly, this API and the chain's RPC."""
    url = urlsplit(rpc_url)
    chain = f" {url.scheme}://{url.netloc}" if url.netloc else ""
    return "; ".join(
        (
            *_RUNS_CODE,
            "style-src 'self'" + (f" 'nonce-{nonce}'" if nonce else ""),
            "img-src 'self' data: blob:",
            "font-src 'self'",
            f"connect-src 'self'{chain}",
            "worker-src 'self'",
            "manifest-src 'self'",
            *_CLOSED,
        )
    )


_RUNS_CODE = ("default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'")
_CLOSED = ("base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'")


class _Assets(StaticFiles):
    """Files whose names hold their hash."""

    def __init__(self, directory: Path, rpc_url: str) -> None:
        super().__init__(directory=directory)
        self._ours = content_security_policy(rpc_url)
        self._guests = "; ".join((*_RUNS_CODE, *_CLOSED))

    def file_response(self, full_path: str | os.PathLike[str], *args: Any, **options: Any) -> Response:
        """The file, with how long it may be kept and under which policy it runs as a worker."""
        answer = super().file_response(full_path, *args, **options)
        guests = Path(full_path).name.startswith(GUESTS)
        answer.headers["cache-control"] = "public, max-age=31536000, immutable"
        answer.headers["content-security-policy"] = self._guests if guests else self._ours
        return answer


def install(app: FastAPI, rpc_url: str, folder: Path = BUILT) -> bool:
    """Serves the built app beside the API; False, and nothing is served, where it was not built."""
    index = folder / "index.html"
    if not index.is_file():
        return False
    page = index.read_text(encoding="utf-8")

    async def show(_request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        headers = {"content-security-policy": content_security_policy(rpc_url, nonce), "cache-control": "no-store"}
        return Response(page.replace(NONCE_PLACE, nonce), headers=headers, media_type="text/html; charset=utf-8")

    for path in PAGES:
        app.add_route(path, show, methods=["GET", "HEAD"], include_in_schema=False)
    app.mount("/assets", GZipMiddleware(_Assets(folder / "assets", rpc_url), minimum_size=COMPRESS_FROM_BYTES))
    return True
