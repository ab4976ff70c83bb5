"""Reading and changing a merchant."""

from uuid import UUID

import sqlalchemy as sa

from models.tables import MERCHANTS
from runtime.database import Row, Transaction, compile_sql

_THIS_ONE = MERCHANTS.c.id == sa.bindparam("of_id", type_=MERCHANTS.c.id.type)
_READ = compile_sql(sa.select(MERCHANTS).where(_THIS_ONE))
_LOCK = compile_sql(sa.select(MERCHANTS).where(_THIS_ONE).with_for_update())
_CHANGEABLE = (
    "business_name",
    "mcc",
    "settlement_currency",
    "status",
    "terminated_at",
    "api_version",
    "rate_limit_multiplier",
)
_SAVE = compile_sql(
    sa.update(MERCHANTS)
    .values(
        **{name: sa.bindparam(name, type_=MERCHANTS.c[name].type) for name in _CHANGEABLE},
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


async def read_merchant(transaction: Transaction, merchant_id: UUID) -> Row | None:
    """A merchant; None where the operator asks for one that is not there."""
    return await transaction.maybe(_READ, of_id=merchant_id)


async def lock_merchant(transaction: Transaction, merchant_id: UUID) -> Row | None:
    """The merchant with its keys, held against other changes until the transaction ends."""
    return await transaction.maybe(_LOCK, of_id=merchant_id)


async def save_merchant(transaction: Transaction, merchant: Row) -> Row:
    """Write what may change of a locked merchant, under its next revision."""
    changed = {name: merchant[name] for name in _CHANGEABLE}
    return await transaction.one(_SAVE, of_id=merchant["id"], **changed)


async def mark_merchant_changed(transaction: Transaction, merchant_id: UUID) -> None:
    """Give a merchant its next revision: something that it shows was changed elsewhere."""
    await transaction.run(_MARK_CHANGED, of_id=merchant_id)
