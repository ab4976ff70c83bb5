"""What was paid, refunded and disputed before there was a ledger opens it."""

import psycopg
import sqlalchemy as sa

from scripts.bookkeeping.checking import check
from tests.cluster import Cluster
from tests.models.test_accounts_migration import upgrade
from tests.models.test_migrations import engine

# The check reads the tables of the present.
BEFORE, AFTER = "0016", "head"
MERCHANT = "019d7cd3-e841-7f5a-9c2b-7d4e6f8a0b13"


def payment(number: int, status: str, authorised: int, captured: int, back: int) -> str:
    identifier = f"019d7cd3-e841-7f5a-9c2b-7d4e6f8a1{number:03d}"
    return (
        "INSERT INTO payments (id, merchant_id, livemode, amount, currency, status, capture,"
        " payment_method_id, is_token, metadata, idempotency_key, attempt_id, amount_authorized,"
        " amount_captured, amount_refunded, amount_disputed, created_at) VALUES"
        f" ('{identifier}', '{MERCHANT}', false, 10500, 'usd', '{status}', true, '{identifier}',"
        f" false, '{{}}', '{identifier}', '{identifier}', {authorised}, {captured}, {back},"
        f" {1000 if number == 3 else 0}, now());"
    )


def refund(number: int, of: int, status: str, amount: int) -> str:
    return (
        "INSERT INTO refunds (id, merchant_id, livemode, payment_id, amount, currency, status,"
        f" created_at) VALUES ('019d7cd3-e841-7f5a-9c2b-7d4e6f8a2{number:03d}', '{MERCHANT}',"
        f" false, '019d7cd3-e841-7f5a-9c2b-7d4e6f8a1{of:03d}', {amount}, 'usd', '{status}',"
        " now());"
    )


def dispute(number: int, of: int, status: str, amount: int) -> str:
    identifier = f"019d7cd3-e841-7f5a-9c2b-7d4e6f8a3{number:03d}"
    paid = f"019d7cd3-e841-7f5a-9c2b-7d4e6f8a1{of:03d}"
    closed = "NULL" if status == "needs_response" else "now()"
    return (
        "INSERT INTO disputes (id, merchant_id, livemode, payment_id, chargeback_id, amount,"
        " currency, reason, status, evidence_due_by, event_sequence, created_at, closed_at)"
        f" VALUES ('{identifier}', '{MERCHANT}', false, '{paid}',"
        f" '{identifier}', {amount}, 'usd', 'fraudulent', '{status}', now(), 1, now(), {closed});"
    )


_LAID_IN = "".join(
    [
        payment(1, "pending", 0, 0, 0),
        payment(2, "authorized", 10500, 0, 0),
        # 2.9 % of 10500 is 304.5, of 500 14.5: both halves, to the even side.
        payment(3, "captured", 10500, 10500, 2500),
        payment(4, "captured", 10500, 500, 0),
        payment(5, "refunded", 10500, 10500, 10500),
        payment(6, "cancelled", 10500, 0, 0),
        payment(7, "failed", 0, 0, 0),
        refund(1, 3, "pending", 2000),
        refund(2, 3, "succeeded", 500),
        refund(3, 4, "failed", 100),
        refund(4, 5, "succeeded", 10500),
        dispute(1, 3, "needs_response", 1000),
        dispute(2, 4, "won", 300),
    ]
)


def test_the_books_agree_after_the_upgrade(cluster: Cluster) -> None:
    url = cluster.database()
    upgrade(url, BEFORE)
    with engine(url).begin() as connection:
        connection.execute(sa.text(_LAID_IN))
    upgrade(url, AFTER)
    # The check speaks of the tables as they are today.
    upgrade(url, "head")
    report = check(url, None)
    assert report.differences == []
    with psycopg.connect(url) as connection:
        held: dict[str, int] = dict(
            connection.execute("SELECT account, balance FROM ledger_balances").fetchall()
        )
    captured = 10500 + 500 + 10500
    # 304 + 30, 14 + 30, 304 + 30, and two disputes.
    fees = 334 + 44 + 334 + 2 * 1500
    assert held["fees"] == fees
    assert held["card_network"] == -captured + 500 + 10500 + 1000
    assert held["refund_clearing"] == 2000
    assert held["merchant"] == captured - fees - 2500 - 10500 - 1000
    assert held["authorised"] == 10500
