"""A wallet for browser tests: announced as an extension is (EIP-6963), signing with eth-account, refusing as told."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx2
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_account.signers.local import LocalAccount
from playwright.sync_api import BrowserContext, Page

SCRIPT = Path(__file__).with_name("injected_wallet.js")
REJECTED, UNAUTHORIZED, UNSUPPORTED, UNKNOWN_CHAIN, INTERNAL = 4001, 4100, 4200, 4902, -32603
ASKS = {
    "eth_requestAccounts",
    "personal_sign",
    "eth_signTypedData_v4",
    "eth_sendTransaction",
    "wallet_switchEthereumChain",
    "wallet_addEthereumChain",
}
"""What a person confirms; the rest is answered unseen."""

Params = list[Any]


class WalletRefusal(Exception):
    """An error of EIP-1193 that the page is to get."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.answer = {"code": code, "message": message, "data": data}


class InjectedWallet:
    """One wallet with the keys of `accounts`, the first one chosen; its chain's RPC answers what it does not itself.

    `asked` keeps every request that a person would see. `rejects` and `holds` are methods that it refuses with 4001
    or never answers, `unsupported` those that it does not know, `failures` those that fail with an error of its own.
    """

    name = "Test Wallet"

    def __init__(self, rpc_url: str, chain_id: int, accounts: Sequence[LocalAccount]) -> None:
        self.accounts = list(accounts)
        self.chain_id = chain_id
        self.known_chains = {chain_id}
        self.connected = False
        self.asked: list[tuple[str, Params]] = []
        self.rejects: set[str] = set()
        self.holds: set[str] = set()
        self.unsupported: set[str] = {"wallet_requestPermissions", "wallet_revokePermissions"}
        self.failures: dict[str, WalletRefusal] = {}
        self.events: list[tuple[str, object]] = []
        self._rpc_url = rpc_url
        self._own: dict[str, Callable[[Params], object]] = {
            "eth_chainId": lambda _: hex(self.chain_id),
            "eth_accounts": lambda _: self._accounts(),
            "eth_requestAccounts": self._connect,
            "personal_sign": self._sign_text,
            "eth_signTypedData_v4": self._sign_typed_data,
            "eth_sendTransaction": self._send,
            "wallet_switchEthereumChain": self._switch,
            "wallet_addEthereumChain": self._add,
        }

    @classmethod
    def fresh(cls, rpc_url: str, chain_id: int, count: int = 2) -> "InjectedWallet":
        """A wallet of `count` new accounts, with 10 coins each from a development node."""
        wallet = cls(rpc_url, chain_id, [Account.create() for _ in range(count)])
        for account in wallet.accounts:
            wallet.rpc("anvil_setBalance", [account.address, hex(10 * 10**18)])
        return wallet

    @property
    def address(self) -> str:
        """The chosen account."""
        return str(self.accounts[0].address)

    def install(self, place: BrowserContext | Page) -> None:
        """Before the page is opened: from then on each page in `place` has the wallet."""
        info = {
            "uuid": "350670db-19fa-4704-a166-e52e178b59d2",
            "name": self.name,
            "icon": "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'/%3E",
            "rdns": "test.multitude.wallet",
        }
        place.expose_function("__testWallet", self._answer)
        place.add_init_script(SCRIPT.read_text(encoding="utf-8").replace("INFO", json.dumps(info)))

    def switch_account(self, page: Page) -> str:
        """The person chooses the next account; the page hears of it."""
        self.accounts.append(self.accounts.pop(0))
        self._emit(page, "accountsChanged", [self.address])
        return self.address

    def switch_chain(self, page: Page, chain_id: int) -> None:
        """The person switches the network in the wallet."""
        self.chain_id = chain_id
        self._emit(page, "chainChanged", hex(chain_id))

    def disconnect(self, page: Page) -> None:
        """The person takes the page's permission away."""
        self.connected = False
        self._emit(page, "accountsChanged", [])

    def rpc(self, method: str, params: Params) -> Any:
        """The chain's answer. Raises WalletRefusal with the node's error, or where no node answers."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            answer = httpx2.post(self._rpc_url, json=body, timeout=10).json()
        except httpx2.HTTPError as error:
            raise WalletRefusal(INTERNAL, f"Failed to fetch: {error}") from None
        if refused := answer.get("error"):
            raise WalletRefusal(refused["code"], refused["message"], refused.get("data"))
        return answer["result"]

    @staticmethod
    def _emit(page: Page, event: str, value: object) -> None:
        page.evaluate("([event, value]) => window.__testWalletEmit(event, value)", [event, value])

    def _answer(self, text: str) -> str:
        request = json.loads(text)
        method, params = request["method"], request["params"]
        if method in ASKS:
            self.asked.append((method, params))
        self.events = []
        try:
            if method in self.holds:
                return json.dumps({"held": True})
            result = self._result(method, params)
        except WalletRefusal as refusal:
            return json.dumps({"error": refusal.answer})
        return json.dumps({"result": result, "events": self.events})

    def _result(self, method: str, params: Params) -> object:
        if method in self.unsupported:
            raise WalletRefusal(UNSUPPORTED, f"{method} is not supported")
        if method in self.rejects:
            raise WalletRefusal(REJECTED, "User rejected the request.")
        if method in self.failures:
            raise self.failures[method]
        own = self._own.get(method)
        return own(params) if own else self.rpc(method, params)

    def _accounts(self) -> list[str]:
        return [str(account.address) for account in self.accounts] if self.connected else []

    def _connect(self, _params: Params) -> list[str]:
        self.connected = True
        return self._accounts()

    def _key(self, address: str) -> LocalAccount:
        for account in self.accounts if self.connected else ():
            if account.address.lower() == address.lower():
                return account
        raise WalletRefusal(UNAUTHORIZED, "The account is not connected.")

    def _sign_text(self, params: Params) -> str:
        return _hex(self._key(params[1]).sign_message(encode_defunct(hexstr=params[0])).signature)

    def _sign_typed_data(self, params: Params) -> str:
        signable = encode_typed_data(full_message=json.loads(params[1]))
        return _hex(self._key(params[0]).sign_message(signable).signature)

    def _send(self, params: Params) -> object:
        asked = params[0]
        key = self._key(asked["from"])
        data, value = asked.get("data", "0x"), asked.get("value", "0x0")
        call = {"from": key.address, "to": asked["to"], "data": data, "value": value}
        price = 2 * int(self.rpc("eth_gasPrice", []), 16)
        signed = key.sign_transaction(
            {
                "to": asked["to"],
                "data": data,
                "value": int(value, 16),
                "chainId": self.chain_id,
                "nonce": int(self.rpc("eth_getTransactionCount", [key.address, "pending"]), 16),
                "gas": int(self.rpc("eth_estimateGas", [call]), 16) * 5 // 4,
                "maxFeePerGas": price,
                "maxPriorityFeePerGas": min(price, 10**9),
            }
        )
        return self.rpc("eth_sendRawTransaction", [_hex(signed.raw_transaction)])

    def _switch(self, params: Params) -> None:
        chain_id = int(params[0]["chainId"], 16)
        if chain_id not in self.known_chains:
            raise WalletRefusal(UNKNOWN_CHAIN, f"Unrecognized chain ID {hex(chain_id)}.")
        self.chain_id = chain_id
        self.events = [("chainChanged", hex(chain_id))]

    def _add(self, params: Params) -> None:
        self.known_chains.add(int(params[0]["chainId"], 16))
        self._switch(params)


def _hex(value: bytes) -> str:
    return "0x" + bytes(value).hex()
