"""The ledger's postings as lists of balance transactions read them."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from models.tables.base import BESIDE, FILTERS, MOMENT, ONLY, TIE
from models.tables.ledger import IS_TRANSACTION, LEDGER_POSTINGS, TRANSACTION_ID
from models.tables.payouts import PAYOUT_PARTS, SETTLEMENT_LINES, SETTLEMENTS

_OWN, _LINE, _SETTLED = LEDGER_POSTINGS.c, SETTLEMENT_LINES.c, SETTLEMENTS.c


def _fee() -> sa.ScalarSelect[Any]:
    """Of a transaction: the amount of its second leg, NULL where its kind has none."""
    fee = LEDGER_POSTINGS.alias("fee").c
    keys = (fee.source_id == _OWN.source_id, fee.kind == _OWN.kind)
    statement = sa.select(fee.amount).where(*keys, fee.merchant_id == _OWN.merchant_id)
    statement = statement.where(fee.position == sa.literal_column("1"))
    return statement.correlate(LEDGER_POSTINGS).scalar_subquery()


def _of_settlement(column: sa.ColumnElement[Any]) -> sa.ScalarSelect[Any]:
    """Of a transaction: a column of its settlement, NULL while it is pending."""
    statement = sa.select(column).join(
        SETTLEMENT_LINES,
        sa.and_(_LINE.settlement_id == _SETTLED.id, _LINE.merchant_id == _SETTLED.merchant_id),
    )
    keys = (_LINE.source_id == _OWN.source_id, _LINE.kind == _OWN.kind)
    statement = statement.where(*keys, _LINE.merchant_id == _OWN.merchant_id)
    return statement.correlate(LEDGER_POSTINGS).scalar_subquery()


def _of_part() -> sa.ScalarSelect[Any]:
    """Of a transaction that pays out: its payout, NULL for all others."""
    part = PAYOUT_PARTS.c
    keys = (part.id == _OWN.source_id, part.merchant_id == _OWN.merchant_id)
    statement = sa.select(part.payout_id).where(*keys)
    return statement.correlate(LEDGER_POSTINGS).scalar_subquery()


_ID: sa.ColumnElement[Any] = sa.literal_column(TRANSACTION_ID, UUID(as_uuid=True))
_SETTLED_AT = sa.type_coerce(_of_settlement(_SETTLED.created_at), MOMENT)
_PAYOUT_ID = sa.func.coalesce(_of_settlement(_SETTLED.payout_id), _of_part(), type_=_ID.type)
BALANCE_TRANSACTIONS = LEDGER_POSTINGS
BALANCE_TRANSACTIONS.info.update(
    {
        TIE: _ID,
        ONLY: (sa.literal_column(IS_TRANSACTION, sa.Boolean()),),
        BESIDE: (
            _ID.label("id"),
            _fee().label("fee"),
            _SETTLED_AT.label("settled_at"),
            _PAYOUT_ID.label("payout_id"),
        ),
        FILTERS: {"type": _OWN.kind, "payout_id": _PAYOUT_ID},
    }
)
