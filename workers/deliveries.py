"""The loop that delivers events: many receivers at once, each as much as it bears."""

from functools import partial
from time import monotonic

from domain.delivery_rooms import ATTEMPTS_AT_ONCE, Rooms
from flows.webhook_delivery import Delivery, WebhookDelivery
from runtime.database import DatabaseUnavailable
from runtime.log import log
from workers.crew import Crew
from workers.turning import Turning

LOOK_AGAIN_SECONDS = 0.2
# Between two looks some events gather: one statement for ten costs little more than for one.
BREATH_SECONDS = 0.02
# An attempt lasts up to 10 s.  A receiver that needs longer than this while a worker stops is
# told again by another one: its hanging must not hold up every release of Paymint.
FINISH_SECONDS = 5.0


class Deliveries:
    """Leases deliveries as room comes free and makes them."""

    def __init__(self, delivery: WebhookDelivery) -> None:
        self._delivery = delivery
        self._crew: Crew[Delivery] = Crew("deliveries", ATTEMPTS_AT_ONCE)
        self._rooms = Rooms()
        self.loop = Turning("deliveries", self._turn, LOOK_AGAIN_SECONDS, BREATH_SECONDS)

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
        now = monotonic()
        rooms, full = self._rooms.rooms(now), self._rooms.full()
        leased, unseen = await self._delivery.lease(free, rooms, full)
        for delivery in leased:
            self._rooms.begin(delivery.endpoint, now)
            ended = partial(self._ended, delivery, now)
            self._crew.start(delivery, self._delivery.deliver(delivery), ended)
        return len(leased) + unseen

    def _ended(self, delivery: Delivery, began: float) -> None:
        self._rooms.end(delivery.endpoint, began, monotonic())
        self.loop.wake()
