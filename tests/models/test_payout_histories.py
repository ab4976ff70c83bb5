"""Random histories with payouts in several currencies, against the plain model in memory."""

import asyncio
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st

from adapters.exchange_rates import TABLE
from scripts.bookkeeping.checking import check
from tests.models.ledger_books import Books
from tests.models.payout_books import PaidBooks
from tests.models.test_ledger_histories import PAYMENT, Model, told
from tests.properties import SAME_EVERYWHERE_ON_A_DATABASE

HISTORIES = 40
LEAST = 100
DECIMALS = {"usd": 2, "eur": 2, "jpy": 0, "kwd": 3}
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
TEN_PLACES = Decimal("1E-10")
DAYS = st.lists(
    st.tuples(st.lists(PAYMENT, min_size=1, max_size=3), st.booleans()), min_size=1, max_size=4
)


class PaidModel(Model):
    """The same bookkeeper, who pays the merchant out in one currency every day."""

    def __init__(self, to: str) -> None:
        super().__init__()
        self.to = to

    def day(self, *, arrived: bool) -> None:
        for currency in ("usd", "jpy", "kwd"):
            self.move(currency, "merchant", "available", self.held[currency, "merchant"])
        parts = {
            currency: (self.held[currency, "available"], self.worth(currency))
            for currency in ("usd", "jpy", "kwd")
        }
        parts = {c: part for c, part in parts.items() if part[0] > 0 and part[1] > 0}
        paid = sum(worth for _, worth in parts.values())
        if paid >= LEAST:
            for currency, (amount, worth) in parts.items():
                if currency == self.to:
                    self.move(currency, "available", "in_transit", amount)
                else:
                    self.move(currency, "available", "fx", amount)
                    self.move(self.to, "fx", "in_transit", worth)
        if arrived:
            self.move(self.to, "in_transit", "paid_out", self.held[self.to, "in_transit"])

    def worth(self, currency: str) -> int:
        """What is available of a currency, in the currency that is paid out; exact fractions."""
        amount = self.held[currency, "available"]
        if currency == self.to:
            return amount
        cross = EXACT.divide(Decimal(TABLE[currency]), Decimal(TABLE[self.to]))
        rate = Fraction(cross.quantize(TEN_PLACES, context=EXACT))
        units = Fraction(10) ** (DECIMALS[self.to] - DECIMALS[currency])
        # `round` of a fraction takes halves to even.
        return round(amount * rate * units)


@settings(SAME_EVERYWHERE_ON_A_DATABASE, max_examples=HISTORIES)
@given(to=st.sampled_from(sorted(DECIMALS)), days=DAYS)
def test_what_is_paid_out_is_what_the_model_says(
    ledger_database: str, to: str, days: list[Any]
) -> None:
    books = PaidBooks(ledger_database, to)

    async def history(_: Books) -> None:
        await books.open_account()
        model = PaidModel(to)
        for stories, arrived in days:
            for story in stories:
                await told(books, model, story)
            await books.paid_out(arrived=arrived)
            model.day(arrived=arrived)
            held = await books.balances()
            note(f"{held}")
            assert held == model.balances()

    asyncio.run(books.played(history))
    assert check(ledger_database, None).differences == []
