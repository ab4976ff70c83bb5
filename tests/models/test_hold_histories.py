"""Random histories of holds leave what the plain model in memory says they leave."""

import asyncio
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st

from runtime.database import Row
from scripts.bookkeeping.checking import check
from tests.models.hold_books import HoldBooks
from tests.models.ledger_books import Books
from tests.models.test_ledger_histories import ENDS, Model, disputed, refunded
from tests.properties import SAME_EVERYWHERE_ON_A_DATABASE

HISTORIES = 40
LEAST = 50
USD = "usd"
AMOUNTS = st.integers(LEAST, 10_000_000)
SHARES = st.floats(0.01, 1)
# A draw, with what becomes of its payment; or more that is set aside.
STEPS = st.one_of(
    st.tuples(st.just("draw"), SHARES, st.sampled_from(["refund", "dispute", "lose", ""]), ENDS),
    st.tuples(st.just("top_up"), AMOUNTS),
)
HOLD = st.tuples(
    AMOUNTS, st.lists(STEPS, max_size=6), st.sampled_from(["release", "expire", "stand"])
)


async def drawn(books: HoldBooks, model: Model, hold: Row, step: Any) -> Row:
    """The hold after a payment was drawn on it, which has a life of its own afterwards."""
    _, share, fate, end = step
    left = hold["amount_authorized"] - hold["amount_drawn"]
    if left < LEAST:
        return hold
    amount = max(LEAST, int(left * share))
    hold, payment = await books.drawn(hold, amount, heard=fate != "lose")
    model.move(USD, "authorised", "authorised_contra", amount)
    model.captured(USD, amount)
    part = max(1, int(amount * share))
    if fate == "refund":
        await refunded(books, model, payment, part, end)
    elif fate == "dispute":
        await disputed(books, model, payment, part, end)
    elif fate == "lose":
        await books.lost(payment)
        model.move(USD, "losses", "card_network", amount)
    return await books.used_up(hold) if amount == left else hold


async def told(books: HoldBooks, model: Model, story: Any) -> None:
    """One hold's life; when all of it is drawn, nothing comes after."""
    amount, steps, end = story
    hold = await books.held(amount)
    model.move(USD, "authorised_contra", "authorised", amount)
    for step in steps:
        if hold["status"] != "active":
            return
        if step[0] == "draw":
            hold = await drawn(books, model, hold, step)
        else:
            hold, _ = await books.topped_up(hold, step[1])
            model.move(USD, "authorised_contra", "authorised", step[1])
    if hold["status"] == "active" and end != "stand":
        left = hold["amount_authorized"] - hold["amount_drawn"]
        await books.ended(hold, end)
        model.move(USD, "authorised", "authorised_contra", left)


@settings(SAME_EVERYWHERE_ON_A_DATABASE, max_examples=HISTORIES)
@given(stories=st.lists(HOLD, min_size=1, max_size=4))
def test_balances_are_what_the_model_says(ledger_database: str, stories: list[Any]) -> None:
    async def history(books: Books) -> None:
        assert isinstance(books, HoldBooks)
        model = Model()
        for story in stories:
            await told(books, model, story)
        held = await books.balances()
        note(f"{held}")
        assert held == model.balances()
        assert sum(held.values()) == 0

    asyncio.run(HoldBooks(ledger_database).played(history))
    assert check(ledger_database, None).differences == []
