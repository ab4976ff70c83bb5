"""The loop that settles refunds."""

from flows.house import House
from flows.refund_settlement import lease_due_refunds, settle
from workers.crew import Crew
from workers.turning import Turning

REFUNDS_AT_ONCE = 32
LOOK_AGAIN_SECONDS = 0.2
# A call to the vault and the inquiry after it last 3 s each.
FINISH_SECONDS = 10.0


class Refunds:
    """Leases refunds as room comes free and settles them."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._crew = Crew("refunds", REFUNDS_AT_ONCE)
        self.loop = Turning("refunds", self._turn, LOOK_AGAIN_SECONDS)

    async def finish(self) -> None:
        """Let the settlements under way end."""
        await self._crew.finish(FINISH_SECONDS)

    async def _turn(self) -> int:
        free = self._crew.free
        if not free:
            return 0
        leased = await lease_due_refunds(self._house, free)
        for refund in leased:
            self._crew.start(settle(self._house, refund), self.loop.wake)
        return len(leased)
