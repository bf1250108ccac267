"""What the kill matrix is made of, without a network."""

import json
from collections import Counter
from random import Random

import pytest

from deploy.chaos.__main__ import parse
from deploy.chaos.matrix import cells
from deploy.chaos.parts import SERVICES, Part, victim_of
from deploy.chaos.report import write
from deploy.chaos.states import EPOCH_STATES, Sight, State
from deploy.chaos.trial import Cell, Trial


class Someone:
    """As much of a ground as choosing a victim needs."""

    def __init__(self, at_work):
        self.devices = {"0x1": "device-1", "0x2": "device-2"}
        self.verifiers = ["verifier-1"]
        self.at_work = at_work

    def devices_at_work(self, _job_id):
        return self.at_work


def sight(drawn=0, **spans):
    return Sight(Counter(spans), drawn)


@pytest.mark.parametrize(
    ("seen", "shown"),
    [
        (sight(open=15), {State.OPEN}),
        (sight(open=14, leased=1), {State.LEASED}),
        (sight(leased=1, accepted=14), {State.LEASED, State.ACCEPTED}),
        (sight(accepted=15), {State.ACCEPTED}),
        (sight(committed=15), {State.COMMITTED}),
        (sight(committed=15, drawn=60), {State.DRAWN}),
        (sight(final=15, drawn=60), set()),
        (sight(), set()),
    ],
)
def test_shows_spans_are_in_their_states_and_no_other(seen, shown):
    assert {state for state in State if state not in EPOCH_STATES and seen.shows(state)} == shown


def test_shows_epoch_is_in_the_state_of_its_number_until_its_job_is_closed():
    for number, state in enumerate(EPOCH_STATES, start=1):
        assert [other for other in EPOCH_STATES if Sight(Counter(), epoch=number).shows(other)] == [state]
        assert not Sight(Counter(), epoch=number, closed=True).shows(state)


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (sight(leased=1, accepted=14), State.OPEN),
        (sight(accepted=15), State.LEASED),
        (sight(committed=15), State.ACCEPTED),
        (sight(committed=15, drawn=60), State.COMMITTED),
        (sight(final=15, drawn=60), State.DRAWN),
        (Sight(Counter(), epoch=3), State.SEEDED),
        (Sight(Counter(), epoch=7), State.FINAL),
        (Sight(Counter(), epoch=6, closed=True), State.FINAL),
    ],
)
def test_is_past_later_states_are(seen, state):
    assert seen.is_past(state)
    assert not seen.shows(state)


@pytest.mark.parametrize("state", list(State))
def test_is_past_nothing_seen_yet_is_not(state):
    assert not Sight(Counter()).is_past(state)
    assert not sight(open=15).is_past(state)


def test_victim_device_at_work_comes_first():
    assert victim_of(Part.DEVICE, Someone(["device-2"]), "job", Random(0)) == "device-2"
    assert victim_of(Part.DEVICE, Someone([]), "job", Random(0)) in ("device-1", "device-2")


def test_victim_every_part_has_a_service():
    victims = {part: victim_of(part, Someone([]), "job", Random(0)) for part in Part}
    assert victims[Part.VERIFIER] == "verifier-1"
    assert victims[Part.REPLAYER] == "verifier-1-celery"
    assert all(victims[part] == service for part, service in SERVICES.items())


def test_cells_are_every_part_in_every_state_and_the_whole_job_once():
    made = list(cells(Part, list(State), True, Random(7)))
    assert len(made) == len(set(made)) == len(Part) * (len(State) + 1)
    assert Counter(cell.part for cell in made if cell.tasks == 1_797) == Counter(Part)
    assert made == list(cells(Part, list(State), True, Random(7)))
    assert not [cell for cell in cells([Part.ANVIL], [State.OPEN], False, Random(7)) if cell.tasks != 60]


def test_parse_empty_names_are_all_and_unknown_ones_refused():
    assert parse(["--parts", "", "--states", ""]).parts == list(Part)
    chosen = parse(["--parts", "anvil,device", "--states", "final", "--seed", "9"])
    assert (chosen.parts, chosen.states, chosen.seed) == ([Part.ANVIL, Part.DEVICE], [State.FINAL], 9)
    with pytest.raises(SystemExit):
        parse(["--parts", "router"])


def test_trial_without_its_kill_is_not_good(tmp_path):
    trial = Trial(Cell(Part.DEVICE, State.OPEN, 60))
    assert not trial.good
    trial.killed_at, trial.recovered_s, trial.paid_s = 1_700_000_000.0, 2.5, 30.0
    assert trial.good
    trial.faults.append("a wei is missing")
    assert not trial.good
    value = json.loads(write(tmp_path, 3, [trial]).read_text())
    assert value["cells"][0]["killed_at"] == "2023-11-14T22:13:20+00:00"
    assert (value["seed"], value["cells"][0]["good"]) == (3, False)
