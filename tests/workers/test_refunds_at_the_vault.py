"""Refunds through the real vault: cards that refund at once, slowly, and not at all."""

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import uvloop

from tests.cluster import Cluster
from tests.vault.house import house as vault_house
from tests.vault.merchant import VISA, merchant
from tests.workers.house import Bench, Place, bench, until
from tests.workers.test_refunds import captured_payment, event_rows, refund_of
from workers.duties import REFUNDS
from workers.leasing import Leasing

REFUND_SLOW = "4000000000007726"
REFUND_FAILS = "4000000000005126"


def test_refunds_end_as_the_cards_say(place: Place, cluster: Cluster, tmp_path: Path) -> None:
    with vault_house(tmp_path, cluster) as vault:
        vault.start()

        async def run() -> None:
            async with bench(place) as built, merchant(vault) as payer:
                built.merchant_id = payer.id
                through = Bench(
                    replace(built.house, vault=payer.door), built.clock, built.vault, payer.id
                )
                for number in (VISA, REFUND_SLOW, REFUND_FAILS):
                    payment_id = await captured_payment(through, 10000)
                    sale = {"payment_id": payment_id, "amount": 10000, "capture": True}
                    await payer.door.call(payer.authorise(await payer.token(number), **sale))
                    await refund_of(through, payment_id, 10000)
                await _settled(through)

        uvloop.run(run())


async def _settled(built: Bench) -> None:
    refunds = Leasing(built.house, *REFUNDS)
    running = asyncio.create_task(refunds.loop.run())

    async def told(count: int) -> bool:
        return len(await event_rows(built)) == count

    await until(lambda: told(1), seconds=1.0)
    assert await event_rows(built) == [("refund.succeeded", 2, "succeeded")]
    await until(lambda: told(3), seconds=8.0)
    refunds.loop.stop()
    await running
    await refunds.finish()
    kinds = Counter(kind for kind, _, _ in await event_rows(built))
    assert kinds == {"refund.succeeded": 2, "refund.failed": 1}
    rows = await built.rows("SELECT status, amount_refunded FROM payments")
    found = Counter((row["status"], row["amount_refunded"]) for row in rows)
    assert found == {("refunded", 10000): 2, ("captured", 0): 1}
