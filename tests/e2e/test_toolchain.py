"""The pinned tools are the versions that the design names, and Brownie's home never is the user's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deploy.toolchain import ROOT, anvil_binary, binaries, brownie, forge_binary, solc_directory
from deploy.toolchain.brownie import Target, brownie_environment, private_project


def version(command: Path) -> str:
    return subprocess.run([str(command), "--version"], check=True, capture_output=True, text=True).stdout


def test_binary_not_installed_names_the_remedy(monkeypatch):
    monkeypatch.setattr(binaries.platform, "machine", lambda: "vax")
    with pytest.raises(binaries.ToolMissingError, match="make setup"):
        anvil_binary()


@pytest.mark.slow
def test_tools_have_the_pinned_versions():
    assert "Version: 0.8.30" in version(solc_directory() / "solc-v0.8.30")
    assert "1.7.1" in version(anvil_binary())
    assert "1.7.1" in version(forge_binary())


@pytest.mark.slow
def test_solc_wrapper_says_the_installed_compiler_s_version():
    command = ["node", "-p", "require('solc').version()"]
    installed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    assert installed in version(solc_directory() / "solc-v0.8.30")


def test_solc_wrapper_unknown_option_fails():
    result = subprocess.run([str(solc_directory() / "solc-v0.8.30"), "--bin"], check=False, capture_output=True)
    assert result.returncode == 1


def test_brownie_environment_has_a_home_of_its_own_and_removes_it():
    with brownie_environment(Target("http://127.0.0.1:1", 5)) as first, brownie_environment() as second:
        home = Path(first["HOME"])
        assert home.is_relative_to(ROOT / "var")
        assert first["HOME"] != second["HOME"]
        assert "chainid: 5" in (home / ".brownie" / "network-config.yaml").read_text()
    assert not home.exists()


def test_runs_on_targets_share_no_build_folder(tmp_path):
    # The CI once failed here: a run deleted an artefact while another read it.
    def artefacts(project: Path) -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in (project / "build" / "contracts").glob("*.json")}

    before = artefacts(ROOT)
    with brownie_environment() as first, brownie_environment() as second:
        projects = [private_project(Path(variables["HOME"])) for variables in (first, second)]
        for name in before:
            (projects[0] / "build" / "contracts" / name).unlink()
        assert artefacts(projects[1]).keys() == artefacts(ROOT).keys() == before.keys()
        assert artefacts(ROOT) == before
        assert (projects[1] / "contracts").resolve() == ROOT / "contracts"


def test_run_on_a_target_works_in_its_own_project_and_leaves_nothing(monkeypatch, tmp_path):
    told, stand_in = tmp_path / "told", tmp_path / "brownie"
    marks = "test -f build/contracts/JobEscrow.json && touch build/contracts/mark"
    stand_in.write_text(f"#!/bin/sh\npwd >> {told}\n{marks}\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(brownie, "brownie_binary", lambda: stand_in)
    for _ in range(2):
        assert brownie.run_brownie(["run", "deploy"], target=Target("http://127.0.0.1:1", 5)) == 0
    first, second = map(Path, told.read_text().split())
    assert len({first, second, ROOT}) == 3
    assert not first.exists()
    assert not second.exists()
    assert not (ROOT / "build" / "contracts" / "mark").exists()
