"""What must hold after a fault, gathered from database, network journal and API.

Beside order_book.py, which follows known orders, this asks of whatever payments a merchant
has: it needs no plan of how they should have ended.
"""

from collections import Counter, defaultdict
from typing import Any

from psycopg.rows import dict_row

from domain.ids import from_text
from tests.faults.buyers import Purchase
from tests.serving import eventually
from tests.shop import Merchant, Shop

SETTLED_WITHIN_SECONDS = 60.0
# A payment only ever goes from a smaller to a larger number.
RANK = {"pending": 0, "authorized": 1, "captured": 2, "failed": 2, "cancelled": 2, "refunded": 3}

Rows = list[dict[str, Any]]

_PAYMENTS = "SELECT * FROM payments WHERE merchant_id = %s"
_UNFINISHED = """SELECT id, status, operation, now() - created_at AS age, resume_at - now() AS due
    FROM payments
    WHERE merchant_id = %s AND (status = 'pending' OR operation IS NOT NULL)"""
_COUNTERS = """SELECT status, sum(count)::int AS count FROM counters
    WHERE merchant_id = %s AND resource = 'payments' GROUP BY status"""
_EVENTS = """SELECT object_id, sequence, type, object ->> 'status' AS status FROM events
    WHERE merchant_id = %s AND type LIKE 'payment.%%' ORDER BY object_id, sequence"""


class Evidence:
    """The truth about one merchant's payments."""

    def __init__(self, shop: Shop, merchant: Merchant) -> None:
        self._shop = shop
        self._merchant = merchant
        identifier = from_text("mch", merchant.id)
        assert identifier is not None
        self._merchant_id = identifier

    def rows(self, statement: str) -> Rows:
        """The rows of a statement about this merchant."""
        with self._shop.database() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            return cursor.execute(statement.encode(), [self._merchant_id]).fetchall()

    def payments(self) -> Rows:
        return self.rows(_PAYMENTS)

    def check(self, purchases: list[Purchase]) -> None:
        """Everything, once recovery is done."""
        self.nothing_stays_unfinished()
        self.every_answer_is_kept(purchases)
        self.one_payment_per_key(purchases)
        self.network_agrees()
        self.counters_are_exact()
        self.every_transition_has_its_event()

    def nothing_stays_unfinished(self) -> None:
        """No payment is pending, no operation out, when recovery has had its time."""
        eventually(lambda: not self.rows(_UNFINISHED), SETTLED_WITHIN_SECONDS)
        left = self.rows(_UNFINISHED)
        assert left == [], left

    def every_answer_is_kept(self, purchases: list[Purchase]) -> None:
        """What was answered with 2xx is there, in that status or a later one."""
        stored = {row["id"].hex: row for row in self.payments()}
        for purchase in purchases:
            status, body = purchase.final
            assert status in (201, 202), (status, body, purchase.broken)
            row = stored[body["id"].removeprefix("pay_")]
            assert str(row["idempotency_key"]) == purchase.key
            assert row["amount"] == purchase.amount == body["amount"]
            assert row["capture"] == purchase.capture
            assert RANK[row["status"]] >= RANK[body["status"]], (row, body)

    def one_payment_per_key(self, purchases: list[Purchase]) -> None:
        """As many payments as keys, and each key's its own."""
        keys = Counter(str(row["idempotency_key"]) for row in self.payments())
        assert keys == Counter(purchase.key for purchase in purchases)

    def network_agrees(self) -> None:
        """At most one approval that was not reversed, of our amount, and of no other payment."""
        lines = self.journal()
        stored = {row["id"].hex: row for row in self.payments()}
        for payment, history in lines.items():
            standing = standing_approvals(history)
            assert standing <= 1, history
            assert payment in stored or standing == 0, history
        for payment, row in stored.items():
            _same_money(row, lines[payment])

    def journal(self) -> defaultdict[str, Rows]:
        """The network's lines about this merchant, by payment."""
        merchant = self._merchant_id.hex
        lines: defaultdict[str, Rows] = defaultdict(list)
        for line in self._shop.journal():
            if line["merchant"] == merchant:
                lines[line["payment"]].append(line)
        return lines

    def counters_are_exact(self) -> None:
        """Counters equal count(*), and so does the API's total_count."""
        counted = Counter(row["status"] for row in self.payments())
        kept = {row["status"]: row["count"] for row in self.rows(_COUNTERS) if row["count"]}
        assert kept == dict(counted)
        for status in counted:
            shown = self._merchant.get("/v1/payments", status=status, limit=1)["total_count"]
            assert shown == counted[status]
        assert self._merchant.get("/v1/payments", limit=1)["total_count"] == counted.total()

    def every_transition_has_its_event(self) -> None:
        """Sequences run 1, 2, 3 without a gap, and the last event shows what is stored."""
        told: defaultdict[Any, Rows] = defaultdict(list)
        for event in self.rows(_EVENTS):
            told[event["object_id"]].append(event)
        for row in self.payments():
            events = told[row["id"]]
            assert [each["sequence"] for each in events] == list(range(1, len(events) + 1)), row
            assert row["event_sequence"] == len(events)
            if row["status"] != "refunded":  # told by refund.succeeded
                assert events[-1]["status"] == row["status"], (row, events)


def standing_approvals(history: Rows) -> int:
    """Approvals of a payment less those that were reversed."""
    approved = [line["kind"] for line in history if line["decision"] == "approved"]
    taken = sum(kind in ("authorise", "sale") for kind in approved)
    return taken - approved.count("reverse")


def _same_money(row: dict[str, Any], history: Rows) -> None:
    holds = row["status"] in ("authorized", "captured", "refunded")
    assert standing_approvals(history) == int(holds), (row, history)
    for line in history:
        if line["kind"] in ("authorise", "sale") and line["decision"] == "approved":
            assert (line["amount"], line["currency"]) == (row["amount"], row["currency"])
            assert (line["kind"] == "sale") == row["capture"]
    if holds:
        assert row["amount_authorized"] == row["amount"]
        assert row["amount_captured"] == (row["amount"] if row["status"] != "authorized" else 0)
