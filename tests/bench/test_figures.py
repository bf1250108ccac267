"""The figures without a chain: rewriting, overhead, sandbox, and what is written of them."""

import json

import pytest
from rich.console import Console

from chain.codec import Event
from deploy.bench import __main__ as command
from deploy.bench import report, rewriting
from deploy.bench.delay import last_reveal
from deploy.bench.overhead import (
    OverheadFigure,
    drawn_replay_wu,
    expected_replay_wu,
    measure_overhead,
    task_wus,
)
from deploy.bench.rewriting import Guest, Workload, measure_rewriting
from deploy.bench.sandbox import measure_sandbox, no_op
from deploy.bench.throughput import ThroughputFigure
from programs.catalogue import CATALOGUE
from programs.digits.reference import expected_output

IMAGE = bytes(k % 17 for k in range(64))


def test_parse_unknown_figure_exits(capsys):
    with pytest.raises(SystemExit):
        command.parse(["speed"])
    assert "no such figure: speed" in capsys.readouterr().err


def test_measure_rewriting_other_output_raises(monkeypatch):
    outputs = iter((b"one", b"another"))
    monkeypatch.setattr(Guest, "run", lambda _: next(outputs))
    with pytest.raises(AssertionError, match="digits"):
        measure_rewriting([Workload("digits", IMAGE, 1)], 1)


def test_guest_of_either_module_computes_the_reference():
    entry = CATALOGUE["digits"]
    for module in (entry.module.read_bytes(), entry.build().rewritten):
        assert Guest(module, IMAGE, entry.limits.wu).run() == expected_output(IMAGE)


def test_measure_rewriting_every_workload_has_a_ratio():
    figures = measure_rewriting([Workload(w.program, w.input, 3) for w in rewriting.WORKLOADS], 3)
    assert {figure.program for figure in figures} == {"digits", "matmul", "sha256-chain"} <= CATALOGUE.keys()
    assert all(figure.plain_us > 0 and figure.ratio_low <= figure.ratio <= figure.ratio_high for figure in figures)


def test_expected_replay_of_even_tasks_is_the_rule_with_doubled_seats():
    assert expected_replay_wu([10**6] * 100, 300) == pytest.approx(1.1 * 0.014815 * 10**8)
    assert expected_replay_wu([10**6] * 100, 1_000) == pytest.approx(1.1 * 0.01 * 10**8)
    assert expected_replay_wu([10**6] * 100, 4) == pytest.approx(1.1 * 10**8)


def test_expected_replay_of_uneven_tasks_is_larger():
    wus = task_wus(1.5, 1_000, 0)
    assert expected_replay_wu(wus, 300) / sum(wus) > 2 * expected_replay_wu([10**6], 300) / 10**6


def test_drawn_replay_comes_to_the_expected_one():
    work = [task_wus(0.5, 500, number) for number in range(40)]
    expected = sum(expected_replay_wu(wus, 20) for wus in work)
    drawn = sum(drawn_replay_wu(wus, 20, number) for number, wus in enumerate(work))
    assert drawn == pytest.approx(expected, rel=0.12)


def test_measure_overhead_names_a_target_for_the_stake_of_the_design_only():
    low, high = measure_overhead((100, 300), (0.0,), leaves=2)
    assert (low.target, high.target) == (None, 0.02)
    assert high.expected < 0.02 < low.expected


@pytest.mark.slow
def test_measure_sandbox_counts_what_it_ran():
    figures = measure_sandbox(40)
    assert [(figure.program, figure.tasks) for figure in figures] == [("no-op", 40), ("digits", 40)]
    assert all(figure.run_per_s > 0 < figure.with_leaves_per_s for figure in figures)


def test_no_op_is_admitted_like_any_program():
    assert no_op().program_id == no_op().program_id != CATALOGUE["digits"].build().program_id


def test_verdict_says_by_how_much_a_target_is_missed():
    assert report.verdict(160, 80) == "not met: 2.00 times"
    assert report.verdict(80, 80) == "met"
    assert report.verdict(80, None) == ""


def reveal(epoch, block):
    return Event("Revealed", "Attestations", {"epochId": epoch}, block, bytes(32), bytes(32), 0)


def test_last_reveal_is_of_the_epoch_that_was_revealed_first():
    assert last_reveal([reveal(2, 7), reveal(1, 8), reveal(2, 9), reveal(1, 30)]) == 9


def test_last_reveal_without_reveals_raises():
    with pytest.raises(ValueError):
        last_reveal([])


def test_print_throughput_says_whether_the_target_is_met(capsys):
    slow, quick = (ThroughputFigure("leases", 10, 2, 100.0, ratio, 2.0) for ratio in (1.99, 2.0))
    report.print_throughput(Console(width=120), [slow])
    assert "not met" in capsys.readouterr().out
    report.print_throughput(Console(width=120), [quick])
    assert "not met" not in capsys.readouterr().out


def test_write_figures_replaces_the_file(tmp_path):
    figure = OverheadFigure(300, 0.0, 4, 1_000, 0.0163, 0.016)
    for _ in range(2):
        path = report.write_figures(tmp_path / "new", "overhead", [figure])
    assert [path.name for path in path.parent.iterdir()] == ["overhead.json"]
    (line,) = json.loads(path.read_text())
    assert (line["leaves"], line["leaf_tasks"], line["target"]) == (4, 1_000, 0.02)
