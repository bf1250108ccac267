"""`multitude job` from the outside: what it prints, asks and exits with."""

import json

import pytest
from typer.testing import CliRunner

from multitude import network as local
from multitude.buyer import commands, http
from multitude.cli import app
from multitude.network import account_key
from tests.multitude.conftest import KEY
from tests.multitude.fake_market import CHAIN_ID, CONTRACTS, PROGRAM


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory that is no checkout of a running network."""
    monkeypatch.setattr(local, "CHECKOUT", tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("MULTITUDE_API", "MULTITUDE_RPC", "MULTITUDE_KEY_FILE", "MULTITUDE_DEPLOYMENT"):
        monkeypatch.delenv(name, raising=False)
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    for name in ("b", "a", "c"):
        (inputs / name).write_text(name)
    return tmp_path


@pytest.fixture
def network(folder, market):
    """var/run/network.json of a local network."""
    value = {"api": market.url, "rpc": market.url + "/rpc", "chain_id": CHAIN_ID, "deploy_block": 1}
    value |= {"addresses": CONTRACTS, "accounts": [{"role": "buyer", "address": "", "key": "0x" + KEY.hex()}]}
    (folder / "var" / "run").mkdir(parents=True)
    (folder / "var" / "run" / "network.json").write_text(json.dumps(value))
    return market


def run(*arguments, typed=None):
    return CliRunner().invoke(app, ["job", *arguments], input=typed)


def test_job_without_a_network_says_what_is_missing(folder):
    result = run("list")
    assert result.exit_code == commands.REFUSED
    assert "is a local network up?" in result.stderr


def test_job_network_file_that_is_damaged_is_refused(network, folder):
    (folder / "var" / "run" / "network.json").write_text("{")
    assert run("list").exit_code == commands.REFUSED


def test_job_options_of_another_market_take_nothing_from_the_local_network(network, folder):
    result = run("list", "--api", "https://market.example", "--rpc", "https://rpc.example")
    assert result.exit_code == commands.REFUSED
    assert "--key-file" in result.stderr


def test_job_market_that_is_down_is_unreachable(network, monkeypatch):
    monkeypatch.setattr(http, "WAIT_FIRST_S", 0.001)
    network.answers["GET", "/v1/jobs"] = lambda handler: setattr(handler, "close_connection", True)
    assert run("list").exit_code == commands.UNREACHABLE


def test_quote_of_no_inputs_or_no_program_is_refused(network, folder):
    (folder / "empty").mkdir()
    for given in (("double", "empty"), ("double", "nowhere"), ("triple", "inputs")):
        result = run("quote", *given)
        assert result.exit_code == commands.REFUSED, result.output
        assert len(result.stderr.splitlines()) == 1


def test_quote_shows_the_price_and_opens_nothing(network):
    result = run("quote", "double", "inputs")
    assert result.exit_code == commands.DONE
    assert "at most" in result.stdout
    assert not network.jobs
    assert json.loads(run("quote", PROGRAM, "inputs", "--json").stdout)["tasks"] == 3


def test_submit_without_a_yes_opens_nothing(network):
    result = run("submit", "double", "inputs", typed="n\n")
    assert result.exit_code == commands.REFUSED
    assert "at most" in result.stderr
    assert not network.jobs


def test_submit_above_the_cap_is_refused(network):
    result = run("submit", "double", "inputs", "--yes", "--cap", "0.000000001")
    assert result.exit_code == commands.REFUSED
    assert "above the cap" in result.stderr
    assert not network.jobs
    assert run("submit", "double", "inputs", "--yes", "--cap", "much").exit_code == commands.REFUSED


def test_submit_prints_the_job_and_inputs_are_in_the_order_of_names(network):
    result = run("submit", "double", "inputs", typed="y\n")
    assert result.exit_code == commands.DONE
    job_id = result.stdout.split()[-1]
    assert network.jobs[job_id].inputs == [b"a", b"b", b"c"]


def test_submit_lines_of_a_file_are_tasks(network, folder):
    (folder / "words").write_text("one\ntwo\n")
    run("submit", "double", "words", "--lines", "--yes")
    run("submit", "double", "words", "--yes")
    assert [job.inputs for job in network.jobs.values()] == [[b"one", b"two"], [b"one\ntwo\n"]]


def test_watch_that_times_out_or_fails_says_so(network):
    network.on_job = lambda _: None
    job_id = run("submit", "double", "inputs", "--yes").stdout.strip()
    assert run("watch", job_id, "--timeout", "0.05").exit_code == commands.TIMED_OUT
    network.jobs[job_id].close("refused", "JobEscrow_UnknownProgram()")
    result = run("watch", job_id)
    assert result.exit_code == commands.FAILED
    assert "UnknownProgram" in result.stderr


def test_results_of_an_unknown_job_or_state_are_refused(network):
    assert run("results", "0x" + "00" * 32).exit_code == commands.REFUSED
    assert run("results", "0x" + "00" * 32, "--state", "paid").exit_code == commands.REFUSED


def test_results_are_shown_and_written(network, folder):
    network.on_job = lambda job: job.move(0, 2, "attested")
    job_id = run("submit", "double", "inputs", "--yes").stdout.strip()
    result = run("results", job_id, "--state", "attested", "--outputs", "out")
    assert result.exit_code == commands.DONE
    assert "replayed" in result.stdout
    assert [(path.name, path.read_bytes()) for path in sorted((folder / "out").iterdir())] == [
        ("000000", b"aa"),
        ("000001", b"bb"),
    ]
    shown = json.loads(run("results", job_id, "--state", "accepted", "--json").stdout)
    assert [task["output"] for task in shown] == ["0x" + b"aa".hex(), "0x" + b"bb".hex()]


def test_receipt_as_table_json_and_csv(network):
    job_id = run("submit", "double", "inputs", "--yes").stdout.strip()
    assert "spent" in run("receipt", job_id).stdout
    assert json.loads(run("receipt", job_id, "--json").stdout)["spent"] == "104"
    assert run("receipt", job_id, "--csv").stdout.splitlines()[1].startswith("0x70997970")


def test_list_shows_every_job_with_its_state(network):
    job_id = run("submit", "double", "inputs", "--yes").stdout.strip()
    assert f"{job_id}  open   3/3" in run("list").stdout
    assert json.loads(run("list", "--json").stdout)[0]["tasks"]["final"] == 3


@pytest.mark.parametrize("command", ["quote", "submit", "watch", "results", "cancel", "receipt", "list"])
def test_help_names_the_exit_statuses(command):
    assert "3 timed out" in " ".join(run(command, "--help").output.split())


def test_account_key_of_another_role_or_a_damaged_file_is_none():
    assert account_key({"accounts": [{"role": "settler", "key": "0x1"}, 5]}, "buyer") is None
    assert account_key({}, "buyer") is None
