"""Every movement is posted once, with the row that it belongs to, and sums to zero."""

import asyncio

import psycopg
import pytest
from psycopg.errors import CheckViolation, UniqueViolation

from domain.ledger import LEGS, Movement
from models.ledger import post
from scripts.bookkeeping.checking import check
from tests.models.ledger_books import Books

HELD = {("usd", "authorised"): 10000, ("usd", "authorised_contra"): -10000}
SOLD = {("usd", "card_network"): -10000, ("usd", "merchant"): 9680, ("usd", "fees"): 320}


def agrees(url: str) -> None:
    assert check(url, None).differences == []


def test_money_that_is_held_is_only_promised(ledger_database: str) -> None:
    async def history(books: Books) -> None:
        payment = await books.authorised(10000)
        assert await books.balances() == HELD
        await books.changed(payment, status="cancelled")
        assert await books.balances() == {}

    asyncio.run(Books(ledger_database).played(history))
    agrees(ledger_database)


def test_a_partial_capture_releases_all_and_takes_its_part(ledger_database: str) -> None:
    async def history(books: Books) -> None:
        payment = await books.authorised(10000)
        await books.changed(payment, status="captured", amount_captured=4000)
        assert await books.balances() == {
            ("usd", "card_network"): -4000,
            ("usd", "merchant"): 3854,
            ("usd", "fees"): 146,
        }

    asyncio.run(Books(ledger_database).played(history))
    agrees(ledger_database)


def test_a_refund_is_set_aside_and_paid_and_its_fee_is_kept(ledger_database: str) -> None:
    async def history(books: Books) -> None:
        payment = await books.captured(10000)
        assert await books.balances() == SOLD
        payment, refund = await books.refunded(payment, 10000)
        assert (await books.balances())["usd", "refund_clearing"] == 10000
        await books.settled(payment, refund, "succeeded")
        assert await books.balances() == {("usd", "merchant"): -320, ("usd", "fees"): 320}

    asyncio.run(Books(ledger_database).played(history))
    agrees(ledger_database)


def test_a_failed_refund_leaves_what_was_there(ledger_database: str) -> None:
    async def history(books: Books) -> None:
        payment = await books.captured(10000)
        payment, refund = await books.refunded(payment, 2500)
        await books.settled(payment, refund, "failed")
        assert await books.balances() == SOLD

    asyncio.run(Books(ledger_database).played(history))
    agrees(ledger_database)


@pytest.mark.parametrize(("status", "lost"), [("won", 0), ("lost", 10000)])
def test_a_dispute_costs_its_fee_however_it_ends(
    ledger_database: str, status: str, lost: int
) -> None:
    async def history(books: Books) -> None:
        payment, dispute = await books.disputed(await books.captured(10000), 10000)
        await books.closed(payment, dispute, status)
        held = await books.balances()
        assert held["usd", "merchant"] == 9680 - 1500 - lost
        assert held["usd", "fees"] == 320 + 1500
        assert held.get(("usd", "card_network"), 0) == lost - 10000

    asyncio.run(Books(ledger_database).played(history))
    agrees(ledger_database)


def test_the_same_movement_is_not_posted_twice(ledger_database: str) -> None:
    async def history(books: Books) -> None:
        payment = await books.captured(10000)
        async with books.database.transaction() as transaction:
            with pytest.raises(UniqueViolation):
                async with transaction.savepoint():
                    await post(transaction, payment, [Movement("capture", 10000, 320)])
        # The rule in Python is gone: a row says that it was pending when it was not.
        pending = {**payment, "status": "pending"}
        with pytest.raises(UniqueViolation):
            await books.changed(pending, status="captured")
        assert await books.balances() == SOLD

    asyncio.run(Books(ledger_database).played(history))
    agrees(ledger_database)


@pytest.mark.parametrize("amount", [0, -1])
def test_nothing_and_less_are_not_posted(ledger_database: str, amount: int) -> None:
    async def history(books: Books) -> None:
        payment = await books.payment(10000)
        with pytest.raises(CheckViolation):
            async with books.database.transaction() as transaction:
                await post(transaction, payment, [Movement("refund", amount)])

    asyncio.run(Books(ledger_database).played(history))


def test_an_account_pays_another_one(ledger_database: str) -> None:
    with psycopg.connect(ledger_database) as connection, pytest.raises(CheckViolation):
        connection.execute(
            "INSERT INTO ledger_postings VALUES (gen_random_uuid(), 'capture', 0,"
            " gen_random_uuid(), false, 'fees', 'fees', 1, 'usd', now())"
        )


def test_every_movement_has_its_legs_and_no_leg_pays_itself() -> None:
    assert len({(leg.kind, leg.position) for leg in LEGS}) == len(LEGS)
    assert all(leg.debit != leg.credit for leg in LEGS)
    with_fee = {leg.kind for leg in LEGS if leg.part == "fee"}
    assert with_fee == {"capture", "dispute"}
