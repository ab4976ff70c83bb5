"""A chargeback that no column takes: it is told in vain, and the others are not."""

import asyncio
from pathlib import Path

import uvloop

from contract import relay
from runtime.ids import uuid7
from tests.cluster import Cluster
from tests.vault.house import house
from tests.vault.merchant import Merchant, merchant
from vault.networks.journal import Journal, Line

TOLD_SECONDS = 20.0
LIMIT = 100


def claimed(payer: Merchant, amount: int) -> Line:
    """A chargeback as a network's books have it."""
    chargeback_id = uuid7()
    return Line(
        at=0,
        kind="chargeback",
        attempt=chargeback_id.hex,
        payment=uuid7().hex,
        merchant=payer.id.hex,
        livemode=False,
        network="visa",
        amount=amount,
        currency="usd",
        decision="approved",
        reference=f"cbk_{chargeback_id.hex}",
        code="fraudulent",
    )


def test_one_that_cannot_be_kept_keeps_no_other_from_being_told(
    tmp_path: Path, cluster: Cluster
) -> None:
    with house(tmp_path, cluster) as built:
        built.start()

        async def scenario() -> None:
            async with merchant(built) as payer:
                journal = Journal(tmp_path / "simulator" / "journal.jsonl")
                # No column takes the first.
                for amount in (2**63, 1200):
                    journal.append(claimed(payer, amount))
                journal.close()
                amounts: list[int] = []
                async with asyncio.timeout(TOLD_SECONDS):
                    while not amounts:
                        await asyncio.sleep(0.1)
                        asked = relay.ListChargebacks(request_id="req_test", limit=LIMIT)
                        news = await payer.door.call(asked)
                        assert isinstance(news, relay.ChargebackNews)
                        amounts = [each.amount for each in news.chargebacks]
                assert amounts == [1200]

        uvloop.run(scenario())
