"""Which cells there are, and their order: a network for each part, its cells one after another, then the whole job."""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from random import Random

from rich.console import Console

from chain.errors import ChainError
from deploy.chaos.ground import SMALL_JOB_TASKS, Ground
from deploy.chaos.parts import Part
from deploy.chaos.states import State
from deploy.chaos.trial import Cell, Trial, run_trial
from deploy.chaos.verdict import faults_of_ground, settle
from deploy.local import guard
from deploy.local.mainjob.play import TookTooLong
from deploy.local.supervisor import SupervisorError
from multitude.errors import MultitudeError
from programs.digits import dataset


def cells(parts: Iterable[Part], states: Sequence[State], whole: bool, rng: Random) -> Iterator[Cell]:
    """A small job for each state of each part, and the whole main job once for each part, in a state left to chance."""
    for part in parts:
        for state in states:
            yield Cell(part, state, SMALL_JOB_TASKS)
        if whole:
            yield Cell(part, rng.choice(states), len(dataset.images()))


def run(chosen: Iterable[Cell], rng: Random, folder: Path, console: Console, trials: list[Trial]) -> None:
    """Every cell, on a fresh network for each part; what is known of them stands in `trials` at any moment."""
    for part, group in groupby(chosen, key=lambda cell: cell.part):
        console.rule(f"[bold]{part.value}")
        run_on_one_network(list(group), rng, folder, console, trials)


def run_on_one_network(
    chosen: Sequence[Cell], rng: Random, folder: Path, console: Console, trials: list[Trial]
) -> None:
    """Cells one after another on one network; a cell begins when the part that the last one killed works again.

    Adds them to `trials`. What is wrong with the network as a whole is noted on each of them.
    """
    mine = [Trial(cell) for cell in chosen]
    trials += mine
    ground = Ground(folder, console, durable=any(cell.part is Part.ANVIL for cell in chosen))
    try:
        with ground.network:
            ground.raise_all()
            for trial in mine:
                _run_one(ground, trial, rng, console)
            settle(ground, mine)
            jobs = [submitted for trial in mine for submitted in trial.jobs]
            _note(mine, faults_of_ground(ground, jobs[0]) if jobs else [])
    except (ChainError, MultitudeError, SupervisorError, TookTooLong) as error:
        _note(mine, [f"{type(error).__name__}: {error}"])
    left = guard.family(ground.network.supervisor.mark, [])
    _note(mine, [f"{len(left)} processes were left behind"] if left else [])


def _run_one(ground: Ground, trial: Trial, rng: Random, console: Console) -> None:
    start, cell = time.monotonic(), trial.cell
    run_trial(ground, trial, rng)
    said = "; ".join(trial.faults) or f"killed {trial.service}, works again after {trial.recovered_s} s"
    console.print(f"{time.monotonic() - start:6.1f} s  {cell.tasks} tasks, {cell.state.value}: {said}", highlight=False)


def _note(trials: Sequence[Trial], faults: Sequence[str]) -> None:
    for trial in trials:
        trial.faults += faults
