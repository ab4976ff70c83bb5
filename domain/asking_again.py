"""How long to wait before asking once more for what is still out."""

from datetime import timedelta
from typing import Final

# A network that is back is noticed after this at the latest.
LONGEST: Final = timedelta(seconds=15)
_PARTS: Final = 4


def pause(age: timedelta, shortest: timedelta) -> timedelta:
    """A quarter of the time that has passed: what has been out for long is asked for less
    often, so that a long outage does not fill the day with questions."""
    return min(max(age / _PARTS, shortest), LONGEST)
