"""The life of an API version: announced as old, dimmed for single hours, removed.

Every moment is the business clock's, which a test clock may move (contract-decisions, "two
clocks").  The dates of each version stand in its file of contract/versions/.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import Final

# The version that handlers and flows speak; contract/versions/registry.py checks that it is
# the newest of its files.
PRESENT: Final = "2026-04-01"
BROWNOUT: Final = timedelta(hours=1)
_ONE_DAY: Final = timedelta(days=1)


class Standing(Enum):
    """What a version is at a moment."""

    CURRENT = "current"
    DEPRECATED = "deprecated"
    BROWNOUT = "brownout"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Phase:
    """From `begins` on, a brownout of one hour begins at `hours` (UTC) on these weekdays.

    Weekdays are numbered as by `date.weekday()`: Monday is 0.
    """

    begins: date
    weekdays: frozenset[int]
    hours: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Life:
    """The published dates of a version that is on its way out.

    `phases` are in order of time; each ends where the next begins, the last at `sunset_at`.
    """

    deprecated_at: datetime
    sunset_at: datetime
    phases: tuple[Phase, ...]

    def standing(self, moment: datetime) -> Standing:
        """What the version is at `moment`; each edge belongs to what begins there."""
        if moment >= self.sunset_at:
            return Standing.REMOVED
        if moment < self.deprecated_at:
            return Standing.CURRENT
        if self._in_brownout(moment):
            return Standing.BROWNOUT
        return Standing.DEPRECATED

    def brownouts(self) -> Iterator[datetime]:
        """The beginning of every brownout, in order."""
        day = self.phases[0].begins
        while day < self.sunset_at.date():
            for hour in self._hours(day):
                yield datetime.combine(day, time(hour), UTC)
            day += _ONE_DAY

    def _in_brownout(self, moment: datetime) -> bool:
        # No brownout runs past midnight, so the day of the moment is that of its beginning.
        utc = moment.astimezone(UTC)
        return utc.hour in self._hours(utc.date())

    def _hours(self, day: date) -> tuple[int, ...]:
        begun = [phase for phase in self.phases if phase.begins <= day]
        if not begun or day.weekday() not in begun[-1].weekdays:
            return ()
        return begun[-1].hours
