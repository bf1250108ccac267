"""Figures as tables for people and as var/bench/<name>.json for everything else."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.table import Table

from deploy.bench.delay import DelayFigure
from deploy.bench.gas import GasFigure
from deploy.bench.overhead import LEAF_TASKS, OverheadFigure
from deploy.bench.rewriting import TARGET as REWRITING_TARGET
from deploy.bench.rewriting import RewritingFigure
from deploy.bench.sandbox import SandboxFigure
from deploy.bench.throughput import ThroughputFigure


class Figure(Protocol):
    """One measured line."""

    def to_json(self) -> dict[str, Any]:
        """Its JSON form."""


def write_figures(folder: Path, name: str, figures: Sequence[Figure]) -> Path:
    """Writes <folder>/<name>.json, whole or not at all, and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps([figure.to_json() for figure in figures], indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
    return path


def verdict(got: float, target: float | None) -> str:
    """Whether a figure that is to be small is small enough."""
    if target is None:
        return ""
    return "met" if got <= target else f"not met: {got / target:.2f} times"


def print_load(console: Console) -> None:
    """The machine's load: times taken beside other work are worth little."""
    console.print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


def print_gas(console: Console, figures: Sequence[GasFigure]) -> None:
    """The figure of the design, then where the gas goes."""
    title = "Gas for a settled task, from openJob to the claim: 3 seats, one claim, all paid by credit"
    heads = ("tasks", "devices", "tasks a span", "gas", "gas a task", "next epoch", "target", "")
    rows = [
        (
            f"{figure.case.tasks:,}",
            figure.case.devices,
            figure.case.span_tasks,
            f"{figure.gas:,}",
            f"{figure.gas_per_task:,.1f}",
            f"{figure.gas_per_task_again:,.1f}",
            figure.target or "",
            verdict(figure.gas_per_task, figure.target),
        )
        for figure in figures
    ]
    console.print(_table(title, heads, rows))
    for figure in figures:
        _print_steps(console, figure)


def _print_steps(console: Console, figure: GasFigure) -> None:
    title = f"N = {figure.case.tasks:,} tasks, {figure.case.devices} devices"
    total = figure.gas
    rows = [
        (name, str(line.calls), f"{line.gas:,}", f"{line.gas / figure.case.tasks:,.1f}", f"{line.gas / total:.0%}")
        for name, line in figure.steps.items()
    ]
    rows += [
        (f"  {name}", "", f"{gas:,}", f"{gas / figure.case.tasks:,.1f}", f"{gas / total:.0%}")
        for name, gas in figure.inside_claim.items()
    ]
    console.print(_table(title, ("step; below, inside the claim", "calls", "gas", "gas a task", "share"), rows))


def print_rewriting(console: Console, figures: Sequence[RewritingFigure]) -> None:
    """Rewritten over plain."""
    rounds = figures[0].rounds
    title = f"Rewritten over plain module, wasmtime, N = {rounds} interleaved rounds; a call's own cost taken off"
    heads = ("program", "plain, us", "rewritten, us", "ratio (median)", "quartiles", "target", "")
    rows = [
        (
            figure.program,
            f"{figure.plain_us:,.1f}",
            f"{figure.rewritten_us:,.1f}",
            f"{figure.ratio:.3f}",
            f"{figure.ratio_low:.3f} to {figure.ratio_high:.3f}",
            REWRITING_TARGET,
            verdict(figure.ratio, REWRITING_TARGET),
        )
        for figure in figures
    ]
    console.print(_table(title, heads, rows))


def print_overhead(console: Console, figures: Sequence[OverheadFigure]) -> None:
    """WU replayed over WU paid."""
    leaves = figures[0].leaves
    title = f"WU replayed by all seats over WU paid, floor 1 %, N = {leaves} leaves of {LEAF_TASKS:,} tasks"
    heads = ("tasks", "stake in task prices", "expected", "drawn", "target", "")
    rows = [
        (
            f"lognormal, sigma {figure.sigma}" if figure.sigma else "even",
            figure.stake_tasks,
            f"{figure.expected:.2%}",
            f"{figure.drawn:.2%}",
            f"{figure.target:.0%}" if figure.target else "",
            verdict(figure.expected, figure.target),
        )
        for figure in figures
    ]
    console.print(_table(title, heads, rows))


def print_sandbox(console: Console, figures: Sequence[SandboxFigure]) -> None:
    """Tasks a second."""
    title = f"Tasks a second through one sandbox, N = {figures[0].tasks:,}"
    heads = ("program", "run", "run and hashed into a result tree")
    rows = [(f.program, f"{f.run_per_s:,.0f}", f"{f.with_leaves_per_s:,.0f}") for f in figures]
    console.print(_table(title, heads, rows))


def print_throughput(console: Console, figures: Sequence[ThroughputFigure]) -> None:
    """Tasks a second beside Celery's."""
    title = f"Tasks a second, no-op, N = {figures[0].tasks:,}, {figures[0].devices} devices or Celery processes"
    heads = ("way", "tasks a second", "over plain Celery", "target", "")
    rows = [
        (
            figure.way,
            f"{figure.per_s:,.0f}",
            f"{figure.over_celery:.2f}",
            f"{figure.target:.0f}" if figure.target else "",
            "" if not figure.target else "met" if figure.over_celery >= figure.target else "not met",
        )
        for figure in figures
    ]
    console.print(_table(title, heads, rows))


def print_delay(console: Console, figures: Sequence[DelayFigure]) -> None:
    """Seconds after the bid."""
    title = "Seconds from the signed bid, whole local network, nobody lies"
    heads = ("clocks", "tasks", "devices", "first accepted", "first attested", "all final and paid")
    rows = [
        (
            figure.profile,
            f"{figure.tasks:,}",
            figure.devices,
            f"{figure.first_accepted_s:.1f}",
            f"{figure.first_attested_s:.0f}",
            f"{figure.all_final_s:.0f}",
        )
        for figure in figures
    ]
    console.print(_table(title, heads, rows))


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    table = Table(title=title, title_justify="left")
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*map(str, row))
    return table
