"""What the examples compute beside the network, and that they say so when no network is up."""

import subprocess
import sys
from random import Random

import pytest
from parallel_search import accuracy_of_best, draw_settings
from reference import COPIES, decode, distance, encode, expected_output, sample_texts
from search_report import Answer, Search, plot, table, text_plot

from multitude.build.module import build_source, try_out
from multitude.errors import MultitudeError
from programs.trainer.reference import Settings
from protocol.wasm import Limits
from tests.examples.conftest import EXAMPLES


def answer(seconds: float, task: int, right: int) -> Answer:
    return Answer(seconds, task, right.to_bytes(4, "little"))


ONE = Search(1, (answer(1, 0, 240), answer(4, 2, 285), answer(8, 1, 270), answer(10, 3, 285)))
TWO = Search(2, (answer(1, 0, 240), answer(1.5, 3, 285), answer(4, 1, 270), answer(5, 2, 285)))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(b"", b"", 0), (b"", b"abc", 3), (b"kitten", b"sitting", 3), (b"flaw", b"lawn", 2), (b"same", b"same", 0)],
)
def test_distance_known_pairs(a, b, expected):
    assert distance(a, b) == distance(b, a) == expected


@pytest.mark.slow
def test_edit_distance_program_equals_plain_python():
    limits = Limits(100_000_000, 16, 65_536)
    built = build_source(EXAMPLES / "own_program" / "edit_distance.c", limits, 16_384)
    chance = Random("texts")
    tasks = [[b""], [b"", b""], [b"a", b"", b"bc"], sample_texts(10)[-5:]]
    tasks += [[bytes(chance.choices(b"abc", k=chance.randrange(30))) for _ in range(5)] for _ in range(20)]
    wrong = [b"", b"\x01", b"\x05\0\0\0abcd", encode([b"ab"]) + b"\x01", encode([b"ab", b"cd"])[:-1]]
    trials = try_out(built, [("x", data) for data in [*map(encode, tasks), *wrong]])
    assert [trial.output for trial in trials[: len(tasks)]] == [expected_output(texts) for texts in tasks]
    assert {trial.status for trial in trials[len(tasks) :]} == {"trap"}


def test_sample_texts_hold_copies_that_are_close_and_others_that_are_not():
    texts = sample_texts(14)
    found = [decode(expected_output([text, *texts[:-COPIES]])) for text in texts[-COPIES:]]
    assert all(min(distances) <= 8 for distances in found)
    assert all(sorted(distances)[1] > 20 for distances in found)


def test_draw_settings_same_seed_gives_the_same_search():
    assert draw_settings(9, 3) == draw_settings(9, 3) != draw_settings(9, 4)
    assert all(len(settings.encode()) == 8 and settings.seed for settings in draw_settings(50, 1))


def test_search_best_of_equal_ones_does_not_hang_on_timing():
    assert ONE.best.task == TWO.best.task == 2
    assert (ONE.best_after(0.5), ONE.best_after(1), TWO.best_after(2)) == (None, 0.8, 0.95)


def test_table_and_text_plot_tell_times_and_speed():
    lines = table([ONE, TWO], 2).splitlines()
    assert lines[1].split() == ["1", "10.0", "1.00", "80.0%"]
    assert lines[2].split() == ["2", "5.0", "2.00", "95.0%"]
    drawn = text_plot([ONE, TWO], 10).splitlines()
    assert drawn[1].endswith("|222555577*| 10.0 s")
    assert drawn[2].endswith("|2557******| 5.0 s")


@pytest.mark.slow
def test_plot_is_drawn_or_said_to_be_text(tmp_path):
    path = plot([ONE, TWO], tmp_path / "plot.svg")
    assert path is None or (path.read_text().count("<svg"), path.with_suffix(".png").exists()) == (1, True)


@pytest.mark.slow
def test_accuracy_of_best_other_bits_are_an_error():
    settings = Settings(1, 5, 1, 1, 3)
    with pytest.raises(MultitudeError, match="numpy trains another network"):
        accuracy_of_best(settings, bytes(4))


ALONE = """
import pathlib, runpy, sys
import multitude.network
multitude.network.CHECKOUT = pathlib.Path.cwd()  # whatever network the developer has up is not to be found
sys.argv = sys.argv[1:]
sys.path.insert(0, str(pathlib.Path(sys.argv[0]).parent))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
@pytest.mark.parametrize("script", ["own_program/run.py", "parallel_search.py"])
def test_script_without_a_network_says_how_to_start_one(script, tmp_path):
    command = [sys.executable, "-c", ALONE, str(EXAMPLES / script)]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert (done.returncode, "make run" in done.stderr) == (2, True), done.stderr
