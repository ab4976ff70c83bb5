"""How long a refund keeps others from its payment, and a connection from others."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from flows.refunds import create_refund
from tests.flows.till import Till, open_till
from tests.flows.turns import TURN, trace_transactions
from tests.shop import Merchant, Shop

LOCK = "FOR UPDATE"
# Fewer than the runs after which a statement is prepared, and sent by its name.
REFUNDS = 3


def test_a_refund_is_five_round_trips(
    shop: Shop, merchant: Merchant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"

    async def refund(till: Till, payment: str) -> None:
        key = uuid4()
        reply = await create_refund(till.house, till.asking(key, payment), payment, 100, None)
        assert reply.status == 201
        before, lock, after = said.read_text().partition(LOCK)
        # The claim; the lock, the clock, all that is written, the commit.
        assert lock and (before.count(TURN), after.count(TURN)) == (1, 4), said.read_text()

    async def story() -> None:
        payment = merchant.pay()["id"]
        async with open_till(shop, merchant) as till:
            with monkeypatch.context() as patch:
                trace_transactions(patch, said)
                for _ in range(REFUNDS):
                    await refund(till, payment)

    asyncio.run(story())
