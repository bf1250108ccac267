"""Times of the week: "22:00-07:00", "mon-fri 18:00-24:00", "sat,sun 00:00-24:00", in the machine's local time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from worker.errors import SettingsInvalid

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60
_FORM = re.compile(r"(?:([a-z,-]+) )?(\d\d):(\d\d)-(\d\d):(\d\d)")


@dataclass(frozen=True)
class Hours:
    """From `begin` to `end` (minutes of the day; past midnight where `end` is not later) on days counted from Monday.

    What passes midnight belongs to the day on which it begins.
    """

    days: frozenset[int]
    begin: int
    end: int

    @classmethod
    def parse(cls, text: str) -> "Hours":
        """The hours of their text. Raises SettingsInvalid."""
        found = _FORM.fullmatch(text.strip().lower())
        if not found:
            raise SettingsInvalid(f'hours {text!r}: write "22:00-07:00" or "mon-fri 18:00-24:00"')
        begin, end = (60 * int(hour) + int(minute) for hour, minute in (found.group(2, 3), found.group(4, 5)))
        minutes_fit = all(int(found.group(k)) < 60 for k in (3, 5))
        if not minutes_fit or begin >= _DAY_MINUTES or end > _DAY_MINUTES or begin == end:
            raise SettingsInvalid(f"hours {text!r}: there is no such time")
        return cls(_days(found.group(1), text), begin, end)

    def span_on(self, day: datetime) -> tuple[datetime, datetime] | None:
        """Begin and end of the hours that begin on the day of `day` (its midnight); None if none do."""
        if day.weekday() not in self.days:
            return None
        length = (self.end - self.begin) % _DAY_MINUTES or _DAY_MINUTES
        begin = day + timedelta(minutes=self.begin)
        return begin, begin + timedelta(minutes=length)


def next_begin(hours: Sequence[Hours], now: float) -> float | None:
    """When the hours next begin (Unix seconds); `now` itself where they are on, None where there are none."""
    local = datetime.fromtimestamp(now, UTC).astimezone().replace(tzinfo=None)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    begins = []
    for day in range(-1, 8):
        for one in hours:
            span = one.span_on(midnight + timedelta(days=day))
            if span and span[0] <= local < span[1]:
                return now
            if span and span[0] > local:
                begins.append(span[0])
    return min(begins).timestamp() if begins else None


def _days(text: str | None, whole: str) -> frozenset[int]:
    if text is None:
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise SettingsInvalid(f"hours {whole!r}: days are {', '.join(DAYS)}")
        begin, end = DAYS.index(first), DAYS.index(last if dash else first)
        found |= {(begin + k) % 7 for k in range((end - begin) % 7 + 1)}
    return frozenset(found)
