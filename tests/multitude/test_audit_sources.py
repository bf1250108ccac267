"""Where an audit reads from, and that nothing to read from is told and not guessed."""

import json

import pytest
from typer.testing import CliRunner

from multitude import network as local
from multitude.audit import sources
from multitude.audit.blobs import HttpBlobs, NoBlobs
from multitude.audit.errors import BlobMissing, SourceMissing
from multitude.audit.sources import open_sources
from multitude.cli import app

ADDRESSES = {"JobEscrow": "0x" + "11" * 20}
NETWORK = {"rpc": "http://127.0.0.1:9", "blobs": "http://127.0.0.1:9/v1/blobs", "chain_id": 7, "deploy_block": 3}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A checkout without anything, which is also where we are."""
    monkeypatch.setattr(sources, "CHECKOUT", tmp_path)
    monkeypatch.setattr(local, "CHECKOUT", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MULTITUDE_DEPLOYMENT", raising=False)
    (tmp_path / "var" / "run").mkdir(parents=True)
    return tmp_path


def network(folder, text):
    (folder / "var" / "run" / "network.json").write_text(text)


def test_open_sources_without_options_or_network_is_refused(folder):
    with pytest.raises(SourceMissing):
        open_sources(None, None, None)
    assert CliRunner().invoke(app, ["audit", "epochs"]).exit_code == 2


def test_open_sources_network_file_that_is_damaged_is_refused(folder):
    network(folder, "{")
    with pytest.raises(SourceMissing):
        open_sources(None, None, None)


def test_open_sources_reads_the_network_file(folder):
    network(folder, json.dumps(NETWORK | {"addresses": ADDRESSES, "clocks": {"matching_tick": 0.5}}))
    client, blobs = open_sources(None, None, None)
    assert client.deployment.contracts == ADDRESSES
    assert (client.deployment.chain_id, client.deployment.deploy_block) == (7, 3)
    assert isinstance(blobs, HttpBlobs)


def test_open_sources_deployment_of_another_chain_takes_no_blobs_from_the_network(folder):
    network(folder, json.dumps(NETWORK | {"addresses": ADDRESSES}))
    path = folder / "deployment.json"
    path.write_text(json.dumps({"chain_id": 8, "deploy_block": 1, "contracts": ADDRESSES}))
    client, blobs = open_sources("http://127.0.0.1:9", None, path)
    assert client.deployment.chain_id == 8
    assert isinstance(blobs, NoBlobs)


def test_blobs_from_nowhere_are_missing():
    with pytest.raises(BlobMissing):
        NoBlobs().get(bytes(32))
    with pytest.raises(BlobMissing):
        HttpBlobs("http://127.0.0.1:9", timeout=1).get(bytes(32))
