"""Debian's Chromium, driven by Playwright."""

import os
import shutil
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE_WIDTH, DESK_WIDTH = 360, 1440
"""CSS pixels."""

HEIGHT = 900


def chromium_path() -> str:
    """Where it is. FileNotFoundError where it is not."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise FileNotFoundError("Chromium is needed: apt-get install chromium, or CHROMIUM=/path/to/it")
    return found


def launch(playwright: Playwright) -> Browser:
    """A headless browser that reaches for nothing by itself."""
    return playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS), headless=True)


def open_profile(
    browser: Browser, url: str, width: int = DESK_WIDTH, theme: Literal["light", "dark"] = "light"
) -> BrowserContext:
    """A fresh profile; addresses in it are the app's paths."""
    return browser.new_context(
        base_url=url,
        viewport={"width": width, "height": HEIGHT},
        color_scheme=theme,
        accept_downloads=True,
        reduced_motion="reduce",
    )
