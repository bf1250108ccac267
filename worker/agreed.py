"""The network that the contributor agreed to: contracts, settler, blobs; kept in the state folder from `init` on.

Money is sent to these contracts, so another market, or the same one with other contracts, does not change them.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from protocol.blobs import blob_id
from protocol.encoding import checksum_address, to_hex
from protocol.errors import EncodingInvalid
from worker import control
from worker.errors import ChainUnusable, MarketUnreachable
from worker.market_client import check_url
from worker.settings import Settings

if TYPE_CHECKING:
    from chain.client import ChainClient
    from chain.deployment import Deployment

FILE = "network.json"
TIMEOUT_S = 10.0
WHOLE_S = 60.0
"""For the whole of an answer, however steadily it drips."""
ANSWER_BYTES_MAX = 1 << 20


@dataclass(frozen=True)
class Agreed:
    """A deployment, its market's settler, and where blobs are."""

    deployment: "Deployment"
    settler: str
    blobs_url: str

    @classmethod
    def from_json(cls, value: object) -> "Agreed":
        """Of GET /v1/network, or of the state folder. Raises ChainUnusable."""
        from chain.deployment import Deployment
        from chain.errors import ChainError

        if not isinstance(value, Mapping):
            raise ChainUnusable("no description of a network: not an object")
        try:
            contracts = value.get("addresses", value.get("contracts"))
            deployment = Deployment.from_json({**value, "contracts": contracts})
            return cls(deployment, checksum_address(value["settler"]), check_url(str(value["blobs"])))
        except (ChainError, KeyError, EncodingInvalid) as error:
            raise ChainUnusable(f"no description of a network: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """The form that `from_json` reads."""
        return {**self.deployment.to_json(), "settler": self.settler, "blobs": self.blobs_url}

    def differences(self, other: "Agreed") -> list[str]:
        """What another description says otherwise, each as a sentence; where blobs are may change."""
        mine, its = self.deployment, other.deployment
        found = [] if mine.chain_id == its.chain_id else [f"chain {its.chain_id}, not {mine.chain_id}"]
        if self.settler != other.settler:
            found.append(f"settler {other.settler}, not {self.settler}")
        names = sorted(mine.contracts.keys() | its.contracts.keys())
        changed = [name for name in names if mine.contracts.get(name) != its.contracts.get(name)]
        return found + [f"{name} at {its.contracts.get(name)}, not {mine.contracts.get(name)}" for name in changed]


def ask(markets: Sequence[str]) -> Agreed:
    """What the first market that answers says of its network.

    Raises MarketUnreachable, ChainUnusable, SettingsInvalid.
    """
    return Agreed.from_json(first_answer(markets, "/v1/network")[1])


def first_answer(markets: Sequence[str], path: str) -> tuple[str, Any]:
    """The first market that answers, and its JSON answer. Raises MarketUnreachable, SettingsInvalid."""
    trouble = "no market"
    for url in markets:
        try:
            return url, get_json(f"{check_url(url)}{path}")
        except MarketUnreachable as error:
            trouble = error.reason
    raise MarketUnreachable(trouble)


def kept(state_dir: Path) -> Agreed | None:
    """What was agreed to; None before `init`. Raises ChainUnusable."""
    try:
        return Agreed.from_json(json.loads((state_dir / FILE).read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ChainUnusable(f"{state_dir / FILE}: {error}") from error


def keep(state_dir: Path, agreed: Agreed) -> None:
    """From now on these contracts and no others."""
    control.write_whole(state_dir / FILE, json.dumps(agreed.to_json(), indent=1))


def open_chain(settings: Settings) -> tuple["ChainClient", Agreed]:
    """The chain by the settings' RPC, with the contracts agreed to. Raises ChainUnusable, ChainError."""
    from chain.client import ChainClient

    if not settings.rpc_url:
        raise ChainUnusable("no address of the chain: set rpc_url in the settings, or WORKER_RPC_URL")
    agreed = kept(settings.state_dir)
    if agreed is None:
        raise ChainUnusable("no network was agreed to: run `init` first")
    client = ChainClient(settings.rpc_url, agreed.deployment)
    chain_id = client.chain_id()
    if chain_id != agreed.deployment.chain_id:
        raise ChainUnusable(f"{settings.rpc_url} is chain {chain_id}, agreed was {agreed.deployment.chain_id}")
    return client, agreed


def get_json(url: str) -> Any:
    """A JSON answer of a market. MarketUnreachable says what else came."""
    try:
        return json.loads(get_bytes(url, ANSWER_BYTES_MAX))
    except (ValueError, RecursionError) as error:
        raise MarketUnreachable(f"{url} does not answer with JSON") from error


def get_blob(agreed: Agreed, name: bytes, limit_bytes: int) -> bytes:
    """A blob, checked against its id. Raises MarketUnreachable."""
    data = get_bytes(f"{agreed.blobs_url}/{to_hex(name)}", limit_bytes)
    if blob_id(data) != name:
        raise MarketUnreachable(f"what is served as blob {to_hex(name)} is something else")
    return data


@cache
def http() -> httpx2.Client:
    """One client for all questions; loopback is never asked through a proxy."""
    plain = {"Accept-Encoding": "identity"}
    return httpx2.Client(timeout=TIMEOUT_S, mounts={"http://": None}, headers=plain, follow_redirects=False)


def get_bytes(url: str, limit_bytes: int) -> bytes:
    """The body of a good answer. Raises MarketUnreachable."""
    data, ends_at = bytearray(), time.monotonic() + WHOLE_S
    try:
        with http().stream("GET", url) as response:
            if response.status_code != httpx2.codes.OK:
                raise MarketUnreachable(f"{url} answers {response.status_code}")
            for part in response.iter_bytes():
                data += part
                if len(data) > limit_bytes or time.monotonic() > ends_at:
                    raise MarketUnreachable(
                        f"{url} answers with more than {limit_bytes} bytes, or {WHOLE_S:.0f} s long"
                    )
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
        raise MarketUnreachable(f"{url}: {error!r}") from error
    return bytes(data)
