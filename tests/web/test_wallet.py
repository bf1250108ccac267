"""The wallet in the page: what it shows before it signs, and what is said where wallet, chain or market fail."""

import re
from collections.abc import Callable

import pytest
from eth_account.signers.local import LocalAccount
from playwright.sync_api import BrowserContext, FilePayload, Locator, Page, Route, expect

from deploy.browser.ground import Ground
from tests.web.wallet import InjectedWallet, Params, WalletRefusal
from tests.web.watch import violations

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LOCAL_CHAIN = 31_337
ANSWER_MS, CHAIN_MS = 10_000, 20_000
DEVICE = "0x00000000000000000000000000000000000000A1"
MORE_THAN_STRANGERS_MAY_UPLOAD = 1_100_000
GAS = 300_000


class OutrunWallet(InjectedWallet):
    """Before it sends a call, its other account sends the same one and has it mined."""

    def _send(self, params: Params) -> object:
        call = {**params[0], "gas": hex(GAS)}
        other: LocalAccount = self.accounts[1]
        first = super()._send([{**call, "from": other.address}])
        self.rpc("evm_mine", [])
        assert self.rpc("eth_getTransactionReceipt", [first])["status"] == "0x1"
        return super()._send([call])


@pytest.fixture
def wallet(context: BrowserContext, ground: Ground) -> InjectedWallet:
    """A wallet of two accounts in the page's profile."""
    made = InjectedWallet.fresh(ground.network.rpc_url, LOCAL_CHAIN)
    made.install(context)
    return made


def open_dialog(page: Page) -> Locator:
    """Our dialog: the wallets, or the account."""
    page.get_by_role("banner").get_by_role("button", name=re.compile("Connect|Account")).click()
    return page.get_by_role("dialog")


def connect(page: Page, wallet: InjectedWallet) -> None:
    """By the dialog."""
    open_dialog(page).get_by_role("button", name=wallet.name).click()
    expect(account_button(page, wallet.address)).to_be_visible(timeout=ANSWER_MS)


def account_button(page: Page, address: str) -> Locator:
    """The header's button of a connected account."""
    return page.get_by_role("button", name=f"Account {address}")


def fact(place: Locator | Page, name: str) -> Locator:
    """What stands beside a name in a list of facts."""
    return place.locator("dt", has_text=re.compile(f"^{re.escape(name)}$")).locator("+ dd")


def rpc_down(page: Page, ground: Ground) -> Callable[[], None]:
    """Lets the page's requests to the chain fail; calling the answer ends that."""
    pattern = re.compile(re.escape(ground.network.rpc_url))
    page.route(pattern, lambda route: route.abort())
    return lambda: page.unroute(pattern)


def test_browser_without_a_wallet_is_told_what_to_install(page: Page, ground: Ground) -> None:
    def as_public_node(route: Route) -> None:
        route.continue_(post_data=(route.request.post_data or "").replace('"anvil_', '"unknown_'))

    page.route(re.compile(re.escape(ground.network.rpc_url)), as_public_node)
    page.goto("/risks")
    dialog = open_dialog(page)
    expect(dialog).to_contain_text("No wallet found", timeout=ANSWER_MS)
    expect(dialog).to_contain_text("EIP-6963")
    assert violations(page) == []


def test_chain_down_and_market_behind_are_said_on_every_page(page: Page, ground: Ground) -> None:
    def behind(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "indexed_block": 3})

    page.route("**/v1/network", behind)
    page.goto("/risks")
    expect(page.get_by_role("main")).to_contain_text("The market is behind the chain", timeout=ANSWER_MS)
    expect(page.get_by_role("main")).to_contain_text("It has read block 3; the chain is at ")
    page.unroute("**/v1/network")
    up = rpc_down(page, ground)
    page.goto("/book")
    expect(page.get_by_role("main")).to_contain_text("The chain does not answer", timeout=ANSWER_MS)
    up()
    page.get_by_role("main").get_by_role("button", name="Try again").first.click()
    expect(page.get_by_role("main")).not_to_contain_text("The chain does not answer", timeout=ANSWER_MS)


def test_connecting_is_refused_granted_kept_and_held_to_the_markets_network(page: Page, wallet: InjectedWallet) -> None:
    page.goto("/risks")
    dialog = open_dialog(page)
    wallet.rejects = {"eth_requestAccounts"}
    dialog.get_by_role("button", name=wallet.name).click(timeout=ANSWER_MS)
    expect(dialog).to_contain_text("You rejected the request")
    assert violations(page) == []
    wallet.rejects = set()
    dialog.get_by_role("button", name=wallet.name).click()
    expect(dialog).to_be_hidden()
    page.reload()
    expect(account_button(page, wallet.address)).to_be_visible(timeout=ANSWER_MS)
    dialog = open_dialog(page)
    expect(fact(dialog, "Coin for fees")).to_have_text("10.0000 ETH", timeout=ANSWER_MS)
    assert violations(page) == []

    wallet.known_chains = set()
    wallet.rejects = {"wallet_addEthereumChain"}
    wallet.switch_chain(page, 1)
    expect(dialog).to_contain_text("Your wallet is on another network")
    dialog.get_by_role("button", name="Switch network").click()
    expect(dialog).to_contain_text("You rejected the request")
    wallet.rejects = set()
    dialog.get_by_role("button", name="Switch network").click()
    expect(fact(dialog, "Network")).to_have_text(f"Chain {LOCAL_CHAIN}")
    assert wallet.asked[-1][1][0]["rpcUrls"]
    dialog.get_by_role("button", name="Disconnect").click()
    page.reload()
    expect(page.get_by_role("button", name="Connect", exact=True)).to_be_visible()


def test_signature_is_not_made_when_rejected_or_when_the_account_changes(page: Page, wallet: InjectedWallet) -> None:
    page.goto("/earn")
    connect(page, wallet)
    page.get_by_text("Sign for a desktop's device").click()
    page.get_by_label("The device's address").fill(DEVICE)
    main, sign = page.get_by_role("main"), page.get_by_role("button", name="Sign", exact=True)
    wallet.rejects = {"eth_signTypedData_v4"}
    sign.click()
    expect(main).to_contain_text("You rejected the request")
    wallet.rejects, wallet.holds = set(), {"eth_signTypedData_v4"}
    sign.click()
    expect(main).to_contain_text("confirm in your wallet")
    wallet.switch_account(page)
    expect(main).to_contain_text("The account was switched")
    wallet.holds = set()
    wallet.asked.clear()
    sign.click()
    expect(page.get_by_role("region", name="On the desktop")).to_contain_text(
        re.compile("--owner-signature 0x[0-9a-f]{130}")
    )
    [(_, (signer, _))] = wallet.asked
    assert signer.lower() == wallet.address.lower()


def test_transaction_that_cannot_be_paid_sent_or_mined_says_why(
    page: Page, context: BrowserContext, ground: Ground
) -> None:
    wallet = OutrunWallet.fresh(ground.network.rpc_url, LOCAL_CHAIN)
    wallet.install(context)
    page.goto("/risks")
    connect(page, wallet)
    dialog = open_dialog(page)
    drip = dialog.get_by_role("button", name="Get test tokens")

    def refused(title: str) -> None:
        drip.click()
        expect(dialog.get_by_text(title).last).to_be_visible(timeout=ANSWER_MS)
        expect(drip).not_to_have_attribute("aria-disabled", "true")

    wallet.failures["eth_sendTransaction"] = WalletRefusal(-32000, "insufficient funds for gas * price + value")
    refused("Not enough coin for the network's fee")
    wallet.failures.clear()
    wallet.rejects = {"eth_sendTransaction"}
    refused("You rejected the request")
    wallet.rejects = set()
    refused("The contract refused")
    expect(dialog).to_contain_text("The faucet gives to this account again at")
    assert [method for method, _ in wallet.asked].count("eth_sendTransaction") == 3
    wallet.asked.clear()
    up = rpc_down(page, ground)
    refused("The chain does not answer")
    up()
    refused("The contract refused")
    assert wallet.asked == []


def test_deposit_takes_one_permit_or_where_that_cannot_be_signed_an_approval(
    page: Page, wallet: InjectedWallet, ground: Ground
) -> None:
    def balance(contract: str) -> int:
        return int(ground.play.client.call(contract, "balanceOf", wallet.address))

    def asked() -> list[str]:
        names, wallet.asked = [method for method, _ in wallet.asked], []
        return names

    page.goto("/buy")
    connect(page, wallet)
    page.get_by_role("radio", name=re.compile("digits", re.IGNORECASE)).check(force=True)
    page.get_by_role("button", name=re.compile(r"^Add the \d+ examples")).click()
    page.get_by_role("button", name=re.compile("get a quote$")).click()
    main, deposit = page.get_by_role("main"), page.get_by_role("button", name="Deposit the missing")
    tokens = page.get_by_role("button", name="Get test tokens")
    for cannot_sign in (False, True):
        expect(main).to_contain_text("Your wallet has too few tokens", timeout=CHAIN_MS)
        expect(deposit).to_be_disabled()
        tokens.click()
        expect(deposit).to_be_enabled(timeout=CHAIN_MS)
        held = balance("MultitudeToken")
        missing = wei(deposit.locator("[title]").first.get_attribute("title"))
        wallet.unsupported |= {"eth_signTypedData_v4"} if cannot_sign else set()
        asked()
        deposit.click()
        if cannot_sign:
            expect(main).to_contain_text("Step 2 of 2", timeout=CHAIN_MS)
        expect(page.get_by_role("button", name="Sign the bid")).to_be_visible(timeout=CHAIN_MS)
        assert balance("JobEscrow") == missing > 0
        assert balance("MultitudeToken") == held - missing
        assert asked() == ["eth_signTypedData_v4", "eth_sendTransaction", *["eth_sendTransaction"][:cannot_sign]]
        wallet.switch_account(page)


def wei(title: str | None) -> int:
    """The exact amount that an amount's title says."""
    found = re.search(r"(\d+) wei", title or "")
    assert found
    return int(found[1])


def test_sign_in_is_asked_for_large_uploads_kept_over_a_reload_and_ended_by_another_account(
    page: Page, wallet: InjectedWallet, ground: Ground
) -> None:
    page.goto("/buy")
    connect(page, wallet)
    page.get_by_role("radio", name=re.compile("digits", re.IGNORECASE)).check(force=True)
    data = bytes(MORE_THAN_STRANGERS_MAY_UPLOAD)
    large: FilePayload = {"name": "large.bin", "mimeType": "application/octet-stream", "buffer": data}
    page.get_by_role("region", name="Add inputs").locator("input[type=file]").set_input_files(large)
    page.get_by_role("button", name=re.compile("get a quote$")).click()
    sign_in = page.get_by_role("button", name="Sign in and upload")
    wallet.rejects = {"personal_sign"}
    sign_in.click(timeout=ANSWER_MS)
    expect(page.get_by_role("main")).to_contain_text("You rejected the request")
    wallet.rejects = set()
    sign_in.click()
    expect(page.get_by_role("main")).to_contain_text("1 inputs are uploaded", timeout=ANSWER_MS)
    message = bytes.fromhex(wallet.asked[-1][1][0][2:]).decode()
    assert message.startswith(ground.url.removeprefix("http://"))
    assert wallet.address in message
    page.reload()
    expect(account_button(page, wallet.address)).to_be_visible(timeout=ANSWER_MS)
    sign_out = open_dialog(page).get_by_role("button", name="Sign out of the market")
    expect(sign_out).to_be_visible()
    wallet.switch_account(page)
    expect(sign_out).to_be_hidden()
    assert page.evaluate("sessionStorage.getItem('multitude.session')") is None


def test_development_wallet_gives_a_newcomer_coin_and_tokens_and_shows_what_it_signs(page: Page) -> None:
    page.goto("/earn")
    dialog = open_dialog(page)
    asking = page.get_by_role("alertdialog", name="Development wallet")
    dialog.get_by_role("button", name="Development wallet").click(timeout=ANSWER_MS)
    expect(asking).to_contain_text("Connect to this page?")
    assert violations(page) == []
    asking.get_by_role("button", name="Reject").click()
    expect(dialog).to_contain_text("You rejected the request")
    dialog.get_by_role("button", name="Development wallet").click()
    asking.get_by_role("button", name="Connect").click()
    expect(account_button(page, "0x")).to_be_visible(timeout=CHAIN_MS)
    expect(dialog).to_be_hidden()
    dialog = open_dialog(page)
    expect(fact(dialog, "Coin for fees")).to_contain_text(re.compile(r"^(100\.0|99\.9)"), timeout=ANSWER_MS)
    expect(fact(dialog, "In the wallet")).to_contain_text(re.compile(r"^(?!0 )[\d,.]+ MANY"), timeout=CHAIN_MS)
    page.keyboard.press("Escape")

    page.get_by_text("Sign for a desktop's device").click()
    page.get_by_label("The device's address").fill(DEVICE)
    sign = page.get_by_role("button", name="Sign", exact=True)
    sign.click()
    expect(asking).to_contain_text("Sign this Binding?")
    expect(fact(asking, "device")).to_have_text(DEVICE, ignore_case=True)
    expect(fact(asking, "For")).to_contain_text(f"Multitude on chain {LOCAL_CHAIN}, contract 0x")
    asking.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("main")).to_contain_text("You rejected the request")
    sign.click()
    asking.get_by_role("button", name="Sign").click()
    expect(page.get_by_role("region", name="On the desktop")).to_contain_text("--owner-signature 0x")
