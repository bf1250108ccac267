"""docs/contributors.md says what there is."""

import re
from pathlib import Path

import typer

from worker.cli import app
from worker.exits import Exit
from worker.settings import FILE, Settings

TEXT = (Path(__file__).parents[2] / "docs" / "contributors.md").read_text()


def commands(group=None):
    """Every command's words with its options."""
    click = group or typer.main.get_command(app)
    for name, command in click.commands.items():
        if hasattr(command, "commands"):
            yield from ((f"{name} {words}", options) for words, options in commands(command))
        else:
            yield name, {option for one in command.params for option in one.opts}


def test_way_to_earning_takes_six_commands_that_exist():
    block = re.search(r"```sh\n(.*?)```", TEXT, re.DOTALL)[1].strip().splitlines()
    assert len(block) <= 6
    known = dict(commands())
    given = [line.removeprefix(".venv/bin/multitude worker ").split() for line in block if "multitude worker" in line]
    assert [words[0] for words in given] == ["init", "doctor", "run", "status", "earnings"]
    for name, *options in given:
        assert {option for option in options if option.startswith("--")} <= known[name]


def test_every_command_option_setting_and_exit_status_is_documented():
    known = dict(commands())
    for words in known:
        first, _, second = words.partition(" ")
        assert f"`{first}" in TEXT
        assert second in TEXT
    assert {words for words, options in known.items() if "--json" not in options} == {"run", "service print"}
    mentioned = set(re.findall(r"`(?:[a-z ]+ )?(--[a-z-]+)", TEXT))
    assert mentioned <= {"--help"}.union(*known.values())
    table = re.findall(r"^\| (\d) \|", TEXT, re.MULTILINE)
    assert [int(status) for status in table] == [int(status) for status in Exit]
    rows = set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE))
    assert set(vars(Settings((), Path(), Path()))) - {"state_dir", "policy_wishes"} <= rows
    assert FILE in TEXT
