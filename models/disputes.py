"""Disputes: writing, reading and changing one, leasing those that are due."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from domain import ledger
from models import counting
from models.ledger import post
from models.tables import DISPUTES
from models.test_clocks import not_held_back
from runtime.batches import ID, MOMENT, word
from runtime.database import Row, Transaction, compile_sql

_MINE = (
    DISPUTES.c.id == sa.bindparam("of_id", type_=ID),
    DISPUTES.c.merchant_id == sa.bindparam("of_merchant", type_=ID),
    DISPUTES.c.livemode == sa.bindparam("of_mode", type_=sa.Boolean()),
)
_CHANGEABLE = (
    "status",
    "evidence_text",
    "evidence_receipt_url",
    "evidence_shipping_tracking",
    "evidence_customer_communication",
    "evidence_submitted_at",
    "event_sequence",
    "closed_at",
    "work_at",
)
_NOW = sa.bindparam("now", type_=MOMENT)
_UNTIL = sa.bindparam("until", type_=MOMENT)
_FREE = sa.or_(DISPUTES.c.leased_until.is_(None), DISPUTES.c.leased_until <= _NOW)


class DisputeKey(NamedTuple):
    """Whose dispute: an id is never read without its merchant and mode."""

    id: UUID
    merchant_id: UUID
    livemode: bool


def _lease_statement() -> sa.sql.ClauseElement:
    chosen = (
        sa.select(DISPUTES.c.id, DISPUTES.c.merchant_id)
        .where(DISPUTES.c.work_at <= _NOW, _FREE)
        .where(not_held_back(DISPUTES, DISPUTES.c.work_at))
        .order_by(DISPUTES.c.work_at)
        .limit(sa.bindparam("limit", type_=sa.Integer()))
        .cte("chosen")
    )
    return (
        sa.update(DISPUTES)
        .values(leased_until=_UNTIL)
        .where(DISPUTES.c.id == chosen.c.id, DISPUTES.c.merchant_id == chosen.c.merchant_id)
        # Asked again under the row's lock: another worker may have been faster.
        .where(DISPUTES.c.work_at <= _NOW, _FREE)
        .returning(*DISPUTES.c)
    )


_INSERT = compile_sql(
    insert(DISPUTES).values(
        {column.name: sa.bindparam(column.name, type_=column.type) for column in DISPUTES.c}
    )
)
_READ = compile_sql(sa.select(DISPUTES).where(*_MINE))
_OF_CHARGEBACK = compile_sql(
    sa.select(DISPUTES)
    .where(DISPUTES.c.merchant_id == sa.bindparam("of_merchant", type_=ID))
    .where(DISPUTES.c.livemode == sa.bindparam("of_mode", type_=sa.Boolean()))
    .where(DISPUTES.c.payment_id == sa.bindparam("of_payment", type_=ID))
    .where(DISPUTES.c.chargeback_id == sa.bindparam("of_chargeback", type_=ID))
)
_LOCK = compile_sql(sa.select(DISPUTES).where(*_MINE).with_for_update())
_SAVE = compile_sql(
    sa.update(DISPUTES)
    .values({name: sa.bindparam(name, type_=DISPUTES.c[name].type) for name in _CHANGEABLE})
    .values(leased_until=sa.null())
    .where(*_MINE)
)
_LEASE = compile_sql(_lease_statement())
_POSTPONE = compile_sql(
    sa.update(DISPUTES)
    .values(leased_until=_UNTIL)
    .where(*_MINE, DISPUTES.c.leased_until == sa.bindparam("lease", type_=MOMENT))
)
_HANDED_OVER = compile_sql(
    sa.update(DISPUTES)
    .values(work_at=sa.null(), leased_until=sa.null())
    .where(*_MINE, DISPUTES.c.status == word("under_review"))
)


def key_of(dispute: Row) -> DisputeKey:
    """The key of a dispute's row."""
    return DisputeKey(dispute["id"], dispute["merchant_id"], dispute["livemode"])


async def insert_dispute(transaction: Transaction, dispute: Row) -> None:
    """Write, count and post a new dispute; the payment's row is locked and carries its amount."""
    await transaction.run(_INSERT, **dispute)
    await counting.add(transaction, dispute, "disputes", {dispute["status"]: 1})
    await post(transaction, dispute, ledger.of_new_dispute(dispute))


async def read_dispute(transaction: Transaction, key: DisputeKey) -> Row | None:
    """A dispute of this merchant and mode."""
    return await transaction.maybe(_READ, **_of(key))


async def read_chargeback(
    transaction: Transaction, payment: Row, chargeback_id: UUID
) -> Row | None:
    """The dispute that a chargeback of this payment is."""
    return await transaction.maybe(
        _OF_CHARGEBACK,
        of_merchant=payment["merchant_id"],
        of_mode=payment["livemode"],
        of_payment=payment["id"],
        of_chargeback=chargeback_id,
    )


async def lock_dispute(transaction: Transaction, key: DisputeKey) -> Row | None:
    """The dispute's row, locked until the transaction ends.

    Whoever changes the payment as well locks the payment first.
    """
    return await transaction.maybe(_LOCK, **_of(key))


async def save_dispute(transaction: Transaction, before: Row, after: Row) -> None:
    """Save a locked dispute, give up its lease, and count it under its new status."""
    values = {name: after[name] for name in _CHANGEABLE}
    await transaction.run(_SAVE, **_of(key_of(before)), **values)
    if before["status"] != after["status"]:
        moved = {before["status"]: -1, after["status"]: 1}
        await counting.add(transaction, before, "disputes", moved)
    await post(transaction, after, ledger.of_dispute(before, after))


async def lease_disputes(
    transaction: Transaction, now: datetime, until: datetime, limit: int
) -> list[Row]:
    """Take up to `limit` disputes that are due until `until`; both are wall time."""
    return await transaction.all(_LEASE, now=now, until=until, limit=limit)


async def postpone_dispute(transaction: Transaction, dispute: Row, until: datetime) -> None:
    """Leave a leased dispute alone until `until`, unless its lease was lost."""
    lease = dispute["leased_until"]
    await transaction.run(_POSTPONE, lease=lease, until=until, **_of(key_of(dispute)))


async def evidence_handed_over(transaction: Transaction, dispute: Row) -> None:
    """The network has the evidence: nothing is to be done until it decides."""
    await transaction.run(_HANDED_OVER, **_of(key_of(dispute)))


def _of(key: DisputeKey) -> dict[str, Any]:
    return {"of_id": key.id, "of_merchant": key.merchant_id, "of_mode": key.livemode}
