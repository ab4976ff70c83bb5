"""Random histories of payments and payouts leave what a plain model in memory says they leave."""

import asyncio
from collections import Counter
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st

from domain.fees import DISPUTE, capture_fee
from runtime.database import Row
from scripts.bookkeeping.checking import check
from tests.models.ledger_books import Books
from tests.properties import SAME_EVERYWHERE_ON_A_DATABASE

AMOUNTS = st.integers(50, 99_999_999)
CURRENCIES = st.sampled_from(["usd", "jpy", "kwd"])
STARTS = st.sampled_from(["sale", "hold", "fail"])
STEPS = st.sampled_from(["capture", "cancel", "refund", "dispute"])
ENDS = st.sampled_from(["well", "badly", "open"])
PAYMENT = st.tuples(
    STARTS, AMOUNTS, CURRENCIES, st.lists(st.tuples(STEPS, ENDS, st.floats(0.01, 1)), max_size=6)
)
HISTORIES = 60


class Model:
    """Balances as a merchant's bookkeeper would keep them, by (currency, account)."""

    def __init__(self) -> None:
        self.held: Counter[tuple[str, str]] = Counter()

    def move(self, currency: str, debit: str, credit: str, amount: int) -> None:
        self.held[currency, debit] -= amount
        self.held[currency, credit] += amount

    def balances(self) -> dict[tuple[str, str], int]:
        return {account: balance for account, balance in self.held.items() if balance}

    def captured(self, currency: str, amount: int) -> None:
        self.move(currency, "card_network", "merchant", amount)
        self.move(currency, "merchant", "fees", capture_fee(amount))


async def begun(books: Books, model: Model, start: str, amount: int, currency: str) -> Row:
    """A new payment, in the books and in the model."""
    if start == "sale":
        model.captured(currency, amount)
        return await books.captured(amount, currency)
    if start == "hold":
        model.move(currency, "authorised_contra", "authorised", amount)
        return await books.authorised(amount, currency)
    return await books.changed(await books.payment(amount, currency), status="failed")


async def ended_hold(books: Books, model: Model, payment: Row, part: int, step: str) -> Row:
    """A capture of `part`, or a cancellation, of what is held."""
    currency = payment["currency"]
    model.move(currency, "authorised", "authorised_contra", payment["amount_authorized"])
    if step == "cancel":
        return await books.changed(payment, status="cancelled")
    model.captured(currency, part)
    return await books.changed(payment, status="captured", amount_captured=part)


async def refunded(books: Books, model: Model, payment: Row, part: int, end: str) -> Row:
    """A refund of `part`: paid, failed, or still on its way."""
    currency = payment["currency"]
    model.move(currency, "merchant", "refund_clearing", part)
    payment, refund = await books.refunded(payment, part)
    if end == "well":
        model.move(currency, "refund_clearing", "card_network", part)
        return await books.settled(payment, refund, "succeeded")
    if end == "badly":
        model.move(currency, "refund_clearing", "merchant", part)
        return await books.settled(payment, refund, "failed")
    return payment


async def disputed(books: Books, model: Model, payment: Row, part: int, end: str) -> Row:
    """A dispute of `part`: won, lost, or open."""
    currency = payment["currency"]
    model.move(currency, "merchant", "card_network", part)
    model.move(currency, "merchant", "fees", DISPUTE)
    payment, dispute = await books.disputed(payment, part)
    if end == "well":
        model.move(currency, "card_network", "merchant", part)
        return await books.closed(payment, dispute, "won")
    return payment if end == "open" else await books.closed(payment, dispute, "lost")


async def told(books: Books, model: Model, story: Any) -> None:
    """One payment's life; steps that its state does not allow are passed over."""
    start, amount, currency, steps = story
    payment = await begun(books, model, start, amount, currency)
    for step, end, share in steps:
        left = payment["amount_captured"] - payment["amount_refunded"] - payment["amount_disputed"]
        if payment["status"] == "authorized" and step in ("capture", "cancel"):
            part = max(50, int(payment["amount"] * share))
            payment = await ended_hold(books, model, payment, part, step)
        elif payment["status"] == "captured" and left and step in ("refund", "dispute"):
            act = refunded if step == "refund" else disputed
            payment = await act(books, model, payment, max(1, int(left * share)), end)


@settings(SAME_EVERYWHERE_ON_A_DATABASE, max_examples=HISTORIES)
@given(stories=st.lists(PAYMENT, min_size=1, max_size=5))
def test_balances_are_what_the_model_says(ledger_database: str, stories: list[Any]) -> None:
    async def history(books: Books) -> None:
        model = Model()
        for story in stories:
            await told(books, model, story)
        held = await books.balances()
        note(f"{held}")
        assert held == model.balances()
        by_currency: Counter[str] = Counter()
        for (currency, _), balance in held.items():
            by_currency[currency] += balance
        assert not any(by_currency.values())

    asyncio.run(Books(ledger_database).played(history))
    assert check(ledger_database, None).differences == []
