"""The parts that are killed: which process that is, and by what one sees that it works again."""

from collections.abc import Callable
from enum import StrEnum
from random import Random

from deploy.chaos.ground import Ground


class Part(StrEnum):
    """Everything that has a process of its own in the design's local network."""

    MARKET = "market"
    CELERY = "celery"
    BEAT = "beat"
    DEVICE = "device"
    VERIFIER = "verifier"
    REPLAYER = "replayer"
    POSTGRES = "postgres"
    VALKEY = "valkey"
    ANVIL = "anvil"


SERVICES = {
    Part.MARKET: "market-api",
    Part.CELERY: "market-celery",
    Part.BEAT: "market-beat",
    Part.POSTGRES: "postgres",
    Part.VALKEY: "valkey",
    Part.ANVIL: "anvil",
}
"""Parts of which there is one."""


def victim_of(part: Part, ground: Ground, job_id: str, rng: Random) -> str:
    """The service to kill. A device is one that holds a lease of the job, where one does; else chance decides."""
    if part is Part.DEVICE:
        return rng.choice(ground.devices_at_work(job_id) or sorted(ground.devices.values()))
    if part in (Part.VERIFIER, Part.REPLAYER):
        name = rng.choice(ground.verifiers)
        return name if part is Part.VERIFIER else f"{name}-celery"
    return SERVICES[part]


def recovery(part: Part, ground: Ground, service: str, killed_at: float) -> Callable[[], bool]:
    """Asks whether the killed service works again; `killed_at` in Unix seconds.

    What keeps the market going is back when the market has read a block that was mined after the kill; what everybody
    leans on, when the verifiers have as well.
    """
    ready = ground.times_ready(service)
    probes: dict[Part, Callable[[], bool]] = {
        Part.MARKET: ground.api_is_ready,
        Part.CELERY: lambda: ground.times_ready(service) > ready and ground.follows("market", killed_at),
        Part.BEAT: lambda: ground.follows("market", killed_at),
        Part.DEVICE: lambda: ground.polled_since(service, killed_at),
        Part.VERIFIER: lambda: ground.follows(service, killed_at),
        Part.REPLAYER: lambda: ground.times_ready(service) > ready,
    }
    probe = probes.get(part, lambda: ground.api_is_ready() and ground.all_follow(killed_at))
    return lambda: ground.network.supervisor.services[service].running and probe()
