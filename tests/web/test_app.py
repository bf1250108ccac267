"""What holds on every page: accessible, within the width, nothing from strangers, quick to load, by keyboard."""

import gzip
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.browser.chromium import DESK_WIDTH, PHONE_WIDTH, open_profile
from deploy.browser.ground import Ground
from tests.web.watch import Watch, violations

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FIRST_LOAD_BYTES_MAX = 300_000
HEADINGS = {
    "/": "verified computer",
    "/buy": "Buy",
    "/jobs": "job",
    "/earn": "Earn",
    "/audit": "Audit",
    "/audit/epochs/1": "Epoch 1",
    "/audit/disputes/1": "ispute",
    "/book": "Order book",
    "/risks": "Risks",
}
"""A word of each page's first heading."""


@pytest.fixture(params=[(DESK_WIDTH, "light"), (PHONE_WIDTH, "dark")], ids=["desk", "phone"], scope="module")
def looked_at(request: pytest.FixtureRequest, browser: Browser, paid_ground: Ground) -> Iterator[tuple[Page, Watch]]:
    """A page of one width and theme, through all addresses."""
    width, theme = request.param
    with open_profile(browser, paid_ground.url, width, theme) as profile:
        page = profile.new_page()
        yield page, Watch(page, (paid_ground.url, paid_ground.network.rpc_url))


@pytest.mark.parametrize("path", HEADINGS)
def test_page_has_no_fault_no_violation_and_no_overflow(looked_at: tuple[Page, Watch], path: str) -> None:
    page, watch = looked_at
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_contain_text(HEADINGS[path], ignore_case=True)
    page.wait_for_load_state("networkidle")
    expect(page.locator(".spinner")).to_have_count(0, timeout=15_000)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert watch.faults == []


def test_page_that_is_not_there_says_so(page: Page, ground: Ground) -> None:
    page.goto("/jobs/0x1234")
    expect(page.get_by_role("main")).to_contain_text("no such job", ignore_case=True)
    assert page.request.get(f"{ground.url}/nothing").status == 404


def test_first_load_of_the_buyers_page_is_under_its_bound(page: Page) -> None:
    scripts: dict[str, int] = {}

    def count(url: str, body: bytes) -> None:
        scripts[url] = len(gzip.compress(body, 6))

    page.on("response", lambda answer: count(answer.url, answer.body()) if answer.url.endswith(".js") else None)
    page.goto("/buy")
    page.wait_for_load_state("networkidle")
    assert scripts, "no script was seen"
    assert sum(scripts.values()) < FIRST_LOAD_BYTES_MAX, scripts


def test_keyboard_alone_skips_to_the_page_and_turns_it(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "page"
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Risks").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Risks")


def test_theme_follows_the_system_until_one_is_chosen_and_then_stays(page: Page) -> None:
    page.goto("/risks")
    html = page.locator("html")
    expect(html).to_have_attribute("data-theme", "light")
    page.get_by_role("button", name="Use the dark theme").click()
    expect(html).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(html).to_have_attribute("data-theme", "dark")
