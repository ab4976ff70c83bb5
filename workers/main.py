"""The worker's process: every loop of the background work side by side."""

import asyncio
import signal
from functools import partial

import uvloop

from adapters.settings import Settings
from flows.audit_archiving import AuditArchiving
from flows.audit_sealing import seal_heads
from flows.authorisation_expiry import end_expired_authorisations
from flows.card_erasure import erase_detached_cards, erase_unknown_cards
from flows.dispute_intake import take_in_chargebacks
from flows.house import House, open_house
from flows.key_ages import check_key_ages
from flows.oauth_upkeep import keep_oauth
from flows.partitions import make_partitions
from flows.payment_recovery import resume_due_payments
from flows.test_clocks import catch_up_with_clocks
from flows.webhook_delivery import WebhookDelivery
from runtime.clock import Clock
from runtime.log import configure, log
from runtime.memory import settle_memory
from runtime.metrics import serve_metrics
from workers.deliveries import Deliveries
from workers.disputes import Disputes
from workers.refunds import Refunds
from workers.turning import Turning

PAYMENTS_LOOK_AGAIN_SECONDS = 0.5
EXPIRIES_LOOK_AGAIN_SECONDS = 0.5
CLOCKS_LOOK_AGAIN_SECONDS = 1.0
CHARGEBACKS_LOOK_AGAIN_SECONDS = 1.0
ERASURES_LOOK_AGAIN_SECONDS = 1.0
SEALED_EVERY_SECONDS = 60.0
ARCHIVE_LOOKS_AGAIN_SECONDS = 10.0
KEY_AGES_LOOK_AGAIN_SECONDS = 3600.0
UNKNOWN_CARDS_LOOK_AGAIN_SECONDS = 60.0
PARTITIONS_LOOK_AGAIN_SECONDS = 24 * 3600.0
OAUTH_LOOKS_AGAIN_SECONDS = 3600.0
# A turn is one statement, but for unfinished payments, whose leases run out by themselves.
LAST_TURN_SECONDS = 2.0


class Worker:
    """Everything the process does, begun and ended together."""

    def __init__(self, house: House) -> None:
        self._deliveries = Deliveries(WebhookDelivery(house))
        self._refunds = Refunds(house)
        self._disputes = Disputes(house)
        chargebacks = partial(take_in_chargebacks, house)
        archiving = AuditArchiving(house)
        resume = partial(resume_due_payments, house)
        self._loops = (
            self._deliveries.loop,
            self._refunds.loop,
            self._disputes.loop,
            Turning("chargebacks", chargebacks, CHARGEBACKS_LOOK_AGAIN_SECONDS),
            Turning("payments", resume, PAYMENTS_LOOK_AGAIN_SECONDS),
            Turning(
                "expiries",
                partial(end_expired_authorisations, house),
                EXPIRIES_LOOK_AGAIN_SECONDS,
            ),
            Turning("clocks", partial(catch_up_with_clocks, house), CLOCKS_LOOK_AGAIN_SECONDS),
            Turning("erasures", partial(erase_detached_cards, house), ERASURES_LOOK_AGAIN_SECONDS),
            Turning("oauth", partial(keep_oauth, house), OAUTH_LOOKS_AGAIN_SECONDS),
            Turning("audit roots", partial(seal_heads, house), SEALED_EVERY_SECONDS),
            Turning("audit archive", archiving.turn, ARCHIVE_LOOKS_AGAIN_SECONDS),
            Turning("key_ages", partial(check_key_ages, house), KEY_AGES_LOOK_AGAIN_SECONDS),
            Turning(
                "unknown_cards",
                partial(erase_unknown_cards, house),
                UNKNOWN_CARDS_LOOK_AGAIN_SECONDS,
            ),
            Turning("partitions", partial(_partitions, house), PARTITIONS_LOOK_AGAIN_SECONDS),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish what was begun (at most 12 s)."""
        running = [asyncio.create_task(loop.run()) for loop in self._loops]
        settle_memory()
        log("worker_ready")
        await stop.wait()
        log("worker_stopping")
        for loop in self._loops:
            loop.stop()
        _, still_turning = await asyncio.wait(running, timeout=LAST_TURN_SECONDS)
        for task in still_turning:
            task.cancel()
        await asyncio.gather(*still_turning, return_exceptions=True)
        await asyncio.gather(
            self._deliveries.finish(), self._refunds.finish(), self._disputes.finish()
        )


async def _partitions(house: House) -> int:
    await make_partitions(house)
    return 0


async def _serve(clock: Clock | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    settings = Settings.from_environment()
    serve_metrics(settings.metrics_port)
    house = await open_house(settings, clock)
    try:
        await Worker(house).run(stop)
    finally:
        await house.close()


def main(clock: Clock | None = None) -> None:
    """The entry of scripts/paymint-worker; without a clock the machine's."""
    configure("paymint-worker")
    uvloop.run(_serve(clock))
