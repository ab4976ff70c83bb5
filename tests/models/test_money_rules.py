"""The database itself refuses money that does not add up, whoever writes it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.errors import CheckViolation
from sqlalchemy.dialects import postgresql

from models.tables import PAYMENTS, REFUNDS

AMOUNT = 10000
Payments = psycopg.Connection[tuple[object, ...]]

WRONG = {
    "more refunded than captured": "amount_refunded = 8001",
    "refunded and disputed beyond captured": "amount_refunded = 4001, amount_disputed = 4000",
    "more captured than authorised": "amount_captured = 9001",
    "more authorised than asked for": "amount_authorized = 10001",
    "a negative refund": "amount_refunded = -1",
    "a negative dispute": "amount_disputed = -1",
    "a negative dispute hidden by a refund": "amount_refunded = 8001, amount_disputed = -1",
    "a negative capture": "amount_captured = -1, amount_refunded = 0",
    "a negative authorisation": "amount_authorized = -1, amount_captured = -1",
    "an amount of nothing": "amount = 49, amount_authorized = 0, amount_captured = 0",
    "an unknown status": "status = 'paid'",
    "an unknown operation": "operation = 'steal'",
    "a second capture": "operation = 'capture', operation_amount = 1000",
    "a cancellation of what was captured": "operation = 'cancel'",
    "a reversal of what was captured": "operation = 'reverse'",
    "a capture beyond the authorisation": "status = 'authorized', amount_captured = 0,"
    " operation = 'capture', operation_amount = 9001",
    "a capture of nothing": "status = 'authorized', amount_captured = 0,"
    " operation = 'capture', operation_amount = 0",
    "a capture of what failed": "status = 'failed', operation = 'capture'",
    "a capture of what is pending": "status = 'pending', operation = 'capture'",
}
RIGHT = ("amount_refunded = 8000", "amount_refunded = 4000, amount_disputed = 4000")


@pytest.fixture
def payments(main_database: str) -> Iterator[Payments]:
    """A connection that keeps nothing, with one payment: 10000 asked, 9000 held, 8000 taken."""
    with psycopg.connect(main_database) as connection:
        insert(connection, PAYMENTS, payment())
        yield connection
        connection.rollback()


def payment() -> dict[str, object]:
    return {
        **{name: uuid4() for name in ("id", "merchant_id", "payment_method_id")},
        **{name: uuid4() for name in ("idempotency_key", "attempt_id")},
        "livemode": False,
        "amount": AMOUNT,
        "currency": "usd",
        "status": "captured",
        "capture": True,
        "is_token": True,
        "metadata": {},
        "amount_authorized": 9000,
        "amount_captured": 8000,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }


def insert(connection: Payments, table: sa.Table, row: dict[str, object]) -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    text = str(table.insert().values(row).compile(dialect=dialect))
    values = {name: "{}" if value == {} else value for name, value in row.items()}
    connection.execute(text.encode(), values)


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_money_is_refused(payments: Payments, change: str) -> None:
    with pytest.raises(CheckViolation):
        payments.execute(f"UPDATE payments SET {change}".encode())


@pytest.mark.parametrize("change", RIGHT)
def test_money_may_be_used_to_the_last_cent(payments: Payments, change: str) -> None:
    payments.execute(f"UPDATE payments SET {change}".encode())


@pytest.mark.parametrize("amount", [0, -1])
def test_a_refund_is_of_something(payments: Payments, amount: int) -> None:
    row = payments.execute(b"SELECT id, merchant_id FROM payments").fetchone()
    assert row is not None
    with pytest.raises(CheckViolation):
        insert(payments, REFUNDS, refund(row[0], row[1], amount))


def test_a_refund_belongs_to_a_payment_of_the_same_merchant(payments: Payments) -> None:
    row = payments.execute(b"SELECT id, merchant_id FROM payments").fetchone()
    assert row is not None
    insert(payments, REFUNDS, refund(row[0], row[1], 1))
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        insert(payments, REFUNDS, refund(row[0], uuid4(), 1))


def refund(payment_id: object, merchant_id: object, amount: int) -> dict[str, object]:
    assert isinstance(payment_id, UUID)
    return {
        "id": uuid4(),
        "merchant_id": merchant_id,
        "livemode": False,
        "payment_id": payment_id,
        "amount": amount,
        "currency": "usd",
        "status": "pending",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
