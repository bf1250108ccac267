"""The audit pages against the chain and `multitude audit`: what they show, a replay that agrees, data that does not."""

import re
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from deploy.browser.chromium import PHONE_WIDTH, open_profile
from deploy.browser.ground import Ground
from multitude.audit.audit import audit_epoch
from multitude.audit.blobs import HttpBlobs
from multitude.audit.evidence import gather
from multitude.audit.facts import EpochFacts
from multitude.audit.judgement import wanted_runs
from multitude.audit.reader import ChainReader
from protocol.blobs import blob_id
from protocol.encoding import to_hex
from protocol.epoch_data import EpochData
from tests.web.watch import Watch, violations

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

READ_MS, RUN_MS = 30_000, 90_000


@pytest.fixture(scope="module")
def reader(paid_ground: Ground) -> ChainReader:
    """The chain as the command line reads it."""
    return ChainReader(paid_ground.play.client)


@pytest.fixture(scope="module")
def blobs(paid_ground: Ground) -> HttpBlobs:
    """The market's store."""
    return HttpBlobs(f"{paid_ground.url}/v1/blobs")


@pytest.fixture(scope="module")
def liars(reader: ChainReader) -> EpochFacts:
    """The epoch in which the liar was accused."""
    accused = reader.log.named("ChallengeOpened")
    assert accused, "nobody was accused on this ground"
    return reader.epoch(accused[0].args["epochId"])


def raw_of(facts: EpochFacts, blobs: HttpBlobs) -> bytes:
    return blobs.get(facts.head.data_id)


def drawn_count(facts: EpochFacts, reader: ChainReader, raw: bytes) -> int:
    evidence = gather(facts, raw, reader.client.deployment.domain)
    return sum(len(positions) for positions in wanted_runs(reader.complete(facts, evidence), evidence).values())


def verdict(page: Page) -> Locator:
    """The page's word on the epoch."""
    return page.get_by_role("region", name="Does it agree?").get_by_role("status")


def opened(page: Page, facts: EpochFacts) -> None:
    page.goto(f"/audit/epochs/{facts.epoch_id}")
    expect(verdict(page)).to_contain_text("comparisons", timeout=READ_MS)


def give(page: Page, data: bytes, role: str) -> None:
    """Hands a file in, in place of the blob of that role."""
    page.get_by_role("button", name="The file is").click()
    page.get_by_role("option", name=role).click()
    file = {"name": "altered.bin", "mimeType": "application/octet-stream", "buffer": data}
    page.locator("input[type=file]").set_input_files(file)  # type: ignore[arg-type]
    expect(page.get_by_text(f"stands for {role}")).to_be_visible()


def test_list_shows_the_epochs_and_disputes_of_the_chain(page: Page, reader: ChainReader) -> None:
    page.goto("/audit")
    expect(page.get_by_role("heading", name="Epochs")).to_be_visible(timeout=READ_MS)
    for epoch_id in reader.epoch_ids():
        facts = reader.epoch(epoch_id)
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=f"Epoch {epoch_id}", exact=True)).first
        expect(row).to_contain_text(facts.state.name.lower(), timeout=READ_MS)
        debit = sum(entry.sum for entry in facts.head.entries)
        expect(row.get_by_title(re.compile(rf"\({debit} wei\)"))).to_be_visible()
        expect(row.get_by_title(facts.head.settler)).to_be_visible()
    games = reader.log.named("ChallengeOpened")
    links = page.get_by_role("link", name=re.compile("^Leaf [0-9]+, position [0-9]+$"))
    expect(links).to_have_count(len(games))


def test_dispute_shows_votes_and_slash_of_the_chain(page: Page, reader: ChainReader) -> None:
    convicted = reader.log.named("Convicted")[0]
    resolved = next(e for e in reader.log.named("ChallengeResolved") if e.tx_hash == convicted.tx_hash)
    game = resolved.args["gameId"]
    page.goto(f"/audit/disputes/{to_hex(game)}")
    expect(page.get_by_text("the result was wrong: the device is convicted")).to_be_visible(timeout=READ_MS)
    expect(page.get_by_text("The panel judges", exact=True)).to_be_visible()
    votes = reader.log.named("VoteRevealed", gameId=game)
    expect(page.get_by_role("cell", name="the result is wrong")).to_have_count(len({v.args["verifier"] for v in votes}))
    for amount in (convicted.args["slashed"], convicted.args["burned"]):
        expect(page.get_by_title(re.compile(rf"\({amount} wei\)")).first).to_be_visible()
    assert violations(page) == []


def test_replay_of_all_drawn_tasks_agrees_as_the_command_line_does(
    page: Page, reader: ChainReader, blobs: HttpBlobs, liars: EpochFacts
) -> None:
    wanted = drawn_count(liars, reader, raw_of(liars, blobs))
    assert audit_epoch(reader, blobs, liars.epoch_id, run=True).exit_status == 0
    opened(page, liars)
    page.get_by_role("button", name="Replay all drawn tasks").click()
    expect(verdict(page)).to_contain_text(f"{wanted} drawn or accused tasks were run again here", timeout=RUN_MS)
    expect(verdict(page)).to_contain_text("agrees")
    # A lie is the device's: alone it disagrees, and the epoch agrees because the chain convicted it.
    lie = reader.log.named("ChallengeOpened", epochId=liars.epoch_id)[0].args
    evidence = gather(liars, raw_of(liars, blobs), reader.client.deployment.domain)
    task = evidence.leaves[lie["leafNumber"]].tasks[lie["task"]]
    page.get_by_role("textbox", name="Any other task").fill(str(task))
    page.get_by_role("button", name="Replay it").click()
    report = page.get_by_role("region", name=f"Task {task}, run again")
    line = report.get_by_role("listitem").filter(has_text="the output's root, by a run")
    expect(line).to_contain_text("disagrees", timeout=RUN_MS)
    values = line.locator("code").all_inner_texts()
    assert len(set(values)) == 2, values
    assert violations(page) == []


def test_altered_data_disagrees_until_it_is_taken_away(page: Page, blobs: HttpBlobs, liars: EpochFacts) -> None:
    raw = raw_of(liars, blobs)
    data = EpochData.parse(raw)
    leaf = data.entries[0].leaves[0]
    forged = replace(leaf, receipt=replace(leaf.receipt, amount=leaf.receipt.amount + 1))
    entry = replace(data.entries[0], leaves=(forged, *data.entries[0].leaves[1:]))
    altered = EpochData(data.settler, (entry, *data.entries[1:])).blob
    opened(page, liars)
    expect(verdict(page)).not_to_contain_text("disagrees")
    give(page, altered, "the epoch's data")
    expect(verdict(page)).to_contain_text("disagrees", timeout=READ_MS)
    row = page.get_by_role("row").filter(has_text="the blob's id")
    expect(row).to_contain_text(to_hex(liars.head.data_id))
    expect(row).to_contain_text(to_hex(blob_id(altered)))
    assert violations(page) == []
    page.get_by_role("button", name="Take altered.bin away").click()
    expect(verdict(page)).not_to_contain_text("disagrees", timeout=READ_MS)


def test_altered_module_and_nonsense_disagree(page: Page, liars: EpochFacts) -> None:
    opened(page, liars)
    give(page, b"\0asm\1\0\0\0nonsense", "a module")
    page.get_by_role("button", name=re.compile("^Replay task")).first.click()
    report = page.get_by_role("region", name=re.compile("run again$"))
    expect(report.get_by_role("status")).to_contain_text("disagrees", timeout=RUN_MS)
    expect(report.get_by_role("listitem").filter(has_text="the module's hash")).to_contain_text("disagrees")
    expect(report.get_by_role("listitem").filter(has_text="a run in this page")).to_contain_text("cannot tell")
    give(page, b"nonsense", "the epoch's data")
    expect(verdict(page)).to_contain_text("disagrees", timeout=READ_MS)


def test_what_cannot_be_read_is_said(browser: Browser, paid_ground: Ground, liars: EpochFacts) -> None:
    """On a phone: the store without the data, an epoch that is not there, then the chain without an answer."""
    with open_profile(browser, paid_ground.url, PHONE_WIDTH, "dark") as profile:
        page = profile.new_page()
        watch = Watch(page, (paid_ground.url, paid_ground.network.rpc_url))
        page.route(f"**/v1/blobs/{to_hex(liars.head.data_id)}", _gone)
        page.goto(f"/audit/epochs/{liars.epoch_id}")
        expect(page.get_by_text("The epoch's data cannot be had")).to_be_visible(timeout=READ_MS)
        expect(verdict(page)).to_contain_text("cannot tell")
        assert violations(page) == []
        page.goto("/audit/epochs/999999")
        expect(page.get_by_text("The chain has no epoch 999999")).to_be_visible(timeout=READ_MS)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.route(re.compile(re.escape(paid_ground.network.rpc_url)), lambda route: route.abort())
        page.goto("/audit")
        said = page.get_by_role("alert").filter(has_text="The chain cannot be read")
        expect(said).to_be_visible(timeout=60_000)
        assert violations(page) == []
        assert watch.faults == []


def _gone(route: Route) -> None:
    route.fulfill(status=404, body="")
