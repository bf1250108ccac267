"""`python -m deploy.chaos`: the kill matrix, as `make chaos` runs it. Exit status 1 where a cell failed."""

import argparse
import sys
from collections.abc import Sequence
from enum import StrEnum
from random import Random
from typing import TypeVar

from rich.console import Console

from deploy.chaos import matrix, report
from deploy.chaos.parts import Part
from deploy.chaos.states import State
from deploy.chaos.trial import Trial
from deploy.local.supervisor import StopRequested, stop_on_signals
from deploy.toolchain import ROOT

FOLDER = ROOT / "var" / "chaos"

Name = TypeVar("Name", bound=StrEnum)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options; names are separated by commas, and none means all."""
    parser = argparse.ArgumentParser(prog="python -m deploy.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of victims, inputs and the state of the whole job")
    parser.add_argument("--parts", type=lambda text: _names(Part, text), default=list(Part), help="what is killed")
    parser.add_argument("--states", type=lambda text: _names(State, text), default=list(State), help="when")
    parser.add_argument("--whole", choices=("0", "1"), default="1", help="the main job too, once for each part")
    return parser.parse_args(arguments)


def _names(kind: type[Name], text: str) -> list[Name]:
    return [kind(name) for name in text.split(",")] if text else list(kind)


def main(arguments: Sequence[str]) -> int:
    """Run the matrix; the exit status."""
    options, console = parse(arguments), Console(width=None if sys.stdout.isatty() else 140)
    rng, trials = Random(options.seed), list[Trial]()
    chosen = list(matrix.cells(options.parts, options.states, options.whole == "1", rng))
    try:
        with stop_on_signals():
            matrix.run(chosen, rng, FOLDER / "network", console, trials)
    except StopRequested as stop:
        console.print("stopped before the end")
        return stop.exit_status
    finally:
        report.print_table(console, options.seed, trials)
        console.print(f"The same in {report.write(FOLDER, options.seed, trials).relative_to(ROOT)}.", highlight=False)
    return 0 if trials and all(trial.good for trial in trials) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
