"""Days of one merchant on a bench: what it takes, and the daily run."""

from datetime import timedelta
from typing import Any

from flows.payout_runs import note_arrivals, run_due_payouts
from models.payouts import insert_schedules
from runtime.database import Row
from scripts.bookkeeping.checking import check
from tests.models.ledger_books import Books
from tests.workers.house import Bench

DAY = timedelta(days=1)


class Till(Books):
    """The books of a bench's merchant, in its house's own database."""

    def __init__(self, built: Bench) -> None:
        self.merchant = built.merchant_id
        self.database = built.house.database


async def scheduled(built: Bench) -> Till:
    """The merchant's till; its first run is due now."""
    async with built.house.database.transaction() as transaction:
        await insert_schedules(transaction, built.merchant_id, built.clock.now())
    return Till(built)


async def run_of(built: Bench, days: int = 1) -> list[Row]:
    """The payouts there are after the clock has moved so many days and the run was made."""
    built.clock.advance(days * DAY)
    await run_due_payouts(built.house)
    await note_arrivals(built.house)
    return await payouts_of(built)


async def payouts_of(built: Bench) -> list[Row]:
    return await built.rows("SELECT * FROM payouts ORDER BY created_at, id")


async def parts_of(built: Bench, payout: Row) -> dict[str, tuple[int, str, int]]:
    """(amount, rate, converted) by currency."""
    rows = await built.rows(
        "SELECT * FROM payout_parts WHERE payout_id = %(id)s ORDER BY currency", id=payout["id"]
    )
    return {row["currency"]: (row["amount"], row["rate"], row["converted_amount"]) for row in rows}


def agrees(built: Bench) -> None:
    """The books of the bench's database agree, whatever is under way."""
    assert check(built.house.settings.database_url, None).differences == []


async def held(till: Books) -> dict[str, tuple[int, int]]:
    """(available, pending) by currency, zeros left out."""
    balances: dict[tuple[str, str], Any] = await till.balances()
    currencies = {
        currency for currency, account in balances if account in ("available", "merchant")
    }
    return {
        each: (balances.get((each, "available"), 0), balances.get((each, "merchant"), 0))
        for each in currencies
    }
