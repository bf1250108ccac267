"""The buyer's pages on a real network: from a wallet to verified results on disk, a cancellation, a refused module."""

import csv
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from deploy.browser.chromium import PHONE_WIDTH, open_profile
from deploy.browser.ground import Ground
from programs.digits.reference import expected_output
from protocol.encoding import from_hex
from protocol.hashing import keccak256
from tests.web.wallet import InjectedWallet
from tests.web.watch import Watch, violations

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LOCAL_CHAIN = 31_337
STEP_MS, CHAIN_MS, JOB_MS = 20_000, 30_000, 120_000
PHASE_CLOSING = 2
EXAMPLES = Path(__file__).parents[2] / "web" / "src" / "pages" / "buy" / "examples.json"
FLOATS = bytes.fromhex("0061736d010000000105016000017d030201000a09010700430000803f0b")
"""A module whose only function gives a float: a type, an instruction, the memory and two exports are faults."""


@pytest.fixture
def wallet(context: BrowserContext, paid_ground: Ground) -> InjectedWallet:
    """A newcomer's: coins of the chain, no tokens."""
    made = InjectedWallet.fresh(paid_ground.network.rpc_url, LOCAL_CHAIN)
    made.install(context)
    return made


def example_images() -> list[bytes]:
    """The digits that the page offers."""
    return [bytes.fromhex(entry["hex"]) for entry in json.loads(EXAMPLES.read_text("utf-8"))["digits"]]


def fact(place: Page | Locator, name: str) -> Locator:
    """What stands beside a name in a list of facts."""
    return place.locator("dt", has_text=re.compile(f"^{re.escape(name)}$")).locator("+ dd")


def pick_digits(page: Page) -> None:
    """Chooses the program."""
    page.get_by_role("radiogroup", name="Program").get_by_text("digits", exact=True).click(timeout=STEP_MS)


def quote_examples(page: Page) -> None:
    """Picks `digits` with its examples and uploads them."""
    page.goto("/buy")
    pick_digits(page)
    page.get_by_role("button", name="Add the 8 examples").click(timeout=STEP_MS)
    expect(page.get_by_text("8 inputs, 512 B")).to_be_visible(timeout=STEP_MS)
    expect(page.get_by_text("Inputs and outputs are public", exact=True)).to_be_visible()
    page.get_by_role("button", name="Upload 512 B and get a quote").click()
    expect(page.get_by_text("What drives it")).to_be_visible(timeout=STEP_MS)


def connect_and_deposit(page: Page, wallet: InjectedWallet) -> None:
    """Connects, takes test tokens where the wallet has too few, deposits what the quote's cap lacks."""
    page.get_by_role("button", name="Connect a wallet").click()
    page.get_by_role("dialog").get_by_role("button", name=wallet.name).click()
    page.get_by_role("button", name="Get test tokens").click(timeout=STEP_MS)
    deposit = page.get_by_role("button", name="Deposit the missing")
    expect(deposit).to_be_enabled(timeout=CHAIN_MS)
    deposit.click()


def sign(page: Page) -> str:
    """Signs the bid and comes to the job's page; the job's id."""
    page.get_by_role("button", name="Sign the bid and open the job").click(timeout=CHAIN_MS)
    page.wait_for_url(re.compile("/jobs/0x"), timeout=STEP_MS)
    return page.url.rsplit("/", 1)[1]


def test_unknown_module_shows_its_refusal_by_function_and_byte(page: Page) -> None:
    page.goto("/buy")
    page.get_by_text("Upload a module of your own").click()
    page.locator("input[type=file]").set_input_files(
        {"name": "floats.wasm", "mimeType": "application/wasm", "buffer": FLOATS}, timeout=STEP_MS
    )
    page.get_by_role("button", name="Upload and admit").click()
    refusal = page.get_by_role("list", name="Admission errors")
    expect(refusal).to_contain_text("function 0, byte 14: floating point", timeout=STEP_MS)
    expect(refusal.get_by_role("listitem")).to_have_count(5)
    expect(refusal).to_contain_text("function 0, byte 24: floating point")
    expect(refusal).to_contain_text("The module, byte 30: there is no memory")
    assert violations(page) == []


def test_pasted_hex_that_is_none_names_its_line(page: Page) -> None:
    page.goto("/buy")
    pick_digits(page)
    page.get_by_text("Paste inputs").click(timeout=STEP_MS)
    page.get_by_role("button", name="What is pasted").click()
    page.get_by_role("option", name="Hex, a task on each line").click()
    page.get_by_role("textbox", name="Inputs").fill("00\nzz")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Line 2: hex has")


def test_buyer_gets_from_a_wallet_to_verified_results(
    page: Page, wallet: InjectedWallet, paid_ground: Ground, tmp_path: Path
) -> None:
    quote_examples(page)
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    expect(fact(page, "Replayed").first).to_have_text("about 100 %")
    expect(page.get_by_role("list").filter(has_text="if 8 results are wrong")).to_contain_text("none")
    connect_and_deposit(page, wallet)
    expect(page.get_by_role("button", name="Sign the bid and open the job")).to_be_visible(timeout=CHAIN_MS)
    assert violations(page) == []
    page.reload()
    job = sign(page)
    typed = json.loads(next(params[1] for method, params in reversed(wallet.asked) if "signTyped" in method))
    assert (typed["primaryType"], typed["message"]["taskCount"]) == ("Bid", 8)
    assert typed["message"]["rateFloorPpm"] in (1_000_000, "1000000")
    expect(page.get_by_role("list", name="Events, newest first")).to_contain_text("8 tasks accepted", timeout=CHAIN_MS)
    expect(page.get_by_text("Every task is final: paid for")).to_be_visible(timeout=JOB_MS)
    table = page.get_by_role("table", name="Results by task")
    expect(table.get_by_text("replayed", exact=True)).to_have_count(8, timeout=STEP_MS)
    expect(table.get_by_text("digit 7")).to_be_visible()
    with page.expect_download(timeout=STEP_MS) as zipped:
        page.get_by_role("button", name="Verify and download 8 final").click()
    expect(page.get_by_text("8 of 8 results verified")).to_be_visible()
    assert violations(page) == []
    check_zip(Path(zipped.value.path()), job)
    check_receipt(page, tmp_path)
    look_on_a_phone(page, paid_ground, job)


def check_zip(path: Path, job: str) -> None:
    """The outputs are the reference's, byte for byte, and results.json names them by their hashes."""
    with ZipFile(path) as archive:
        told = json.loads(archive.read("results.json"))
        outputs = [archive.read(task["file"]) for task in told["tasks"]]
    assert outputs == [expected_output(image) for image in example_images()]
    assert (told["job"], [task["task"] for task in told["tasks"]]) == (job, list(range(8)))
    assert all(task["verified"] and task["replayed"] and task["state"] == "final" for task in told["tasks"])
    assert [from_hex(task["keccak256"], 32) for task in told["tasks"]] == [keccak256(output) for output in outputs]


def check_receipt(page: Page, folder: Path) -> None:
    """CSV and JSON of the receipt tell the same, and what was paid for is there with its transaction."""
    saved = []
    for form in ("CSV", "JSON"):
        with page.expect_download() as told:
            page.get_by_role("link", name=form, exact=True).click()
        told.value.save_as(folder / form)
        saved.append((folder / form).read_text("utf-8"))
    rows, bill = list(csv.DictReader(StringIO(saved[0]))), json.loads(saved[1])
    claimed = [row for row in rows if row["state"] == "claimed"]
    assert sum(int(row["tasks"]) for row in claimed) == 8
    assert all(row["claimTx"].startswith("0x") for row in claimed)
    assert int(bill["spent"]) == sum(int(row[name]) for row in claimed for name in ("amount", "fee", "surcharge")) > 0


def look_on_a_phone(page: Page, ground: Ground, job: str) -> None:
    """A stranger reads the finished job on a phone, in the dark: nothing turns, nothing is wider than the screen."""
    browser = page.context.browser
    assert browser is not None
    with phone(browser, ground) as other:
        other.goto(f"/jobs/{job}")
        expect(other.get_by_text("Every task is final: paid for")).to_be_visible(timeout=STEP_MS)
        expect(other.get_by_role("table", name="Items of the receipt")).to_be_visible(timeout=STEP_MS)
        expect(other.locator(".spinner")).to_have_count(0)
        expect(other.get_by_role("button", name="Cancel the job")).to_have_count(0)
        assert other.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
        assert violations(other) == []


@contextmanager
def phone(browser: Browser, ground: Ground) -> Iterator[Page]:
    """A page 360 pixels wide that must do nothing wrong."""
    context = open_profile(browser, ground.url, PHONE_WIDTH, "dark")
    found = context.new_page()
    watch = Watch(found, (ground.url, ground.network.rpc_url))
    yield found
    context.close()
    assert watch.faults == []


def test_cancelled_job_shows_what_comes_back_and_when(page: Page, wallet: InjectedWallet, paid_ground: Ground) -> None:
    quote_examples(page)
    connect_and_deposit(page, wallet)
    job = sign(page)
    page.get_by_role("button", name="Cancel the job").click(timeout=CHAIN_MS)
    ask = page.get_by_role("alertdialog")
    expect(fact(ask, "When")).to_contain_text("30 s after the cancellation")
    assert violations(page) == []
    ask.get_by_role("button", name="Cancel the job on the chain").click()
    closing = page.get_by_text("come back at")
    expect(closing).to_be_visible(timeout=CHAIN_MS)
    record = paid_ground.play.client.call("JobEscrow", "jobOf", from_hex(job, 32))
    assert record["phase"] == PHASE_CLOSING
    page.goto("/jobs")
    row = page.get_by_role("row").filter(has_text=job[:10])
    expect(row).to_contain_text("closing", timeout=STEP_MS)
    expect(row).to_contain_text("still open")
    assert violations(page) == []
