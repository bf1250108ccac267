import subprocess
import sys

import pytest
from typer.testing import CliRunner

from multitude import cli

CODE = "import sys; from multitude.cli import app; sys.argv[1:] = ['--help']\ntry: app()\nexcept SystemExit: pass\n"


def test_help_loads_no_actor_and_no_chain():
    watch = "print([m for m in ('worker', 'market', 'verifier', 'web3', 'wasmtime', 'sqlalchemy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", CODE + watch], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(actor in done.stdout for actor in cli.ACTORS)


def test_actor_that_is_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "worker.cli", None)  # its import raises ModuleNotFoundError
    result = CliRunner().invoke(cli.app, ["worker", "run"])
    assert result.exit_code == 2
    assert "multitude[worker]" in result.output


def test_actor_gets_its_arguments_and_its_own_help():
    result = CliRunner().invoke(cli.app, ["worker", "--help"])
    assert result.exit_code == 0
    assert "keygen" in result.output


@pytest.mark.parametrize("actor", sorted(cli.ACTORS))
def test_every_actor_that_help_names_has_commands(actor):
    result = CliRunner().invoke(cli.app, [actor, "--help"])
    assert result.exit_code == 0
    assert "Commands" in result.output


def test_main_chain_errors_are_one_line(monkeypatch, capsys):
    from multitude.errors import ApiUnreachable

    def fail():
        raise ApiUnreachable("nobody there")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().err == "multitude: nobody there\n"
