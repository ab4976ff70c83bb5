"""Reading what a payout covers: its settlements, and their lines a page at a time."""

from typing import Final
from uuid import UUID

from runtime.database import Row, Statement, Transaction

_SETTLEMENTS: Final = Statement(
    "SELECT id, currency, gross, fee, transaction_count FROM settlements"
    " WHERE payout_id = %(payout_id)s::uuid AND merchant_id = %(merchant_id)s::uuid"
    " ORDER BY currency, id"
)
_LINES: Final = Statement("""
SELECT line.line, line.settlement_id, line.source_id, line.kind, own.currency, own.amount,
    own.credit, own.created_at, payment.description, payment.id AS payment_id,
    coalesce((SELECT fee.amount FROM ledger_postings fee
        WHERE fee.source_id = line.source_id AND fee.kind = line.kind AND fee.position = 1
        AND fee.merchant_id = line.merchant_id), 0) AS fee
FROM settlement_lines line
JOIN ledger_postings own ON own.source_id = line.source_id AND own.kind = line.kind
    AND own.position = 0 AND own.merchant_id = line.merchant_id
LEFT JOIN refunds refund ON refund.id = line.source_id AND refund.merchant_id = line.merchant_id
LEFT JOIN disputes dispute ON dispute.id = line.source_id
    AND dispute.merchant_id = line.merchant_id
LEFT JOIN payments payment ON payment.merchant_id = line.merchant_id
    AND payment.id = coalesce(refund.payment_id, dispute.payment_id, line.source_id)
WHERE line.settlement_id = %(settlement_id)s::uuid AND line.merchant_id = %(merchant_id)s::uuid
    AND line.line > %(after)s::bigint
ORDER BY line.line LIMIT %(limit)s::bigint""")


async def settlements_of(transaction: Transaction, payout: Row) -> list[Row]:
    """What a payout covers, by currency."""
    return await transaction.all(
        _SETTLEMENTS, payout_id=payout["id"], merchant_id=payout["merchant_id"]
    )


async def lines_of(
    transaction: Transaction, payout: Row, settlement_id: UUID, after: int, limit: int
) -> list[Row]:
    """Up to `limit` lines of a settlement behind the line `after`, with their payments."""
    return await transaction.all(
        _LINES,
        settlement_id=settlement_id,
        merchant_id=payout["merchant_id"],
        after=after,
        limit=limit,
    )
