"""The worker's process: every loop of the background work side by side."""

import asyncio
import signal
from contextlib import suppress
from functools import partial

import uvloop

from adapters.settings import Settings
from flows.alone import Turn, alone, end_being_alone
from flows.audit_archiving import AuditArchiving
from flows.audit_sealing import seal_heads
from flows.authorisation_expiry import end_expired_authorisations
from flows.backlog import Backlogs
from flows.card_erasure import erase_unknown_cards
from flows.dispute_intake import take_in_chargebacks
from flows.hold_endings import end_expired_holds
from flows.house import House, open_house
from flows.key_ages import check_key_ages
from flows.oauth_upkeep import keep_oauth
from flows.partitions import make_partitions
from flows.retention import KeyRetention, forget_old_months
from flows.test_clocks import catch_up_with_clocks
from flows.webhook_delivery import WebhookDelivery
from runtime.clock import Clock
from runtime.database import DatabaseUnavailable
from runtime.log import configure, log
from runtime.memory import settle_memory
from runtime.metrics import serve_metrics
from workers.deliveries import Deliveries
from workers.duties import duties
from workers.payouts import payout_loops
from workers.turning import Turning

EXPIRIES_LOOK_AGAIN_SECONDS = 0.5
CLOCKS_LOOK_AGAIN_SECONDS = 1.0
CHARGEBACKS_LOOK_AGAIN_SECONDS = 1.0
SEALED_EVERY_SECONDS = 60.0
ARCHIVE_LOOKS_AGAIN_SECONDS = 10.0
KEY_AGES_LOOK_AGAIN_SECONDS = 3600.0
UNKNOWN_CARDS_LOOK_AGAIN_SECONDS = 60.0
PARTITIONS_LOOK_AGAIN_SECONDS = 3600.0
OAUTH_LOOKS_AGAIN_SECONDS = 3600.0
KEYS_LOOK_AGAIN_SECONDS = 60.0
OLD_MONTHS_LOOK_AGAIN_SECONDS = 3600.0
# Between two batches of what is forgotten others have the database.
FORGETTING_BREATH_SECONDS = 0.05
BACKLOG_LOOKS_AGAIN_SECONDS = 5.0
# A turn is some statements, or calls to the vault that can be made again.
LAST_TURN_SECONDS = 2.0


class Worker:
    """Everything the process does, begun and ended together."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._deliveries = Deliveries(WebhookDelivery(house))
        self._duties = duties(house)
        self._loops = (
            self._deliveries.loop,
            *(duty.loop for duty in self._duties),
            *_loops_of_all(house),
            *payout_loops(house),
            *_loops_of_one(house),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish what was begun, or give it back (about 8 s)."""
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
            self._deliveries.finish(), *(duty.finish() for duty in self._duties), self._let_go()
        )

    async def _let_go(self) -> None:
        with suppress(DatabaseUnavailable):
            await end_being_alone(self._house)


def _loops_of_all(house: House) -> list[Turning]:
    """Turns that every worker makes: safe side by side, because rows or the vault decide."""
    chargebacks = partial(take_in_chargebacks, house)
    expiries = partial(end_expired_authorisations, house)
    return [
        Turning("chargebacks", chargebacks, CHARGEBACKS_LOOK_AGAIN_SECONDS),
        Turning("expiries", expiries, EXPIRIES_LOOK_AGAIN_SECONDS),
        Turning("hold_ends", partial(end_expired_holds, house), EXPIRIES_LOOK_AGAIN_SECONDS),
        Turning("clocks", partial(catch_up_with_clocks, house), CLOCKS_LOOK_AGAIN_SECONDS),
        Turning("oauth", partial(keep_oauth, house), OAUTH_LOOKS_AGAIN_SECONDS),
        Turning("key_ages", partial(check_key_ages, house), KEY_AGES_LOOK_AGAIN_SECONDS),
        Turning("partitions", partial(make_partitions, house), PARTITIONS_LOOK_AGAIN_SECONDS),
        Turning("backlog", Backlogs(house).turn, BACKLOG_LOOKS_AGAIN_SECONDS),
    ]


def _loops_of_one(house: House) -> list[Turning]:
    """Turns that one worker makes for all: doing them twice is safe, and only not wanted."""
    turns: tuple[tuple[str, Turn, float], ...] = (
        ("audit roots", partial(seal_heads, house), SEALED_EVERY_SECONDS),
        ("audit archive", AuditArchiving(house).turn, ARCHIVE_LOOKS_AGAIN_SECONDS),
        ("unknown_cards", partial(erase_unknown_cards, house), UNKNOWN_CARDS_LOOK_AGAIN_SECONDS),
        ("idempotency_keys", KeyRetention(house).turn, KEYS_LOOK_AGAIN_SECONDS),
        ("old_months", partial(forget_old_months, house), OLD_MONTHS_LOOK_AGAIN_SECONDS),
    )
    return [
        Turning(name, alone(house, name, turn, pause), pause, FORGETTING_BREATH_SECONDS)
        for name, turn, pause in turns
    ]


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
