"""The loop that delivers events: many receivers at once, few attempts at each."""

from collections import Counter
from functools import partial

from flows.webhook_delivery import Delivery, Endpoint, WebhookDelivery
from runtime.database import DatabaseUnavailable
from runtime.log import log
from workers.crew import Crew
from workers.turning import Turning

ATTEMPTS_AT_ONCE = 64
LOOK_AGAIN_SECONDS = 0.2
# An attempt lasts up to 10 s.  A receiver that needs longer than this while a worker stops is
# told again by another one: its hanging must not hold up every release of Paymint.
FINISH_SECONDS = 5.0


class Deliveries:
    """Leases deliveries as room comes free and makes them."""

    def __init__(self, delivery: WebhookDelivery) -> None:
        self._delivery = delivery
        self._crew: Crew[Delivery] = Crew("deliveries", ATTEMPTS_AT_ONCE)
        self._under_way: Counter[Endpoint] = Counter()
        self.loop = Turning("deliveries", self._turn, LOOK_AGAIN_SECONDS)

    async def finish(self) -> None:
        """Let the attempts under way end, record them, and give back those that do not end."""
        left = await self._crew.finish(FINISH_SECONDS)
        await self._delivery.close()
        if not left:
            return
        try:
            await self._delivery.give_back(left)
        except DatabaseUnavailable:
            log("leases_left_to_run_out", loop="deliveries", count=len(left))
        else:
            log("leases_given_back", loop="deliveries", count=len(left))

    async def _turn(self) -> int:
        free = self._crew.free
        if not free:
            return 0
        leased = await self._delivery.lease(free, self._under_way)
        for delivery in leased:
            self._under_way[delivery.endpoint] += 1
            work, ended = self._delivery.deliver(delivery), partial(self._ended, delivery)
            self._crew.start(delivery, work, ended)
        return len(leased)

    def _ended(self, delivery: Delivery) -> None:
        self._under_way[delivery.endpoint] -= 1
        if not self._under_way[delivery.endpoint]:
            del self._under_way[delivery.endpoint]
        self.loop.wake()
