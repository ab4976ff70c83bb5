"""Settlements and payouts against the ledger, each rule one statement of the database.

What a transaction is, how many decimals a currency has and how halves are rounded is
written down a second time: an oracle must not share the code that it judges.
"""

from typing import Final

_TAKEN_IN: Final = "'capture', 'refund', 'refund_failure', 'dispute', 'dispute_reversal'"
_PAID_OUT: Final = "'payout', 'payout_conversion'"
# Kinds of which every posting belongs to a settlement or a payout.
KINDS: Final = (
    "'settlement', 'settlement_debit', 'payout', 'payout_conversion', 'payout_converted',"
    " 'payout_paid'"
)
_SCOPE: Final = "merchant_id, livemode, currency"
_PLACE: Final = (
    "concat_ws(' ', 'merchant', merchant_id,"
    " CASE livemode WHEN true THEN 'live' ELSE 'test' END, currency)"
)
# Every transaction with what it does to the balance, fee and all.
_NETS: Final = f"""
    SELECT source_id, kind, merchant_id, livemode, currency,
        sum(CASE WHEN credit IN ('merchant', 'available') THEN amount ELSE -amount END) AS net,
        sum(CASE position WHEN 1 THEN amount ELSE 0 END) AS fee
    FROM ledger_postings WHERE kind IN ({_TAKEN_IN}, {_PAID_OUT})
    GROUP BY source_id, kind, merchant_id, livemode, currency"""  # nosec B608  # constants of this file
_DECIMALS: Final = """CASE WHEN {0} IN ('clp', 'isk', 'jpy', 'krw', 'vnd') THEN 0
    WHEN {0} IN ('bhd', 'jod', 'kwd', 'omr', 'tnd') THEN 3 ELSE 2 END"""


def _kept(accounts: str) -> str:
    return f"""SELECT {_SCOPE}, sum(balance) AS amount FROM ledger_balances
        WHERE account IN ({accounts}) GROUP BY 1, 2, 3"""  # nosec B608  # constants of this file


def _equal(expected: str, found: str) -> str:
    """A sum of each merchant, mode and currency, said in two ways; nothing and 0 are the same."""
    return f"""WITH expected AS ({expected}), found AS ({found})
        SELECT {_PLACE} AS place, coalesce(expected.amount, 0)::text AS expected,
            coalesce(found.amount, 0)::text AS found
        FROM expected FULL JOIN found USING ({_SCOPE})
        WHERE coalesce(expected.amount, 0) <> coalesce(found.amount, 0)
        ORDER BY 1 LIMIT 1"""  # nosec B608  # constants of this file


_POSTED: Final = """
    SELECT id AS source_id, 'settlement' AS kind, merchant_id, livemode, currency,
        gross - fee AS amount FROM settlements WHERE gross > fee
    UNION ALL SELECT id, 'settlement_debit', merchant_id, livemode, currency, fee - gross
        FROM settlements WHERE gross < fee
    UNION ALL SELECT part.id, CASE part.currency WHEN paid.currency THEN 'payout'
        ELSE 'payout_conversion' END, part.merchant_id, part.livemode, part.currency, part.amount
        FROM payout_parts part JOIN payouts paid
        ON (paid.id, paid.merchant_id) = (part.payout_id, part.merchant_id)
    UNION ALL SELECT part.id, 'payout_converted', part.merchant_id, part.livemode, paid.currency,
        part.converted_amount
        FROM payout_parts part JOIN payouts paid
        ON (paid.id, paid.merchant_id) = (part.payout_id, part.merchant_id)
        WHERE part.currency <> paid.currency
    UNION ALL SELECT id, 'payout_paid', merchant_id, livemode, currency, amount
        FROM payouts WHERE status = 'paid'"""
RULES: Final = {
    "settlements and payouts are posted": f"""
        WITH expected AS ({_POSTED}), found AS (
            SELECT source_id, kind, {_SCOPE}, amount FROM ledger_postings WHERE kind IN ({KINDS})
        )
        SELECT concat_ws(' ', kind, 'of', source_id, 'merchant', merchant_id) AS place,
            coalesce(concat_ws(' ', expected.amount, expected.currency), '') AS expected,
            coalesce(concat_ws(' ', found.amount, found.currency), '') AS found
        FROM expected FULL JOIN found USING (source_id, kind, merchant_id)
        WHERE (expected.amount, expected.currency, expected.livemode)
            IS DISTINCT FROM (found.amount, found.currency, found.livemode)
        ORDER BY 1 LIMIT 1""",  # nosec B608  # constants of this file
    "settlements are their lines": f"""
        WITH nets AS ({_NETS}), listed AS (
            SELECT settlement_id AS id, line.merchant_id, sum(net + nets.fee) AS gross,
                sum(nets.fee) AS fee, count(nets.net) AS lines
            FROM settlement_lines line JOIN settlements kept
                ON (kept.id, kept.merchant_id) = (line.settlement_id, line.merchant_id)
            LEFT JOIN nets ON nets.source_id = line.source_id AND nets.kind = line.kind
                AND nets.merchant_id = line.merchant_id AND nets.livemode = kept.livemode
                AND nets.currency = kept.currency AND nets.kind IN ({_TAKEN_IN})
            GROUP BY 1, 2
        )
        SELECT concat_ws(' ', 'settlement', id) AS place,
            concat_ws(' ', listed.gross, listed.fee, listed.lines) AS expected,
            concat_ws(' ', kept.gross, kept.fee, kept.transaction_count) AS found
        FROM listed FULL JOIN settlements kept USING (id, merchant_id)
        WHERE (listed.gross, listed.fee, listed.lines)
            IS DISTINCT FROM (kept.gross, kept.fee, kept.transaction_count)
        ORDER BY 1 LIMIT 1""",  # nosec B608  # constants of this file
    "the balance is the sum of its transactions": _equal(
        f"SELECT {_SCOPE}, sum(net) AS amount FROM ({_NETS}) AS nets GROUP BY 1, 2, 3",  # nosec B608  # constants of this file
        _kept("'merchant', 'available'"),
    ),
    "what is pending was not settled": _equal(
        f"""SELECT {_SCOPE}, sum(net) AS amount FROM ({_NETS}) AS nets
            WHERE kind IN ({_TAKEN_IN}) AND NOT EXISTS (
                SELECT 1 FROM settlement_lines line WHERE line.source_id = nets.source_id
                AND line.kind = nets.kind AND line.merchant_id = nets.merchant_id)
            GROUP BY 1, 2, 3""",  # nosec B608  # constants of this file
        _kept("'merchant'"),
    ),
    "what is available was settled and not paid out": _equal(
        f"""SELECT {_SCOPE}, sum(gross - fee) AS amount FROM settlements
            WHERE payout_id IS NULL GROUP BY 1, 2, 3""",  # nosec B608  # constants of this file
        _kept("'available'"),
    ),
    "payouts are their parts": """
        WITH parts AS (
            SELECT payout_id AS id, merchant_id, sum(converted_amount) AS amount
            FROM payout_parts GROUP BY 1, 2
        ), covered AS (
            SELECT payout_id AS id, merchant_id, sum(transaction_count) AS transactions
            FROM settlements GROUP BY 1, 2
        )
        SELECT concat_ws(' ', 'payout', id) AS place,
            concat_ws(' ', parts.amount, covered.transactions) AS expected,
            concat_ws(' ', payouts.amount, payouts.transaction_count) AS found
        FROM payouts LEFT JOIN parts USING (id, merchant_id)
        LEFT JOIN covered USING (id, merchant_id)
        WHERE (parts.amount, covered.transactions)
            IS DISTINCT FROM (payouts.amount, payouts.transaction_count)
        ORDER BY 1 LIMIT 1""",
    "parts are the settlements that they pay out": """
        WITH covered AS (
            SELECT payout_id, merchant_id, livemode, currency, sum(gross - fee) AS amount
            FROM settlements WHERE payout_id IS NOT NULL GROUP BY 1, 2, 3, 4
        )
        SELECT concat_ws(' ', 'payout', payout_id, currency) AS place,
            coalesce(covered.amount, 0)::text AS expected,
            coalesce(part.amount, 0)::text AS found
        FROM covered FULL JOIN payout_parts part
            USING (payout_id, merchant_id, livemode, currency)
        WHERE covered.amount IS DISTINCT FROM part.amount ORDER BY 1 LIMIT 1""",
    "parts are exchanged at their rate": f"""
        WITH exact AS (
            SELECT part.id, part.converted_amount, part.amount * part.rate::numeric
                * 10::numeric ^ ({_DECIMALS.format("paid.currency")})
                / 10::numeric ^ ({_DECIMALS.format("part.currency")}) AS worth
            FROM payout_parts part JOIN payouts paid
                ON (paid.id, paid.merchant_id) = (part.payout_id, part.merchant_id)
        ), rounded AS (
            SELECT id, converted_amount, CASE WHEN worth - floor(worth) = 0.5
                THEN floor(worth) + floor(worth) % 2 ELSE round(worth) END AS amount
            FROM exact
        )
        SELECT concat_ws(' ', 'part', id) AS place, amount::bigint::text AS expected,
            converted_amount::text AS found
        FROM rounded WHERE amount <> converted_amount ORDER BY 1 LIMIT 1""",  # nosec B608  # constants of this file
    "fx holds what was exchanged": _equal(
        f"""SELECT {_SCOPE}, sum(amount) AS amount FROM (
                SELECT part.merchant_id, part.livemode, part.currency, part.amount
                FROM payout_parts part JOIN payouts paid
                    ON (paid.id, paid.merchant_id) = (part.payout_id, part.merchant_id)
                WHERE part.currency <> paid.currency
                UNION ALL
                SELECT part.merchant_id, part.livemode, paid.currency, -part.converted_amount
                FROM payout_parts part JOIN payouts paid
                    ON (paid.id, paid.merchant_id) = (part.payout_id, part.merchant_id)
                WHERE part.currency <> paid.currency
            ) AS exchanged GROUP BY 1, 2, 3""",  # nosec B608  # constants of this file
        _kept("'fx'"),
    ),
    "payouts are on their way": _equal(
        f"""SELECT {_SCOPE}, sum(amount) AS amount FROM payouts WHERE status = 'pending'
            GROUP BY 1, 2, 3""",  # nosec B608  # constants of this file
        _kept("'in_transit'"),
    ),
    "payouts have arrived": _equal(
        f"""SELECT {_SCOPE}, sum(amount) AS amount FROM payouts WHERE status = 'paid'
            GROUP BY 1, 2, 3""",  # nosec B608  # constants of this file
        _kept("'paid_out'"),
    ),
}
