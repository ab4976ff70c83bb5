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
        api_version=sa.bindparam("api_version", type_=MERCHANTS.c.api_version.type),
        revision=MERCHANTS.c.revision + sa.literal_column("1"),
    )
    .where(_THIS_ONE)
    .returning(MERCHANTS)
)


async def read_merchant(transaction: Transaction, merchant_id: UUID) -> Row:
    """The merchant of a verified caller."""
    return await transaction.one(_READ, of_id=merchant_id)


async def lock_merchant(transaction: Transaction, merchant_id: UUID) -> Row:
    """The merchant, held against other changes until the transaction ends."""
    return await transaction.one(_LOCK, of_id=merchant_id)


async def save_merchant(transaction: Transaction, merchant: Row) -> Row:
    """Write what may change of a locked merchant, under its next revision."""
    return await transaction.one(
        _SAVE,
        of_id=merchant["id"],
        business_name=merchant["business_name"],
        api_version=merchant["api_version"],
    )
