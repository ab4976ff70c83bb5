"""Loops that lease due rows and work them off side by side."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from runtime.database import Row
from workers.crew import Crew, Work
from workers.turning import Turning


class Pace(NamedTuple):
    """How many rows at once, how soon to look again, and how long to finish."""

    at_once: int
    look_again_seconds: float
    finish_seconds: float


class Leasing:
    """Leases rows as room comes free, and starts a piece of work for each."""

    def __init__(
        self,
        name: str,
        lease: Callable[[int], Awaitable[list[Row]]],
        work: Callable[[Row], Work],
        pace: Pace,
    ) -> None:
        self._lease = lease
        self._work = work
        self._finish_seconds = pace.finish_seconds
        self._crew = Crew(name, pace.at_once)
        self.loop = Turning(name, self._turn, pace.look_again_seconds)

    async def finish(self) -> None:
        """Let what is under way end."""
        await self._crew.finish(self._finish_seconds)

    async def _turn(self) -> int:
        free = self._crew.free
        if not free:
            return 0
        leased = await self._lease(free)
        for row in leased:
            self._crew.start(self._work(row), self.loop.wake)
        return len(leased)
