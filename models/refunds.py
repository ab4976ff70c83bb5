"""Refunds: writing one against a locked payment, reading them."""

from uuid import UUID

import sqlalchemy as sa

from domain import ledger
from models.inserting import insert_row
from models.ledger import post
from models.tables import REFUNDS
from runtime.database import Row, Transaction, compile_sql

_INSERT = insert_row(REFUNDS, "leased_until")
_READ = compile_sql(
    sa.select(REFUNDS)
    .where(REFUNDS.c.id == sa.bindparam("id", type_=REFUNDS.c.id.type))
    .where(REFUNDS.c.merchant_id == sa.bindparam("merchant_id", type_=REFUNDS.c.id.type))
    .where(REFUNDS.c.livemode == sa.bindparam("livemode", type_=sa.Boolean))
    .where(REFUNDS.c.payment_id == sa.bindparam("payment_id", type_=REFUNDS.c.id.type))
)
_FIND = compile_sql(
    sa.select(REFUNDS)
    .where(REFUNDS.c.id == sa.bindparam("id", type_=REFUNDS.c.id.type))
    .where(REFUNDS.c.merchant_id == sa.bindparam("merchant_id", type_=REFUNDS.c.id.type))
    .where(REFUNDS.c.livemode == sa.bindparam("livemode", type_=sa.Boolean))
)
_COUNT = compile_sql(
    sa.select(sa.func.count().label("count"))
    .where(REFUNDS.c.merchant_id == sa.bindparam("merchant_id", type_=REFUNDS.c.id.type))
    .where(REFUNDS.c.payment_id == sa.bindparam("payment_id", type_=REFUNDS.c.id.type))
)


async def insert_refund(transaction: Transaction, refund: Row) -> None:
    """Write and post a refund; the payment's row is locked and carries its reservation."""
    await transaction.run(_INSERT, **refund)
    await post(transaction, refund, ledger.of_new_refund(refund))


async def read_refund(transaction: Transaction, payment: Row, refund_id: UUID) -> Row | None:
    """A refund of this payment."""
    return await transaction.maybe(
        _READ,
        id=refund_id,
        merchant_id=payment["merchant_id"],
        livemode=payment["livemode"],
        payment_id=payment["id"],
    )


async def find_refund(
    transaction: Transaction, merchant_id: UUID, livemode: bool, refund_id: UUID
) -> Row | None:
    """A refund of any payment of this merchant."""
    return await transaction.maybe(_FIND, id=refund_id, merchant_id=merchant_id, livemode=livemode)


async def count_refunds(transaction: Transaction, payment: Row) -> int:
    """How many refunds a payment has; a handful, read through its index."""
    row = await transaction.one(
        _COUNT, merchant_id=payment["merchant_id"], payment_id=payment["id"]
    )
    count: int = row["count"]
    return count
