"""Fixtures of the browser tests: one network and one browser for this folder, a fresh profile for each test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from rich.console import Console

from chain.sender import Sender
from deploy.browser.chromium import launch, open_profile
from deploy.browser.ground import Ground, raised
from tests.web.watch import Watch


@pytest.fixture(scope="package")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The network."""
    folder = tmp_path_factory.mktemp("web")
    with (folder / "said.txt").open("w") as said, raised(folder / "network", Console(file=said)) as found:
        ask_stake_back(found)
        yield found


def ask_stake_back(ground: Ground) -> None:
    """The second device's owner asks a tenth of its stake back, so that its time goes by while other tests run."""
    plan, client = ground.play.cast.devices[1], ground.play.client
    stake = client.call("StakeVault", "deviceOf", plan.device.address)["stake"]
    Sender(client, plan.owner.account).send("StakeVault", "requestUnstake", plan.device.address, stake // 10)


@pytest.fixture(scope="package")
def paid_ground(ground: Ground) -> Ground:
    """The network once its first job is paid."""
    ground.wait_for_first_job()
    return ground


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium. Gone with this folder: while it is there Playwright's event loop runs in this process, and asynchronous
    tests of other folders could run none."""
    with sync_playwright() as playwright:
        found = launch(playwright)
        yield found
        found.close()


@pytest.fixture
def context(browser: Browser, ground: Ground) -> Iterator[BrowserContext]:
    """A profile at desk width."""
    found = open_profile(browser, ground.url)
    yield found
    found.close()


@pytest.fixture
def page(context: BrowserContext, ground: Ground) -> Iterator[Page]:
    """A page that must do nothing wrong until the test is over."""
    found = context.new_page()
    watch = Watch(found, (ground.url, ground.network.rpc_url))
    yield found
    assert watch.faults == []
