"""Code is compared apart from what the compiler appends and what a constructor fills in, and nothing else."""

import re

import pytest

from multitude.audit.deployment import SETTINGS, Code, check_code, compile_contracts, without_metadata
from multitude.audit.errors import SourceMissing
from multitude.audit.findings import Outcome
from multitude.network import CHECKOUT

METADATA = bytes.fromhex("a2646970667358221220") + bytes(32) + bytes.fromhex("64736f6c634300081e") + b"\x00\x33"
CODE = bytes(range(64))
BUILT = Code(CODE + METADATA, (((8, 32),),))


def filled(value, metadata=METADATA):
    return CODE[:8] + value + CODE[40:] + metadata


def test_metadata_is_cut_off_and_other_tails_are_not():
    assert without_metadata(CODE + METADATA) == CODE
    assert without_metadata(CODE) == CODE
    assert without_metadata(b"") == b""


def test_check_code_nothing_deployed_disagrees():
    assert check_code("Panel", b"", BUILT).outcome == Outcome.DISAGREES


@pytest.mark.parametrize("position", [0, 7, 40, 63])
def test_check_code_one_byte_outside_the_immutables_disagrees(position):
    code = bytearray(filled(b"\5" * 32))
    code[position] ^= 1
    assert check_code("Panel", bytes(code), BUILT).outcome == Outcome.DISAGREES


def test_check_code_immutable_that_differs_between_its_places_disagrees():
    built = Code(CODE + METADATA, (((0, 8), (8, 8)),))
    assert check_code("Panel", b"\5" * 16 + CODE[16:] + METADATA, built).outcome == Outcome.AGREES
    assert check_code("Panel", b"\5" * 8 + b"\6" * 8 + CODE[16:] + METADATA, built).outcome == Outcome.DISAGREES


def test_check_code_longer_or_shorter_disagrees():
    for code in (CODE + b"\0" + METADATA, CODE[:-1] + METADATA):
        assert check_code("Panel", code, BUILT).outcome == Outcome.DISAGREES


def test_check_code_other_immutables_and_metadata_agree():
    other = METADATA.replace(bytes(32), b"\7" * 32)
    assert check_code("Panel", filled(b"\5" * 32, other), BUILT).outcome == Outcome.AGREES


def test_compile_without_sources_is_refused(tmp_path):
    with pytest.raises(SourceMissing):
        compile_contracts(tmp_path, ["Panel"])


def test_settings_are_those_of_the_deployment():
    text = (CHECKOUT / "brownie-config.yaml").read_text()
    said = dict(re.findall(r'^ *-? *"?([\w@/]+)"?[:=] *"?([^"\n]+)"?$', text, re.MULTILINE))
    assert said["evm_version"] == SETTINGS["evmVersion"]
    assert said["viaIR"] == str(SETTINGS["viaIR"]).lower()
    assert (said["enabled"], said["runs"]) == ("true", str(SETTINGS["optimizer"]["runs"]))
    assert SETTINGS["remappings"] == [f"@openzeppelin/contracts={said['@openzeppelin/contracts']}"]
