"""`make screenshots`: raises a network with a story behind it and writes the README's pictures from the real app."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console

from deploy.browser.chromium import launch, open_profile
from deploy.browser.ground import Ground, raised
from deploy.local.supervisor import StopRequested, stop_on_signals
from deploy.toolchain import ROOT

FOLDER = ROOT / "docs" / "screenshots"
WIDTH, HEIGHT = 1200, 800
TIMEOUT_MS = 20_000
REPLAY_MS = 90_000


def main() -> int:
    """Takes them; the exit status."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        with (
            stop_on_signals(),
            tempfile.TemporaryDirectory(prefix="multitude-") as folder,
            raised(Path(folder) / "network", console) as ground,
        ):
            ground.wait_for_first_job()
            with sync_playwright() as playwright:
                browser = launch(playwright)
                with open_profile(browser, ground.url, WIDTH) as profile:
                    page = profile.new_page()
                    page.set_default_timeout(TIMEOUT_MS)
                    _take_all(page, ground, console)
                browser.close()
    except StopRequested as stop:
        return stop.exit_status
    return 0


def _take_all(page: Page, ground: Ground, console: Console) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, path in (
        ("network", "/"),
        ("job", f"/jobs/{ground.first_job.job_id}"),
        ("epoch", "/audit/epochs/1"),
    ):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        page.locator(".spinner").first.wait_for(state="detached")
        if name == "epoch":
            _replay_all(page)
        page.screenshot(path=FOLDER / f"{name}.png", clip={"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT})
        console.print(f"written: {(FOLDER / name).relative_to(ROOT)}.png", highlight=False)


def _replay_all(page: Page) -> None:
    """Runs the drawn tasks again, until the page's verdict is on them."""
    page.get_by_role("button", name="Replay all drawn tasks").click()
    verdict = page.get_by_role("region", name="Does it agree?").get_by_role("status")
    verdict.get_by_text("were run again here").wait_for(timeout=REPLAY_MS)
    verdict.get_by_text("Every comparison came out equal").wait_for()
    page.evaluate("scrollTo(0, 0)")


if __name__ == "__main__":
    sys.exit(main())
