"""Reading and changing a merchant."""

from uuid import UUID

import sqlalchemy as sa

from models.tables import MERCHANTS
from runtime.database import Row, Transaction, compile_sql

_THIS_ONE = MERCHANTS.c.id == sa.bindparam("of_id", type_=MERCHANTS.c.id.type)
_READ = compile_sql(sa.select(MERCHANTS).where(_THIS_ONE))
_RENAME = compile_sql(
    sa.update(MERCHANTS)
    .values(business_name=sa.bindparam("business_name", type_=MERCHANTS.c.business_name.type))
    .where(_THIS_ONE)
)


async def read_merchant(transaction: Transaction, merchant_id: UUID) -> Row:
    """The merchant of a verified caller."""
    return await transaction.one(_READ, of_id=merchant_id)


async def rename_merchant(transaction: Transaction, merchant_id: UUID, business_name: str) -> None:
    """Give the merchant another business name."""
    await transaction.run(_RENAME, of_id=merchant_id, business_name=business_name)
