"""A merchant whose test clock stands in the middle of the older version's life.

Without it, tests of that version would fail in its brown-outs, and for ever once it is removed.
"""

from datetime import UTC, datetime

from domain.ids import from_text
from runtime.ids import uuid7
from tests.shop import Merchant, Shop

MID_LIFE = datetime(2026, 10, 1, tzinfo=UTC)


def put_clock(shop: Shop, merchant: Merchant, moment: datetime = MID_LIFE) -> None:
    """Put the merchant's test clock, before its first request is answered."""
    identifier = from_text("mch", merchant.id)
    with shop.database() as database:
        database.execute(
            "INSERT INTO test_clocks (id, merchant_id, livemode, frozen_time, created_at)"
            " VALUES (%s, %s, false, %s, now())",
            (uuid7(), identifier, moment),
        )
