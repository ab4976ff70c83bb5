"""What must hold after every fault (threats-and-faults, "Faults, and the oracle of each").

The facts come from the main database, from the network's own journal, and from what the
client was told; all three must say the same.
"""

from collections import Counter
from typing import Any

from psycopg.rows import dict_row

from tests.faults.rush import Purchase
from tests.serving import eventually
from tests.shop import Merchant, Shop

# The sandbox gives an authorisation up after 30 s; a few rounds of recovery follow.
RECOVERY_SECONDS = 50.0
STATUSES = ("pending", "authorized", "captured", "failed", "cancelled", "refunded")
# What stands behind a status, so far as a payment may have gone on since it was answered.
LATER = {
    "pending": set(STATUSES),
    "authorized": {"authorized", "captured", "cancelled"},
    "captured": {"captured", "refunded"},
    "failed": {"failed"},
    "cancelled": {"cancelled"},
}
# What the network must have approved of a payment in a status: one of these.
APPROVED = {
    "pending": [[], ["sale"], ["authorise"]],
    "authorized": [["authorise"]],
    "captured": [["sale"], ["authorise", "capture"]],
    "failed": [[], ["sale", "reverse"], ["authorise", "reverse"]],
    "cancelled": [[], ["sale", "reverse"], ["authorise", "reverse"]],
}
Row = dict[str, Any]


class Oracle:
    """Judges all that one merchant did."""

    def __init__(self, shop: Shop, merchant: Merchant) -> None:
        self._shop = shop
        self._merchant = merchant
        self._hex = merchant.id.removeprefix("mch_")

    def check(self, purchases: list[Purchase]) -> None:
        """Everything, for a merchant whose only payments are these purchases."""
        self.nothing_stays_unfinished()
        by_key = {str(row["idempotency_key"]): row for row in self.payments()}
        assert len(by_key) == len(self.payments()) == len(purchases)
        for purchase in purchases:
            row = by_key[purchase.key]
            assert row["amount"] == purchase.amount
            assert purchase.final[0] in (201, 202), purchase
            for _, body in purchase.answers:
                self.is_there(body)
                assert body["id"] == f"pay_{row['id'].hex}"
        self.network_agrees()
        self.every_transition_has_its_event()
        self.counters_are_exact()

    def payments(self) -> list[Row]:
        """The merchant's payments as the database has them, oldest first."""
        return self._rows("SELECT * FROM payments WHERE merchant_id = %s ORDER BY id")

    def is_there(self, answered: dict[str, Any]) -> None:
        """What a 2xx showed is still there, with the same status or a later one."""
        rows = {f"pay_{row['id'].hex}": row for row in self.payments()}
        row = rows[answered["id"]]
        assert row["amount"] == answered["amount"]
        assert row["status"] in LATER[answered["status"]], (answered, row["status"])

    def nothing_stays_unfinished(self) -> None:
        """Nobody waits for a worker any more."""

        def unfinished() -> list[Row]:
            return [
                row
                for row in self.payments()
                if row["status"] == "pending" or row["operation"] or row["resume_at"]
            ]

        eventually(lambda: not unfinished(), RECOVERY_SECONDS)
        assert unfinished() == []

    def network_agrees(self) -> None:
        """The journal has for each payment what its status says, once, and no other charge."""
        lines: dict[str, list[dict[str, Any]]] = {}
        for line in self._shop.journal():
            if line["merchant"] == self._hex and line["decision"] == "approved":
                lines.setdefault(line["payment"], []).append(line)
        rows = {row["id"].hex: row for row in self.payments()}
        assert lines.keys() <= rows.keys(), "a charge without a payment"
        for payment, row in rows.items():
            approved = lines.get(payment, [])
            assert [line["kind"] for line in approved] in APPROVED[row["status"]], (row, approved)
            charges = [line["amount"] for line in approved if line["kind"] in ("sale", "authorise")]
            assert set(charges) <= {row["amount"]}

    def every_transition_has_its_event(self) -> None:
        """Sequences without gap or repetition, and the last event tells the present status."""
        events = self._rows("SELECT * FROM events WHERE merchant_id = %s ORDER BY sequence")
        for row in self.payments():
            own = [event for event in events if event["object_id"] == row["id"]]
            assert [event["sequence"] for event in own] == list(range(1, len(own) + 1))
            assert len(own) == row["event_sequence"]
            if row["status"] != "pending":
                assert own[-1]["type"] == f"payment.{row['status']}"

    def counters_are_exact(self) -> None:
        """The totals of the lists are the numbers of rows."""
        counted = Counter(row["status"] for row in self.payments())
        for status in STATUSES:
            page = self._merchant.get("/v1/payments", status=status, limit=1)
            assert page["total_count"] == counted[status], status
        assert self._merchant.get("/v1/payments", limit=1)["total_count"] == counted.total()

    def _rows(self, statement: str) -> list[Row]:
        with self._shop.database() as connection, connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(statement.encode(), (self._hex,))
            return cursor.fetchall()
