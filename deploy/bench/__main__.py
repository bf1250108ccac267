"""`python -m deploy.bench [figure ...]`: measures, prints tables and writes var/bench/<figure>.json.

Without arguments: all figures but gas. A figure that misses its target is printed as such and is no error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from deploy.bench import report
from deploy.bench.delay import measure_delay
from deploy.bench.gas import measure_gas
from deploy.bench.overhead import measure_overhead
from deploy.bench.rewriting import measure_rewriting
from deploy.bench.sandbox import measure_sandbox
from deploy.bench.throughput import measure_throughput
from deploy.local.supervisor import StopRequested, SupervisorError, stop_on_signals
from deploy.toolchain import ROOT

TIMED = ("rewriting", "overhead", "sandbox", "throughput", "delay")
FIGURES = (*TIMED, "gas")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bench", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="figure", help=f"any of {', '.join(FIGURES)}")
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench", help="where the JSON files go")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.figures if name not in FIGURES]
    if unknown:
        parser.error(f"no such figure: {', '.join(unknown)}")
    return options


def measure(figure: str, folder: Path, console: Console) -> Path:
    """Measures one figure, prints it, writes its file and returns that."""
    found: Sequence[report.Figure]
    if figure == "gas":
        found = gas = measure_gas(folder)
        report.print_gas(console, gas)
    elif figure == "rewriting":
        found = rewriting = measure_rewriting()
        report.print_rewriting(console, rewriting)
    elif figure == "overhead":
        found = overhead = measure_overhead()
        report.print_overhead(console, overhead)
    elif figure == "throughput":
        found = throughput = measure_throughput(folder)
        report.print_throughput(console, throughput)
    elif figure == "delay":
        found = delay = measure_delay(folder)
        report.print_delay(console, delay)
    else:
        found = sandbox = measure_sandbox()
        report.print_sandbox(console, sandbox)
    return report.write_figures(folder, figure, found)


def main(arguments: Sequence[str]) -> int:
    """Measure; the exit status."""
    options, console = parse(arguments), Console(width=None if sys.stdout.isatty() else 120)
    try:
        with stop_on_signals():
            report.print_load(console)
            for figure in options.figures or TIMED:
                console.print(f"written: {measure(figure, options.folder, console)}", soft_wrap=True)
    except StopRequested as stop:
        return stop.exit_status
    except SupervisorError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
