"""The named states of the design, as a job is seen in them: tasks in the market's database, epochs on the chain."""

from collections import Counter
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """States of a task up to its draw, then those of its epoch. `drawn` stands for drawn and undrawn: both at once."""

    OPEN = "open"
    LEASED = "leased"
    ACCEPTED = "accepted"
    COMMITTED = "committed"
    DRAWN = "drawn"
    POSTED = "posted"
    SEEDED = "seeded"
    COMMITTING = "committing"
    REVEALING = "revealing"
    WINDOW = "window"
    FINAL = "final"


EPOCH_STATES = (State.POSTED, State.SEEDED, State.COMMITTING, State.REVEALING, State.WINDOW, State.FINAL)
"""In the order of IAttestations.EpochState, whose first is 1."""


class Sight(NamedTuple):
    """What is seen of a job at one moment: its spans by state and the tasks that are known as drawn or undrawn, or the
    state of its newest epoch and whether it is closed."""

    spans: Counter[str]
    drawn: int = 0
    epoch: int = 0
    closed: bool = False

    def shows(self, state: State) -> bool:
        """Whether the job is in this state now."""
        if state in EPOCH_STATES:
            return not self.closed and self.epoch == EPOCH_STATES.index(state) + 1
        if state is State.OPEN:
            return set(self.spans) == {"open"}
        if state in (State.LEASED, State.ACCEPTED):
            return self.spans[state.value] > 0
        return self.spans["committed"] > 0 and (self.drawn > 0) == (state is State.DRAWN)

    def is_past(self, state: State) -> bool:
        """Whether the job will not come into this state any more, unless an epoch of it fails."""
        if state in EPOCH_STATES:
            return self.closed or self.epoch > EPOCH_STATES.index(state) + 1
        if state is State.COMMITTED and self.drawn:
            return True
        return bool(self.spans) and not set(self.spans) & set(_STILL_BEFORE[state])


_STILL_BEFORE = {
    State.OPEN: ("open",),
    State.LEASED: ("open", "leased"),
    State.ACCEPTED: ("open", "leased", "accepted"),
    State.COMMITTED: ("open", "leased", "accepted", "committed"),
    State.DRAWN: ("open", "leased", "accepted", "committed"),
}
"""States of a span from which its tasks may still come into the state, or are in it."""
