"""Where an audit reads from: options, then the local network's file, then what the checkout has on record."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from chain.client import ChainClient
from chain.deployment import VARIABLE, Deployment
from multitude.audit.blobs import Blobs, HttpBlobs, NoBlobs
from multitude.audit.errors import SourceMissing
from multitude.errors import NetworkUnknown
from multitude.network import CHECKOUT, NETWORK_FILE, network_folder, read_network

RECORDS = Path("deploy") / "addresses"
TIMEOUT_S = 30.0


class Sources(NamedTuple):
    """A client of the deployment on its chain, and its blobs."""

    client: ChainClient
    blobs: Blobs


def open_sources(rpc: str | None, blobs: str | None, deployment: Path | None) -> Sources:
    """What the options name; what they leave out comes from var/run/network.json.

    Without it, the deployment is the one that MULTITUDE_DEPLOYMENT names, or deploy/addresses/<chain id>.json. Raises
    SourceMissing, DeploymentInvalid, RpcFailed.
    """
    network = _network() if rpc is None or blobs is None or deployment is None else {}
    rpc_url = rpc or network.get("rpc")
    if not rpc_url:
        raise SourceMissing(f"no --rpc is given and {NETWORK_FILE} is not there")
    found = Deployment.load(deployment) if deployment is not None else _deployment(str(rpc_url), network)
    same = deployment is None or network.get("chain_id") == found.chain_id
    base = blobs or (network.get("blobs") if same else None)
    return Sources(ChainClient(str(rpc_url), found, TIMEOUT_S), HttpBlobs(str(base)) if base else NoBlobs())


def _deployment(rpc: str, network: dict[str, Any]) -> Deployment:
    same = rpc == network.get("rpc")
    chain_id = network.get("chain_id") if same else ChainClient(rpc, Deployment(0, 0, {}), TIMEOUT_S).chain_id()
    if network.get("chain_id") == chain_id:
        beside = network_folder() / "deployment.json"
        if beside.is_file():
            return Deployment.load(beside)
        return Deployment.from_json(network | {"contracts": network.get("addresses")})
    if os.environ.get(VARIABLE):
        return Deployment.from_environment()
    record = CHECKOUT / RECORDS / f"{chain_id}.json"
    if not record.is_file():
        raise SourceMissing(f"no --deployment is given, and no record of chain {chain_id}")
    return Deployment.load(record)


def _network() -> dict[str, Any]:
    try:
        return read_network()
    except NetworkUnknown as error:
        raise SourceMissing(str(error)) from error
