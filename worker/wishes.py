"""What a contributor wishes: how much of the machine, and when."""

from dataclasses import dataclass, fields

from worker.errors import SettingsInvalid
from worker.hours import Hours

_PERCENTS = ("processors_percent", "cpu_share_percent", "other_load_percent")


@dataclass(frozen=True)
class Wishes:
    """When and how the device may work: the table `[policy]` of the settings file, one key for each field.

    A wish at its default asks for nothing. How much: `processors_percent` of the machine's processors (`cpus` at most),
    `cpu_share_percent` of each one's time, `niceness` of the children.
    When: nobody has typed for `idle_s` seconds; in these `hours` (see `worker.hours`); on a battery or a metered
    network or not; while other programs use at most `other_load_percent` of all processors; with so many MiB of memory
    and disk free; below `max_temperature_c` degrees. 0 (100 for the load) asks for nothing.
    `work_when_unknown`: what to do where the machine does not tell. `finish_within_s`: see `worker.policy`.
    """

    processors_percent: int = 100
    cpu_share_percent: int = 100
    niceness: int = 0
    idle_s: int = 0
    hours: tuple[str, ...] = ()
    on_battery: bool = True
    on_metered: bool = True
    other_load_percent: int = 100
    min_free_memory_mib: int = 0
    min_free_disk_mib: int = 0
    max_temperature_c: int = 0
    work_when_unknown: bool = True
    finish_within_s: int = 60

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            least = 1 if one.name in _PERCENTS else 0
            most = 100 if one.name in _PERCENTS else 19 if one.name == "niceness" else 10**9
            if type(value) is int and not least <= value <= most:
                raise SettingsInvalid(f"[policy]: {one.name} is {value}, not {least} to {most}")
        for text in self.hours:
            Hours.parse(text)

    @property
    def open_hours(self) -> tuple[Hours, ...]:
        """`hours`, read."""
        return tuple(Hours.parse(text) for text in self.hours)

    @property
    def conditions(self) -> frozenset[str]:
        """The fields of `worker.conditions.Conditions` that these wishes ask for."""
        asked = {
            "idle_s": self.idle_s > 0,
            "on_battery": not self.on_battery,
            "metered": not self.on_metered,
            "other_load_percent": self.other_load_percent < 100,
            "free_memory_bytes": self.min_free_memory_mib > 0,
            "free_disk_bytes": self.min_free_disk_mib > 0,
            "temperature_c": self.max_temperature_c > 0,
        }
        return frozenset(name for name, is_asked in asked.items() if is_asked)


PRESETS: dict[str, tuple[str, Wishes]] = {
    "dedicated": ("work whenever the agent runs, with all that it is given", Wishes()),
    "background": (
        "work behind other programs; rest on battery, on a metered network, and while they need half of the machine",
        Wishes(niceness=19, on_battery=False, on_metered=False, other_load_percent=50, min_free_memory_mib=512),
    ),
    "considerate": (
        "half of the processors, only when nobody has used the machine for three minutes; otherwise like background",
        Wishes(
            processors_percent=50, niceness=19, idle_s=180, on_battery=False, on_metered=False, other_load_percent=25,
            min_free_memory_mib=1_024, min_free_disk_mib=1_024, max_temperature_c=90,
        ),
    ),
}  # fmt: skip
"""What `worker init` offers: a name, what it means, the wishes."""
