"""What no page may do, whatever is tested on it."""

import json
from functools import cache
from typing import Any

from playwright.sync_api import Page

from deploy.toolchain import ROOT

AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Watch:
    """Counts a page's errors, refusals by its Content-Security-Policy, and requests to strangers."""

    def __init__(self, page: Page, allowed: tuple[str, ...]) -> None:
        self.faults: list[str] = []
        self._allowed = allowed
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("request", lambda request: self._request(request.url))

    def _console(self, kind: str, text: str) -> None:
        if kind == "error" and "Failed to load resource" not in text:
            self.faults.append(f"console: {text}")

    def _request(self, url: str) -> None:
        if url.startswith(("http:", "https:", "ws:", "wss:")) and not url.startswith(self._allowed):
            self.faults.append(f"a request to a stranger: {url}")


@cache
def _axe() -> str:
    return (ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it stands: rule, then the elements."""
    page.evaluate(_axe())
    run = "async (tags) => (await axe.run(document, {runOnly: {type: 'tag', values: tags}})).violations"
    found: list[dict[str, Any]] = page.evaluate(run, AXE_TAGS)
    return [f"{rule['id']}: {json.dumps([node['target'] for node in rule['nodes']])}" for rule in found]
