import json
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
VECTORS = HERE.parent / "vectors" / "messages.json"


@pytest.fixture(scope="module")
def vectors():
    return json.loads(VECTORS.read_text())


@pytest.fixture(scope="module")
def viem():
    """What viem says of the vectors' messages."""
    command = ["node", str(HERE / "sign_messages.mjs"), str(VECTORS)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)


def test_domain_and_type_hashes_are_viems(vectors, viem):
    assert viem["separator"] == vectors["domain"]["separator"]
    assert viem["typeHashes"] == [kind["typeHash"] for kind in vectors["types"]]


@pytest.mark.parametrize("name", ["structHash", "digest", "signer", "signature"])
def test_messages_signed_by_viem_are_those_of_the_vectors(vectors, viem, name):
    assert [case[name] for case in viem["cases"]] == [case[name] for case in vectors["cases"]]


def test_signatures_of_the_vectors_recover_their_signer_in_viem(vectors, viem):
    assert [case["recovered"] for case in viem["cases"]] == [case["signer"] for case in vectors["cases"]]


def test_vectors_have_one_of_each_message(vectors):
    assert {case["type"] for case in vectors["cases"]} == {kind["type"] for kind in vectors["types"]}
