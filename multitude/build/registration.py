"""From an admitted module to a program that a market and the chain know."""

import time
from typing import TYPE_CHECKING

from multitude.build.module import BuiltModule, limits_to_json
from multitude.errors import MultitudeError

if TYPE_CHECKING:
    from multitude import MarketApi

POLL_S = 0.5


def register_program(market: "MarketApi", built: BuiltModule, name: str | None, timeout_s: float) -> str:
    """Uploads and registers; the program's state, "registered" unless the time ran out.

    Raises ApiRefused, and MultitudeError where the market made another program of the module than this machine.
    """
    got = market.admit(market.put_blob(built.module), limits_to_json(built.program.limits), name)
    if got != built.program_id:
        raise MultitudeError(f"the market calls it {got}, here it is {built.program_id}: the tools differ")
    deadline = time.monotonic() + timeout_s
    while (state := str(market.program(got)["state"])) != "registered" and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return state
