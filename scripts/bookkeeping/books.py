"""The main database's books against each other, each rule one statement of the database.

A statement answers the first place where its rule is broken, so that a million payments
are compared where they are and one row travels.
"""

from typing import Any, Final

import psycopg

from domain import fees
from domain.ledger import LEGS
from scripts.bookkeeping import holds, payouts
from scripts.bookkeeping.difference import Difference

Session = psycopg.Connection[dict[str, Any]]

# The fee of a captured amount, written down a second time: an oracle must not share the
# code that it judges.
_FEE: Final = f"""(amount_captured * {fees.BASIS_POINTS} / 10000 + {fees.FIXED} + CASE
    WHEN amount_captured * {fees.BASIS_POINTS} % 10000 > 5000 THEN 1
    WHEN amount_captured * {fees.BASIS_POINTS} % 10000 = 5000
    THEN amount_captured * {fees.BASIS_POINTS} / 10000 % 2 ELSE 0 END)"""
# (kind, position, amount, rows) of every movement that is posted once for ever.
_MOVED: Final = (
    ("capture", 0, "amount_captured", "payments WHERE amount_captured > 0"),
    ("capture", 1, _FEE, "payments WHERE amount_captured > 0"),
    *holds.MOVED,
    ("refund", 0, "amount", "refunds"),
    ("refund_paid", 0, "amount", "refunds WHERE status = 'succeeded'"),
    ("refund_failure", 0, "amount", "refunds WHERE status = 'failed'"),
    ("dispute", 0, "amount", "disputes"),
    ("dispute", 1, str(fees.DISPUTE), "disputes"),
    ("dispute_reversal", 0, "amount", "disputes WHERE status = 'won'"),
)
_EXPECTED: Final = " UNION ALL ".join(
    f"SELECT id AS source_id, '{kind}' AS kind, {position} AS position, merchant_id, livemode,"  # nosec B608  # constants of this file
    f" currency, {amount} AS amount FROM {rows}"
    for kind, position, amount, rows in _MOVED
)
_CHART: Final = ", ".join(
    f"('{leg.kind}', {leg.position}, '{leg.debit}', '{leg.credit}')" for leg in LEGS
)
_PLACE: Final = (
    "concat_ws(' ', 'merchant', merchant_id,"
    " CASE livemode WHEN true THEN 'live' ELSE 'test' END, currency"
)

_RULES: Final = {
    "accounts sum to zero": f"""
        SELECT {_PLACE}) AS place, '0' AS expected, sum(balance)::text AS found
        FROM ledger_balances GROUP BY merchant_id, livemode, currency
        HAVING sum(balance) <> 0 ORDER BY 1 LIMIT 1""",  # nosec B608  # constants of this file
    "balances are their postings": f"""
        WITH sides AS (
            SELECT merchant_id, livemode, currency, debit AS account, -amount AS change
            FROM ledger_postings UNION ALL
            SELECT merchant_id, livemode, currency, credit, amount FROM ledger_postings
        ), posted AS (
            SELECT merchant_id, livemode, currency, account, sum(change) AS balance
            FROM sides GROUP BY 1, 2, 3, 4
        ), kept AS (
            SELECT merchant_id, livemode, currency, account, sum(balance) AS balance
            FROM ledger_balances GROUP BY 1, 2, 3, 4
        )
        SELECT {_PLACE}, account) AS place, coalesce(posted.balance, 0)::text AS expected,
            coalesce(kept.balance, 0)::text AS found
        FROM posted FULL JOIN kept USING (merchant_id, livemode, currency, account)
        WHERE coalesce(posted.balance, 0) <> coalesce(kept.balance, 0) ORDER BY 1 LIMIT 1""",  # nosec B608  # constants of this file
    "postings are of the chart of accounts": f"""
        SELECT concat_ws(' ', kind, position, 'of', source_id) AS place,
            'a leg of the chart' AS expected, debit || ' to ' || credit AS found
        FROM ledger_postings WHERE (kind, position, debit, credit) NOT IN (VALUES {_CHART})
        ORDER BY 1 LIMIT 1""",  # nosec B608  # constants of this file
    "payments, refunds and disputes are posted": f"""
        WITH expected AS ({_EXPECTED}), found AS (
            SELECT source_id, kind, position, merchant_id, livemode, currency, amount
            FROM ledger_postings
            WHERE kind NOT IN ('authorisation', 'release', {payouts.KINDS})
        )
        SELECT concat_ws(' ', kind, position, 'of', source_id, 'merchant', merchant_id) AS place,
            coalesce(concat_ws(' ', expected.amount, expected.currency), '') AS expected,
            coalesce(concat_ws(' ', found.amount, found.currency), '') AS found
        FROM expected FULL JOIN found USING (source_id, kind, position, merchant_id)
        WHERE (expected.amount, expected.currency, expected.livemode)
            IS DISTINCT FROM (found.amount, found.currency, found.livemode)
        ORDER BY 1 LIMIT 1""",  # nosec B608  # constants of this file
    "what is authorised is promised": """
        WITH promised AS (
            SELECT source_id, merchant_id,
                sum(CASE kind WHEN 'authorisation' THEN amount ELSE -amount END) AS amount
            FROM ledger_postings WHERE kind IN ('authorisation', 'release') GROUP BY 1, 2
        ), held AS (
            SELECT id AS source_id, merchant_id, amount_authorized AS amount
            FROM payments WHERE status = 'authorized'
        )
        SELECT concat_ws(' ', 'payment', source_id) AS place,
            coalesce(held.amount, 0)::text AS expected,
            coalesce(promised.amount, 0)::text AS found
        FROM held FULL JOIN promised USING (source_id, merchant_id)
        WHERE coalesce(held.amount, 0) <> coalesce(promised.amount, 0) ORDER BY 1 LIMIT 1""",
    "payments carry their refunds": """
        WITH asked AS (
            SELECT payment_id AS id, merchant_id, sum(amount) AS amount FROM refunds
            WHERE status <> 'failed' GROUP BY 1, 2
        )
        SELECT concat_ws(' ', 'payment', id) AS place, coalesce(asked.amount, 0)::text AS expected,
            payments.amount_refunded::text AS found
        FROM payments LEFT JOIN asked USING (id, merchant_id)
        WHERE coalesce(asked.amount, 0) <> payments.amount_refunded ORDER BY 1 LIMIT 1""",
    "what is refunded was refunded whole": """
        WITH paid AS (
            SELECT payment_id AS id, merchant_id, sum(amount) AS amount FROM refunds
            WHERE status = 'succeeded' GROUP BY 1, 2
        )
        SELECT concat_ws(' ', 'payment', id) AS place, amount_captured::text AS expected,
            coalesce(paid.amount, 0)::text AS found
        FROM payments LEFT JOIN paid USING (id, merchant_id)
        WHERE payments.status = 'refunded' AND coalesce(paid.amount, 0) <> amount_captured
        ORDER BY 1 LIMIT 1""",
    "payments carry their disputes": """
        WITH claimed AS (
            SELECT payment_id AS id, merchant_id, sum(amount) AS amount FROM disputes
            WHERE status <> 'won' GROUP BY 1, 2
        )
        SELECT concat_ws(' ', 'payment', id) AS place,
            coalesce(claimed.amount, 0)::text AS expected, payments.amount_disputed::text AS found
        FROM payments LEFT JOIN claimed USING (id, merchant_id)
        WHERE coalesce(claimed.amount, 0) <> payments.amount_disputed ORDER BY 1 LIMIT 1""",
    **holds.RULES,
    **payouts.RULES,
}
RULES: Final = tuple(_RULES)
_FIGURES: Final = """SELECT (SELECT count(*) FROM payments) AS payments,
    (SELECT count(*) FROM holds) AS holds,
    (SELECT count(*) FROM ledger_postings) AS postings,
    (SELECT count(*) FROM (SELECT 1 FROM ledger_balances
        GROUP BY merchant_id, livemode, currency, account) AS a) AS accounts,
    (SELECT count(*) FROM (SELECT 1 FROM settlements
        JOIN merchants ON merchants.id = settlements.merchant_id
        WHERE payout_id IS NULL AND currency <> settlement_currency
            AND status IN ('pending_review', 'active')
        GROUP BY settlements.merchant_id, settlements.livemode, currency
        HAVING sum(gross - fee) > 0) AS b) AS "balances left in other currencies"
"""


def differences(session: Session) -> list[Difference]:
    """The first place where each broken rule is broken; nothing when the books agree."""
    found = []
    for rule, statement in _RULES.items():
        row = session.execute(statement.encode()).fetchone()
        if row is not None:
            found.append(Difference(rule, row["place"], row["expected"], row["found"]))
    return found


def figures(session: Session) -> dict[str, int]:
    """How many payments, postings and accounts there are."""
    row = session.execute(_FIGURES.encode()).fetchone()
    assert row is not None
    return row
