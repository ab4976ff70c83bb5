"""Histories in which a merchant is paid out: the daily run itself, over a database of a test."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from adapters.exchange_rates import TABLE, ExchangeRates, FixedRates
from domain.api_versions import PRESENT
from flows.house import House
from flows.payout_runs import note_arrivals, run_due_payouts
from models.accounts import insert_merchant
from runtime.clock import Clock
from runtime.database import Database
from runtime.ids import uuid7
from tests.models.ledger_books import Books
from tests.workers.house import MovableClock

DAY = timedelta(days=1)


@dataclass
class _Parts:
    """What a run asks of a house."""

    database: Database
    clock: Clock
    rates: ExchangeRates

    def new_id(self) -> UUID:
        return uuid7()


class PaidBooks(Books):
    """The books of a merchant who has an account, and is paid out when a test says so."""

    def __init__(self, url: str, settlement_currency: str = "usd") -> None:
        super().__init__(url)
        self.clock = MovableClock()
        self.to = settlement_currency
        self._house = cast(House, _Parts(self.database, self.clock, FixedRates(TABLE)))

    async def open_account(self) -> None:
        columns: dict[str, Any] = {
            "id": self.merchant,
            "business_name": "Widget Works",
            "email": None,
            "mcc": "5999",
            "country": "US",
            "status": "pending_review",
            "settlement_currency": self.to,
            "api_version": PRESENT,
            "created_at": self.clock.now(),
        }
        async with self.database.transaction() as transaction:
            await insert_merchant(transaction, **columns)

    async def paid_out(self, *, arrived: bool = True) -> None:
        """A day passes, and what has settled is paid out; it may be on its way still."""
        self.clock.advance(DAY)
        # A look makes some of the runs that are due, and other histories' are due, too.
        while await run_due_payouts(self._house):
            pass
        if arrived:
            await note_arrivals(self._house)
