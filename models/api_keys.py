"""Managing the keys of a merchant: found by id, counted, suspended, expired, revoked.

Whoever changes keys holds the merchant's row, so that two changes never see half of each other.
"""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from models.tables import API_KEYS as KEYS
from runtime.database import Row, Transaction, compile_sql

_NOT_REVOKED = KEYS.c.revoked_at.is_(None)
_THIS_ONE = (KEYS.c.id == sa.bindparam("of_id", type_=KEYS.c.id.type), _NOT_REVOKED)
_SCOPE = (
    KEYS.c.merchant_id == sa.bindparam("of_merchant", type_=KEYS.c.merchant_id.type),
    KEYS.c.livemode == sa.bindparam("of_mode", type_=sa.Boolean),
)
_MOMENTS = ("expires_at", "suspended_at", "revoked_at", "flagged_at")

_FIND = compile_sql(sa.select(KEYS).where(*_THIS_ONE, *_SCOPE))
# The operator finds a key of any merchant and mode by its id alone.
_FIND_ANY = compile_sql(sa.select(KEYS).where(*_THIS_ONE))
_COUNT = compile_sql(sa.select(sa.func.count().label("count")).where(*_SCOPE, _NOT_REVOKED))
_OTHERS = compile_sql(
    sa.select(KEYS)
    .where(*_SCOPE, _NOT_REVOKED, KEYS.c.suspended_at.is_(None))
    .where(KEYS.c.type == sa.literal_column("'secret'"))
    .where(KEYS.c.id != sa.bindparam("of_id", type_=KEYS.c.id.type))
    .where(
        sa.or_(
            KEYS.c.expires_at.is_(None),
            KEYS.c.expires_at > sa.bindparam("now", type_=KEYS.c.expires_at.type),
        )
    )
)
_SAVE = compile_sql(
    sa.update(KEYS)
    .values({name: sa.bindparam(name, type_=KEYS.c[name].type) for name in _MOMENTS})
    .where(KEYS.c.id == sa.bindparam("of_id", type_=KEYS.c.id.type), *_SCOPE)
    .returning(KEYS)
)

_FLAG = compile_sql(
    sa.update(KEYS)
    .values(
        flagged_at=sa.func.coalesce(
            KEYS.c.flagged_at, sa.bindparam("at", type_=KEYS.c.flagged_at.type)
        )
    )
    .where(*_THIS_ONE, *_SCOPE)
)


async def flag_key(
    transaction: Transaction, merchant_id: UUID, livemode: bool, key_id: UUID, now: datetime
) -> None:
    """Mark a key for the operator to look at, unless it is marked."""
    await transaction.run(_FLAG, of_id=key_id, of_merchant=merchant_id, of_mode=livemode, at=now)


async def find_key(
    transaction: Transaction, merchant_id: UUID, livemode: bool, key_id: UUID
) -> Row | None:
    """A key of this merchant and mode that was not revoked."""
    return await transaction.maybe(_FIND, of_id=key_id, of_merchant=merchant_id, of_mode=livemode)


async def find_any_key(transaction: Transaction, key_id: UUID) -> Row | None:
    """For the operator: a key that was not revoked, whosever it is."""
    return await transaction.maybe(_FIND_ANY, of_id=key_id)


async def count_keys(transaction: Transaction, merchant_id: UUID, livemode: bool) -> int:
    """How many keys there are that were not revoked; their number is bounded."""
    row = await transaction.one(_COUNT, of_merchant=merchant_id, of_mode=livemode)
    count: int = row["count"]
    return count


async def other_usable_keys(transaction: Transaction, key: Row, now: datetime) -> list[Row]:
    """The secret keys of the same merchant and mode that can be used now, without this one."""
    return await transaction.all(
        _OTHERS,
        of_id=key["id"],
        of_merchant=key["merchant_id"],
        of_mode=key["livemode"],
        now=now,
    )


async def save_key(transaction: Transaction, key: Row) -> Row:
    """Write when the key expires, and since when it is suspended or revoked."""
    return await transaction.one(
        _SAVE,
        of_id=key["id"],
        of_merchant=key["merchant_id"],
        of_mode=key["livemode"],
        **{name: key[name] for name in _MOMENTS},
    )
