"""Reading and changing a merchant."""

from uuid import UUID

import sqlalchemy as sa

from models.tables import MERCHANTS
from runtime.database import Row, Transaction, compile_sql

_THIS_ONE = MERCHANTS.c.id == sa.bindparam("of_id", type_=MERCHANTS.c.id.type)
_READ = compile_sql(sa.select(MERCHANTS).where(_THIS_ONE))
_LOCK = compile_sql(sa.select(MERCHANTS).where(_THIS_ONE).with_for_update())
_SAVE = compile_sql(
    sa.update(MERCHANTS)
    .values(
        business_name=sa.bindparam("business_name", type_=MERCHANTS.c.business_name.type),
        revision=MERCHANTS.c.revision + sa.literal_column("1"),
    )
    .where(_THIS_ONE)
    .returning(MERCHANTS)
)

_MARK_CHANGED = compile_sql(
    sa.update(MERCHANTS)
    .values(revision=MERCHANTS.c.revision + sa.literal_column("1"))
    .where(_THIS_ONE)
)


async def read_merchant(transaction: Transaction, merchant_id: UUID) -> Row:
    """The merchant of a verified caller."""
    return await transaction.one(_READ, of_id=merchant_id)


async def lock_merchant(transaction: Transaction, merchant_id: UUID) -> Row:
    """The merchant, held against other changes until the transaction ends."""
    return await transaction.one(_LOCK, of_id=merchant_id)


async def save_merchant(transaction: Transaction, merchant: Row) -> Row:
    """Write what may change of a locked merchant, under its next revision."""
    name = merchant["business_name"]
    return await transaction.one(_SAVE, of_id=merchant["id"], business_name=name)


async def mark_merchant_changed(transaction: Transaction, merchant_id: UUID) -> None:
    """Give a merchant its next revision: something that it shows was changed elsewhere."""
    await transaction.run(_MARK_CHANGED, of_id=merchant_id)
