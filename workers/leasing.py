"""Loops that lease due rows and work them off side by side."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from flows.house import House
from runtime.database import DatabaseUnavailable, Row
from runtime.log import log
from workers.crew import Crew, Work
from workers.turning import Turning


class Pace(NamedTuple):
    """How many rows at once, how soon to look again, and how long to finish."""

    at_once: int
    look_again_seconds: float
    finish_seconds: float


class Duty(NamedTuple):
    """One kind of work: leasing rows of it, doing one, and giving back what was not done."""

    name: str
    lease: Callable[[House, int], Awaitable[list[Row]]]
    work: Callable[[House, Row], Work]
    give_back: Callable[[House, Sequence[Row]], Awaitable[None]]


class Leasing:
    """Leases rows as room comes free, and starts a piece of work for each."""

    def __init__(self, house: House, duty: Duty, pace: Pace) -> None:
        self._house = house
        self._duty = duty
        self._finish_seconds = pace.finish_seconds
        self._crew: Crew[Row] = Crew(duty.name, pace.at_once)
        self.loop = Turning(duty.name, self._turn, pace.look_again_seconds)

    async def finish(self) -> None:
        """Let what is under way end; what does not is given back for others to take at once.

        Call it when the loop has ended.  What a lost database keeps from being given back
        is free when its lease runs out.
        """
        left = await self._crew.finish(self._finish_seconds)
        if not left:
            return
        try:
            await self._duty.give_back(self._house, left)
        except DatabaseUnavailable:
            log("leases_left_to_run_out", loop=self._duty.name, count=len(left))
        else:
            log("leases_given_back", loop=self._duty.name, count=len(left))

    async def _turn(self) -> int:
        free = self._crew.free
        if not free:
            return 0
        leased = await self._duty.lease(self._house, free)
        for row in leased:
            self._crew.start(row, self._duty.work(self._house, row), self.loop.wake)
        return len(leased)
