"""Refunds through the real vault: cards that refund at once, slowly, and not at all."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
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

    async def told() -> bool:
        return len(await event_rows(built)) == 3

    await until(told)
    refunds.loop.stop()
    await running
    await refunds.finish()
    first, *others = await event_rows(built)
    assert first == ("refund.succeeded", 2, "succeeded")
    assert sorted(kind for kind, _, _ in others) == ["refund.failed", "refund.succeeded"]
    moments = await built.rows("SELECT created_at FROM events ORDER BY id")
    # The network takes three seconds for the other two.
    assert moments[1]["created_at"] - moments[0]["created_at"] > timedelta(seconds=1)
    rows = await built.rows("SELECT status, amount_refunded FROM payments")
    found = Counter((row["status"], row["amount_refunded"]) for row in rows)
    assert found == {("refunded", 10000): 2, ("captured", 0): 1}
