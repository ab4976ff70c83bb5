"""The loop that moves disputes on: evidence to the network, deadlines that have passed."""

from flows.dispute_progress import lease_due_disputes, move_on
from flows.house import House
from workers.crew import Crew
from workers.turning import Turning

DISPUTES_AT_ONCE = 8
LOOK_AGAIN_SECONDS = 0.5
# A call to the vault lasts 3 s.
FINISH_SECONDS = 5.0


class Disputes:
    """Leases disputes as room comes free and moves them on."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._crew = Crew("disputes", DISPUTES_AT_ONCE)
        self.loop = Turning("disputes", self._turn, LOOK_AGAIN_SECONDS)

    async def finish(self) -> None:
        """Let what is under way end."""
        await self._crew.finish(FINISH_SECONDS)

    async def _turn(self) -> int:
        free = self._crew.free
        if not free:
            return 0
        leased = await lease_due_disputes(self._house, free)
        for dispute in leased:
            self._crew.start(move_on(self._house, dispute), self.loop.wake)
        return len(leased)
