"""Seconds from a signed bid to results, on a whole local network whose devices are idle: the main job, nobody lies.

Read from the chain's block times and the market's events: the first accepted result; the first attested one (every
verifier of its epoch has revealed, so every drawn seat has); the last final one, paid.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from chain.client import ChainClient
from chain.codec import Event
from deploy.local.mainjob.cast import make_cast
from deploy.local.mainjob.play import Play
from deploy.local.network import LocalNetwork
from deploy.local.profiles import LOCAL, Profile


@dataclass(frozen=True)
class DelayFigure:
    """Seconds after the bid was signed; the profile's clocks bound them from below."""

    profile: str
    tasks: int
    devices: int
    first_accepted_s: float
    first_attested_s: float
    all_final_s: float

    def to_json(self) -> dict[str, Any]:
        """As var/bench/delay.json has it."""
        return asdict(self)


def measure_delay(folder: Path, tasks: int | None = None, profile: Profile = LOCAL) -> list[DelayFigure]:
    """One honest main job of `tasks` images (None: all). Raises SupervisorError, MultitudeError, TookTooLong."""
    with LocalNetwork(profile, folder.resolve() / "network") as network:
        play = Play(network, make_cast(liar=False), Console(file=io.StringIO()), time.monotonic())
        play.raise_market()
        play.raise_others()
        start = time.time()
        job = play.submit(play.work.inputs[:tasks])
        accepted: list[float] = []

        def look() -> bool:
            status = job.status()
            if not accepted and status.reached("accepted"):
                accepted.append(time.time())
            return status.reached("final") == job.bid.task_count

        play.wait_for(look, 240, "every task to be final")
        final = time.time()
        attested = first_attested_at(play.client)
        return [
            DelayFigure(
                profile.name,
                job.bid.task_count,
                len(play.cast.devices),
                accepted[0] - start,
                attested - start,
                final - start,
            )
        ]


def first_attested_at(client: ChainClient) -> int:
    """Unix seconds of the block in which the first epoch's last verifier revealed."""
    events = client.logs(client.deployment.deploy_block, client.head().number)
    number = last_reveal(event for event in events if event.name == "Revealed")
    block = client.block(number)
    assert block is not None, f"no block {number}"
    return block.timestamp


def last_reveal(reveals: Iterable[Event]) -> int:
    """The block of the last reveal of the epoch that was revealed first; reveals come in the chain's order."""
    found = list(reveals)
    return max(event.block_number for event in found if event.args["epochId"] == found[0].args["epochId"])
