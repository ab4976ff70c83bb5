"""What must hold after every fault (threats-and-faults, "Faults, and the oracle of each")."""

from collections import Counter
from typing import Any

from tests.faults.orders import ENDS, Order, identifier
from tests.serving import eventually
from tests.shop import Merchant, Shop

RECOVERY_SECONDS = 60.0
# What stands behind a status, so far as a payment may have gone on since it was answered.
LATER = {
    "pending": {"pending", "authorized", "captured", "cancelled"},
    "authorized": {"authorized", "captured", "cancelled"},
    "captured": {"captured"},
    "cancelled": {"cancelled"},
}
BOOKED = {
    "sale": [("sale", "approved")],
    "capture": [("authorise", "approved"), ("capture", "approved")],
    "cancel": [("authorise", "approved"), ("reverse", "approved")],
}
Row = tuple[Any, ...]


def rows(shop: Shop, statement: str, merchant: Merchant) -> list[Row]:
    """A question to the main database about one merchant."""
    with shop.database() as connection:
        return connection.execute(statement.encode(), (identifier(merchant.id),)).fetchall()


def all_is_recovered(shop: Shop, merchant: Merchant) -> bool:
    """Nobody waits for a worker any more."""
    open_work = "SELECT 1 FROM payments WHERE merchant_id = %s AND resume_at IS NOT NULL"
    return not rows(shop, open_work, merchant)


def check(shop: Shop, merchant: Merchant, orders: list[Order]) -> None:
    """Everything at once, for a merchant whose only payments are these orders."""
    assert eventually(lambda: all_is_recovered(shop, merchant), RECOVERY_SECONDS)
    check_answers(shop, merchant, orders)
    check_one_payment_per_order(shop, merchant, orders)
    check_books(shop, merchant, orders)
    check_events_and_counts(shop, merchant, orders)


def check_answers(shop: Shop, merchant: Merchant, orders: list[Order]) -> None:
    """Every 2xx that was answered is there, with the same status or a later one."""
    found = rows(shop, "SELECT id, status, amount FROM payments WHERE merchant_id = %s", merchant)
    statuses = {row[0]: row[1] for row in found}
    for order in orders:
        for answer in order.answers:
            if answer.status in (200, 201, 202):
                status = statuses[identifier(answer.body["id"])]
                assert status in LATER[answer.body["status"]], (answer, status)


def check_one_payment_per_order(shop: Shop, merchant: Merchant, orders: list[Order]) -> None:
    """One payment per key, and no other."""
    found = rows(shop, "SELECT id, idempotency_key FROM payments WHERE merchant_id = %s", merchant)
    by_key = {str(key): payment for payment, key in found}
    assert len(by_key) == len(found) == len(orders)
    for order in orders:
        assert order.payment is not None
        assert by_key[order.keys["/v1/payments"]] == identifier(order.payment)


def check_books(shop: Shop, merchant: Merchant, orders: list[Order]) -> None:
    """The network's own journal: each payment was asked for what it says, once, nothing else."""
    kinds = {identifier(str(order.payment)).hex: order.kind for order in orders}
    booked: dict[str, list[tuple[str, str]]] = {}
    owner = merchant.id.partition("_")[2]
    for line in shop.journal():
        if line["merchant"] == owner:
            booked.setdefault(line["payment"], []).append((line["kind"], line["decision"]))
    assert {payment: BOOKED[kind] for payment, kind in kinds.items()} == booked


def check_events_and_counts(shop: Shop, merchant: Merchant, orders: list[Order]) -> None:
    """An event for every transition, once, and totals that are exact."""
    statement = "SELECT object_id, type, sequence FROM events WHERE merchant_id = %s"
    found = rows(shop, statement, merchant)
    assert len({(row[0], row[2]) for row in found}) == len(found)
    told = Counter((row[0], row[1]) for row in found if row[1] != "payment.queued")
    wanted = Counter[tuple[Any, str]]()
    for order in orders:
        payment = identifier(str(order.payment))
        if order.kind != "sale":
            wanted[payment, "payment.authorized"] += 1
        wanted[payment, f"payment.{ENDS[order.kind]}"] += 1
    assert told == wanted
    for status in ("captured", "cancelled"):
        listed = merchant.get("/v1/payments", status=status, limit=1)["total_count"]
        assert listed == sum(ENDS[order.kind] == status for order in orders)
