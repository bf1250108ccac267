"""The contributor's page on a real network: devices and every wei as the chain has them; stake, its return, a claim."""

import re
import time
from collections.abc import Callable
from random import Random

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from chain.accounting import TOKEN
from chain.codec import Decoded
from deploy.browser.chromium import HEIGHT, PHONE_WIDTH
from deploy.browser.ground import Ground
from deploy.local.mainjob.cast import Person
from multitude import Terms
from tests.web.wallet import InjectedWallet
from tests.web.watch import violations
from worker.agreed import get_json
from worker.earnings import Earnings, read_earnings

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LOCAL_CHAIN = 31_337
MILLI = 10**15
"""A thousandth of a token, in wei."""

CHAIN_MS, EPOCH_S = 30_000, 120
OVER = ("final", "void", "failed")
TASKS, SPAN_TASKS = 120, 4
SETTLER = "market-celery"


class Owner:
    """An owner of a desktop device: its wallet, and what the chain says of it."""

    def __init__(self, ground: Ground, person: Person) -> None:
        self.ground, self.address = ground, person.address
        self.client = ground.play.client
        self.devices = [plan.device.address for plan in ground.play.cast.devices if plan.owner == person]
        self.wallet = InjectedWallet(ground.network.rpc_url, LOCAL_CHAIN, [person.account])
        self.wallet.rpc("anvil_setBalance", [person.address, hex(10 * 10**18)])

    @property
    def tokens(self) -> int:
        """In its wallet, wei."""
        return int(self.client.call(TOKEN, "balanceOf", self.address))

    @property
    def credited(self) -> int:
        """In the escrow, wei."""
        return int(self.client.call("JobEscrow", "balanceOf", self.address))

    @property
    def vault(self) -> Decoded:
        """Its first device as StakeVault has it."""
        return self.client.call("StakeVault", "deviceOf", self.devices[0])

    def earnings(self) -> Earnings:
        """What `multitude worker earnings` reads."""
        play = self.ground.play
        told = {device: get_json(f"{play.api_url}/v1/devices/{device}") for device in self.devices}
        unfinal = {device: int(facts["unfinal_wei"]) for device, facts in told.items()}
        return read_earnings(self.client, self.devices[0], lambda name, _most: play.buyer.api.get_blob(name), unfinal)

    def open(self, page: Page) -> None:
        """The earn page, connected."""
        page.goto("/earn")
        page.get_by_role("main").get_by_role("button", name="Connect a wallet").first.click()
        page.get_by_role("dialog").get_by_role("button", name=self.wallet.name).click()
        expect(page.get_by_role("heading", name="Your devices")).to_be_visible(timeout=CHAIN_MS)
        expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.fixture
def owner(context: BrowserContext, paid_ground: Ground) -> Owner:
    """The owner of the device with the most stake, with its wallet in the browser."""
    found = Owner(paid_ground, paid_ground.play.cast.devices[0].owner)
    found.wallet.install(context)
    return found


@pytest.fixture
def leaver(context: BrowserContext, paid_ground: Ground) -> Owner:
    """The owner who asked stake back when the network was raised, with its wallet in the browser."""
    found = Owner(paid_ground, paid_ground.play.cast.devices[1].owner)
    found.wallet.install(context)
    return found


def tile(page: Page, name: str) -> Locator:
    """A part of the money."""
    return page.get_by_role("article", name=name)


def wei_of(place: Locator) -> int:
    """The amount that a place shows, to the wei."""
    title = place.locator(".number").first.get_attribute("title")
    found = re.search(r"\((\d+) wei\)", title or "")
    assert found, title
    return int(found[1])


def until(page: Page, holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Polls, while the page goes on and its wallet answers: both do only while Playwright is asked for something."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        page.wait_for_timeout(300)


def shown(page: Page) -> dict[str, int]:
    """The tiles."""
    names = ("Pending", "Claimable", "Withdrawn", "Bonded", "Deducted", "Slashed")
    return {name: wei_of(tile(page, name).locator(".earn-amount")) for name in names}


def told(found: Earnings) -> dict[str, int]:
    """The same, as the command has it."""
    return {
        "Pending": found.total("accepted") + found.total("posted"),
        "Claimable": found.credited,
        "Withdrawn": found.withdrawn,
        "Bonded": found.total("bonded"),
        "Deducted": found.total("deducted"),
        "Slashed": found.total("slashed"),
    }


def test_owner_sees_its_devices_and_money_as_the_chain_has_them_and_takes_it_out(page: Page, owner: Owner) -> None:
    owner.open(page)
    rows = page.get_by_role("table", name="Your devices").locator("tbody tr")
    expect(rows).to_have_count(len(owner.devices))
    for device in owner.devices:
        row = rows.filter(has=page.get_by_title(device))
        assert wei_of(row.locator("td").nth(2)) == owner.vault["stake"] > 0
        expect(row).to_contain_text(re.compile("waiting|working"), timeout=CHAIN_MS)
        expect(row).to_contain_text(re.compile(r"[1-9]\d* tasks"))
    until(page, lambda: shown(page) == told(owner.earnings()), 15, "tiles that equal the command's numbers")
    assert violations(page) == []
    taken = take_out(page, owner)
    until(page, lambda: shown(page) == told(owner.earnings()), 15, "the withdrawal to be shown")
    look_at_entries(page, taken)
    look_on_a_phone(page)


def take_out(page: Page, owner: Owner) -> int:
    """First a refusal, which changes nothing; then what claims credited, to the wei; how much that was."""
    credited, tokens, sent = owner.credited, owner.tokens, owner.client.nonce(owner.address)
    assert credited > 0
    owner.wallet.rejects.add("eth_sendTransaction")
    button = page.get_by_role("button", name="Take out")
    button.click()
    expect(page.get_by_text("You rejected the request")).to_be_visible(timeout=CHAIN_MS)
    assert (owner.client.nonce(owner.address), owner.tokens) == (sent, tokens)
    owner.wallet.rejects.clear()
    button.click()
    expect(page.get_by_text("It is in your wallet")).to_be_visible(timeout=CHAIN_MS)
    asked = int(owner.wallet.asked[-1][1][0]["data"][10:], 16)
    assert asked >= credited
    assert owner.tokens == tokens + asked
    return asked


def look_at_entries(page: Page, withdrawn: int) -> None:
    """The newest withdrawal is listed with its amount."""
    tile(page, "Withdrawn").get_by_role("button", name="Show").click()
    entries = page.get_by_role("table", name="Entries: Withdrawn").locator("tbody tr")
    assert wei_of(entries.first) == withdrawn
    expect(entries.first).to_contain_text("out of the owner's balance")


def look_on_a_phone(page: Page) -> None:
    """Nothing is wider than a narrow screen, and nothing is lost on it."""
    page.set_viewport_size({"width": PHONE_WIDTH, "height": HEIGHT})
    expect(page.get_by_role("button", name="Stake of")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
    assert violations(page) == []


def test_owner_stakes_asks_it_back_and_claims_what_its_market_leaves_lying(page: Page, owner: Owner) -> None:
    post_a_job(page, owner)
    owner.ground.network.supervisor.end(SETTLER)
    try:
        owner.open(page)
        page.get_by_role("button", name=f"Stake of {owner.devices[0]}").click()
        stake_more(page, owner, 20 * MILLI)
        ask_back(page, owner, 5 * MILLI)
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
        claim(page, owner)
    finally:
        owner.ground.network.supervisor.restart(SETTLER)


def stake_more(page: Page, owner: Owner, wei: int) -> None:
    """First a refusal, which changes nothing; then exactly so much."""
    dialog = page.get_by_role("dialog")
    stake, tokens = owner.vault["stake"], owner.tokens
    assert wei_of(dialog.locator("dt", has_text="At stake now").locator("+ dd")) == stake
    dialog.get_by_label("MANY to stake").fill(f"0.{wei // MILLI:03}")
    assert violations(page) == []
    owner.wallet.rejects.add("eth_sendTransaction")
    button = dialog.get_by_role("button", name="Stake", exact=True)
    button.click()
    expect(dialog.get_by_text("You rejected the request")).to_be_visible(timeout=CHAIN_MS)
    assert (owner.vault["stake"], owner.tokens) == (stake, tokens)
    owner.wallet.rejects.clear()
    button.click()
    expect(dialog.get_by_text("It counts from the next block on")).to_be_visible(timeout=CHAIN_MS)
    assert (owner.vault["stake"], owner.tokens) == (stake + wei, tokens - wei)


def ask_back(page: Page, owner: Owner, wei: int) -> None:
    """The stake goes down at once, and what is asked back waits as long as the chain says."""
    dialog = page.get_by_role("dialog")
    stake, tokens = owner.vault["stake"], owner.tokens
    dialog.get_by_label("MANY to ask back").fill(f"0.{wei // MILLI:03}")
    dialog.get_by_role("button", name="Ask it back").click()
    countdown = dialog.get_by_text(re.compile(rf"0\.{wei // MILLI:03} MANY unbonding, still at risk, .+ left"))
    expect(countdown).to_be_visible(timeout=CHAIN_MS)
    facts = owner.vault
    assert (facts["stake"], facts["unbonding"], owner.tokens) == (stake - wei, wei, tokens)
    before = seconds_left(countdown)
    left = facts["unbondsAt"] - owner.client.head().timestamp
    assert left - 5 <= before <= left + 20
    until(page, lambda: seconds_left(countdown) < before, 15, "the countdown to go on")
    expect(dialog.get_by_role("button", name="Take it out")).to_be_disabled()
    assert violations(page) == []


def seconds_left(countdown: Locator) -> int:
    """Of "2 min 59 s left"."""
    found = re.search(r"risk, (?:(\d+) min ?)?(?:(\d+) s )?left", countdown.inner_text().replace("\n", " "))
    assert found, countdown.inner_text()
    return 60 * int(found[1] or 0) + int(found[2] or 0)


def post_a_job(page: Page, owner: Owner) -> None:
    """Work of the owner's device is in an epoch, as the market knows too, and that is not final."""
    play = owner.ground.play
    images = Random(6).sample(list(play.work.inputs), TASKS)
    play.buyer.submit(play.program_id, images, Terms(span_tasks=SPAN_TASKS), deposit=True)

    def is_posted() -> bool:
        leaves = get_json(f"{play.api_url}/v1/owners/{owner.address}/earnings")["leaves"]
        return any(leaf["state"] == "committed" and leaf["epochState"] not in OVER for leaf in leaves)

    until(page, is_posted, EPOCH_S, "an epoch with the owner's work")


def claim(page: Page, owner: Owner) -> None:
    """Once the chain would take it, the owner claims from the page what its market does not."""
    button = page.get_by_role("button", name="Claim it now")
    expect(button).to_be_visible(timeout=1000 * EPOCH_S)
    due = owner.earnings()
    before, want = owner.credited, due.total("due_paid")
    assert want > 0
    button.click()
    until(page, lambda: owner.credited >= before + want, 60, "the claim's credit")
    assert owner.wallet.asked[-1][1][0]["to"].lower() == owner.client.deployment.address("EpochLedger").lower()
    until(
        page,
        lambda: shown(page)["Claimable"] == owner.credited == owner.earnings().credited,
        15,
        "the claim to be shown",
    )
    expect(page.get_by_text("Not claimed")).to_have_count(0)


def test_stake_asked_back_is_taken_out_when_its_time_is_over_and_not_before(page: Page, leaver: Owner) -> None:
    wei, over_at = leaver.vault["unbonding"], leaver.vault["unbondsAt"]
    assert wei > 0
    leaver.open(page)
    page.get_by_role("button", name=f"Stake of {leaver.devices[0]}").click()
    dialog = page.get_by_role("dialog")
    button = dialog.get_by_role("button", name="Take it out")
    expect(button).to_be_visible(timeout=CHAIN_MS)
    if (left := over_at - leaver.client.head().timestamp) > CHAIN_MS // 1000:
        expect(button).to_be_disabled()
    # In the whole suite the time is over by now; alone, this waits for what is left of it.
    expect(button).to_be_enabled(timeout=1000 * max(0, left) + CHAIN_MS)
    assert leaver.client.head().timestamp >= over_at
    expect(dialog).to_contain_text("can be taken out")
    assert violations(page) == []
    withdraw(leaver, dialog, button, wei)
    expect(button).to_have_count(0)


def withdraw(owner: Owner, dialog: Locator, button: Locator, wei: int) -> None:
    """First a refusal, which changes nothing; then all that was asked back, to the wei, and none of the stake."""
    tokens, stake = owner.tokens, owner.vault["stake"]
    owner.wallet.rejects.add("eth_sendTransaction")
    button.click()
    expect(dialog.get_by_text("You rejected the request")).to_be_visible(timeout=CHAIN_MS)
    assert (owner.tokens, owner.vault["unbonding"]) == (tokens, wei)
    owner.wallet.rejects.clear()
    button.click()
    expect(dialog.get_by_text("The stake is in your wallet")).to_be_visible(timeout=CHAIN_MS)
    assert (owner.tokens, owner.vault["unbonding"]) == (tokens + wei, 0)
    assert owner.vault["stake"] >= stake
