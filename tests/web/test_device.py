"""A browser tab as a device: it earns next to desktop ones with the same bytes, and loses nothing when it is closed."""

import re
from collections.abc import Callable, Iterator
from random import Random

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, expect

from deploy.browser.chromium import open_profile
from deploy.browser.ground import Ground
from multitude import Job, Terms
from programs.digits import reference
from tests.web.wallet import InjectedWallet
from tests.web.watch import Watch

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TASKS, SPAN_TASKS = 120, 4
ALL_ARE_REPLAYED_PPM = 1_000_000
DELIVERIES = "**/v1/leases/*/*/results"
CHAIN_MS, WORK_MS, PAID_S = 30_000, 60_000, 150


class Tab:
    """The earn page of a profile, with a device that belongs to the profile's wallet."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.region: Locator = page.get_by_role("region", name="Earn with this tab")

    def authorise(self) -> "Tab":
        """From the first look to a device with its owner."""
        self.page.goto("/earn")
        self.page.get_by_role("button", name="Yes, set up this tab").click()
        self.region.get_by_role("button", name="Connect a wallet").click()
        self.page.get_by_role("dialog").get_by_role("button", name="Test Wallet").click()
        self.region.get_by_role("button", name="Authorise this device").click()
        expect(self.button("Start earning")).to_be_visible(timeout=CHAIN_MS)
        return self

    def start(self) -> "Tab":
        """Until it waits for work."""
        self.button("Start earning").click()
        expect(self.status).to_contain_text("Asking for work", timeout=CHAIN_MS)
        return self

    def button(self, name: str) -> Locator:
        """One of its controls."""
        return self.region.get_by_role("button", name=name, exact=True)

    @property
    def status(self) -> Locator:
        """The sentence that says how it stands."""
        return self.region.get_by_role("status")

    @property
    def device(self) -> str:
        """Its address."""
        address = self.region.locator("dt", has_text="Device").locator("+ dd code").get_attribute("title")
        assert address
        return address

    def expect_tasks(self, pattern: str) -> None:
        """Waits until so many tasks are done."""
        done = self.region.locator("dt", has_text="Done so far").locator("+ dd")
        expect(done).to_contain_text(re.compile(rf"^{pattern} tasks"), timeout=WORK_MS)


@pytest.fixture
def profile(browser: Browser, ground: Ground) -> Iterator[BrowserContext]:
    """A browser profile with a wallet."""
    with open_profile(browser, ground.url) as context:
        InjectedWallet.fresh(ground.network.rpc_url, 31_337).install(context)
        yield context


@pytest.fixture
def new_tab(profile: BrowserContext, ground: Ground) -> Iterator[Callable[[], Tab]]:
    """Opens tabs of the profile, which must do nothing wrong until the test is over."""
    watches = []

    def opened() -> Tab:
        page = profile.new_page()
        watches.append(Watch(page, (ground.url, ground.network.rpc_url)))
        return Tab(page)

    yield opened
    assert [fault for watch in watches for fault in watch.faults] == []


def submit(ground: Ground, seed: int) -> tuple[Job, list[bytes]]:
    """A job of images, each of which is replayed by a seat: what the tab signs is compared before it is paid."""
    images = Random(seed).sample(list(ground.play.work.inputs), TASKS)
    terms = Terms(span_tasks=SPAN_TASKS, rate_floor_ppm=ALL_ARE_REPLAYED_PPM)
    return ground.play.buyer.submit(ground.play.program_id, images, terms, deposit=True), images


def test_tab_earns_next_to_desktop_devices_with_the_same_bytes(ground: Ground, new_tab: Callable[[], Tab]) -> None:
    tab = new_tab().authorise().start()
    job, images = submit(ground, 1)
    tab.expect_tasks(r"[1-9]\d*")
    expect(tab.status).to_contain_text("one short lease at a time", timeout=CHAIN_MS)
    tasks = {task.task: task for task in job.as_completed("final", timeout_s=PAID_S)}
    assert {index: task.output for index, task in tasks.items()} == {
        index: reference.expected_output(image) for index, image in enumerate(images)
    }
    ours = [task for task in tasks.values() if task.device == tab.device]
    assert len(ours) >= SPAN_TASKS
    assert all(task.replayed for task in ours)
    assert {task.device for task in tasks.values()} > {tab.device}
    earned = tab.region.locator("dt", has_text="Earned").locator("+ dd")
    expect(earned).not_to_contain_text(re.compile(r"\b0 MANY bonded"), timeout=CHAIN_MS)
    tab.button("Finish").click()
    expect(tab.button("Start earning")).to_be_visible()


def delivered(request: Request) -> bool:
    """Whether that is a device handing in its work."""
    return request.method == "POST" and request.url.endswith("/results")


def test_tab_closed_with_a_signed_receipt_sends_the_same_when_it_is_opened_again(
    ground: Ground, profile: BrowserContext, new_tab: Callable[[], Tab]
) -> None:
    first = new_tab().authorise().start()
    profile.route(DELIVERIES, lambda route: route.abort())
    job, images = submit(ground, 2)
    with first.page.expect_request(delivered, timeout=WORK_MS) as lost:
        pass
    first.page.close()
    profile.unroute(DELIVERIES)
    second = new_tab()
    with second.page.expect_request(delivered, timeout=WORK_MS) as sent:
        second.page.goto("/earn")
    assert sent.value.post_data_json["signature"] == lost.value.post_data_json["signature"]
    assert len(list(job.as_completed("final", timeout_s=PAID_S))) == len(images)


def test_tab_closed_in_the_middle_of_a_lease_has_its_work_handed_on(
    ground: Ground, profile: BrowserContext, new_tab: Callable[[], Tab]
) -> None:
    tab = new_tab().authorise().start()
    profile.route(DELIVERIES, lambda route: route.abort())
    job, images = submit(ground, 3)
    with tab.page.expect_request(delivered, timeout=WORK_MS):
        pass
    device = tab.device
    tab.page.close()
    tasks = list(job.as_completed("final", timeout_s=PAID_S))
    assert sorted(task.task for task in tasks) == list(range(len(images)))
    assert device not in {task.device for task in tasks}


def test_second_tab_of_a_profile_waits_and_takes_over(new_tab: Callable[[], Tab]) -> None:
    first = new_tab().authorise().start()
    second = new_tab()
    second.page.goto("/earn")
    expect(second.status).to_contain_text("Another tab of this browser runs this device", timeout=CHAIN_MS)
    first.page.close()
    expect(second.status).to_contain_text("Asking for work", timeout=CHAIN_MS)


def test_pause_says_why_and_outlives_a_reload(new_tab: Callable[[], Tab]) -> None:
    tab = new_tab().authorise().start()
    tab.button("Pause").click()
    expect(tab.status).to_contain_text("Paused by you")
    tab.page.reload()
    tab.button("Resume").click(timeout=CHAIN_MS)
    expect(tab.status).to_contain_text("Asking for work", timeout=CHAIN_MS)
