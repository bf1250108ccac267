"""A short, seeded part of the kill matrix on one network with every part real; `make chaos` runs the whole."""

from random import Random

import pytest
from rich.console import Console

from deploy.chaos.matrix import run_on_one_network
from deploy.chaos.parts import Part
from deploy.chaos.states import State
from deploy.chaos.trial import Cell, Trial

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(400)]

CELLS = [
    Cell(Part.DEVICE, State.LEASED, 60),
    Cell(Part.CELERY, State.ACCEPTED, 60),
    Cell(Part.POSTGRES, State.COMMITTING, 60),
]


def test_parts_killed_in_the_middle_of_jobs_everything_is_paid_once(tmp_path):
    trials: list[Trial] = []
    run_on_one_network(CELLS, Random(20), tmp_path / "network", Console(width=120), trials)
    assert [trial.cell for trial in trials] == CELLS
    assert [trial.to_json() for trial in trials if not trial.good] == []
