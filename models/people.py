"""Users of a merchant: found by address or id, invited, let in, locked out, deleted.

An attempt is counted before the password is looked at, by one statement: however many come at
once, no more than the limit are looked at.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from domain.people import NamedSecret
from models.inserting import insert_row
from models.tables import MERCHANTS, SIGN_IN_NAMES, USERS
from models.tables.base import ONE
from runtime.database import Row, Transaction, compile_sql

_ID = USERS.c.id.type
_MOMENT = USERS.c.created_at.type
_ZERO: sa.ColumnElement[int] = sa.literal_column("0", sa.Integer)
_THIS_ONE = (
    USERS.c.id == sa.bindparam("of_id", type_=_ID),
    USERS.c.merchant_id == sa.bindparam("of_merchant", type_=_ID),
    USERS.c.deleted_at.is_(None),
)
_STATUS = MERCHANTS.c.status.label("merchant_status")
_INSERT = insert_row(
    USERS, "totp_seed_sealed", "password_hash", "totp_step", "failed_attempts", "locked_until",
    "deleted_at", answered=True,
)  # fmt: skip
_NAME = compile_sql(
    insert(SIGN_IN_NAMES)
    .values(
        {column.name: sa.bindparam(column.name, type_=column.type) for column in SIGN_IN_NAMES.c}
    )
    .on_conflict_do_nothing()
)
_UNNAME = compile_sql(
    sa.delete(SIGN_IN_NAMES).where(
        SIGN_IN_NAMES.c.owner_id == sa.bindparam("of_merchant", type_=_ID),
        SIGN_IN_NAMES.c.user_id == sa.bindparam("of_id", type_=_ID),
    )
)
_FIND = compile_sql(sa.select(USERS).where(*_THIS_ONE))
_LOCK = compile_sql(sa.select(USERS).where(*_THIS_ONE).with_for_update())
_WITH_STATUS = sa.select(USERS, _STATUS).join(MERCHANTS, MERCHANTS.c.id == USERS.c.merchant_id)
_INVITED = compile_sql(
    _WITH_STATUS.where(
        *_THIS_ONE,
        USERS.c.invitation_digest == sa.bindparam("digest", type_=USERS.c.invitation_digest.type),
        USERS.c.invitation_expires_at > sa.bindparam("now", type_=_MOMENT),
    )
)
_NAMED = compile_sql(
    _WITH_STATUS.join(
        SIGN_IN_NAMES,
        sa.and_(
            SIGN_IN_NAMES.c.user_id == USERS.c.id,
            SIGN_IN_NAMES.c.owner_id == USERS.c.merchant_id,
        ),
    ).where(
        SIGN_IN_NAMES.c.email_index
        == sa.bindparam("email_index", type_=SIGN_IN_NAMES.c.email_index.type),
        USERS.c.deleted_at.is_(None),
    )
)
_COUNT = compile_sql(
    sa.select(sa.func.count().label("count")).where(
        USERS.c.merchant_id == sa.bindparam("of_merchant", type_=_ID), USERS.c.deleted_at.is_(None)
    )
)
# After a lock-out the count begins anew.
_FAILED_NOW = sa.case((USERS.c.locked_until.is_not(None), ONE), else_=USERS.c.failed_attempts + ONE)
_ATTEMPT = compile_sql(
    sa.update(USERS)
    .values(
        failed_attempts=_FAILED_NOW,
        locked_until=sa.case(
            (
                sa.bindparam("most", type_=sa.Integer) <= _FAILED_NOW,
                sa.bindparam("until", type_=_MOMENT),
            ),
            else_=sa.null(),
        ),
    )
    .where(
        *_THIS_ONE,
        USERS.c.password_hash.is_not(None),
        sa.or_(
            USERS.c.locked_until.is_(None),
            USERS.c.locked_until <= sa.bindparam("now", type_=_MOMENT),
        ),
    )
    .returning(USERS)
)
_ADMIT = compile_sql(
    sa.update(USERS)
    .values(
        failed_attempts=_ZERO,
        locked_until=sa.null(),
        totp_step=sa.bindparam("step", type_=sa.BigInteger),
    )
    .where(*_THIS_ONE, USERS.c.totp_step < sa.bindparam("step", type_=sa.BigInteger))
)
_ENROL = compile_sql(
    sa.update(USERS)
    .values(
        password_hash=sa.bindparam("password_hash", type_=sa.Text),
        totp_seed_sealed=sa.bindparam("totp_seed_sealed", type_=USERS.c.totp_seed_sealed.type),
        totp_step=sa.bindparam("step", type_=sa.BigInteger),
        invitation_digest=sa.null(),
        invitation_expires_at=sa.null(),
    )
    .where(
        *_THIS_ONE,
        USERS.c.invitation_digest == sa.bindparam("digest", type_=USERS.c.invitation_digest.type),
        USERS.c.invitation_expires_at > sa.bindparam("now", type_=_MOMENT),
    )
)
_UNLOCK = compile_sql(
    sa.update(USERS)
    .values(failed_attempts=_ZERO, locked_until=sa.null())
    .where(*_THIS_ONE)
    .returning(USERS)
)
# What is known of the person goes; that there was one stays.
_DELETE = compile_sql(
    sa.update(USERS)
    .values(
        deleted_at=sa.bindparam("now", type_=_MOMENT),
        email_sealed=sa.null(),
        name_sealed=sa.null(),
        totp_seed_sealed=sa.null(),
        password_hash=sa.null(),
        invitation_digest=sa.null(),
    )
    .where(*_THIS_ONE)
)


async def insert_user(transaction: Transaction, email_index: bytes, **columns: Any) -> Row | None:
    """Store an invited user; None where somebody has the address already."""
    named = await transaction.run(
        _NAME,
        email_index=email_index,
        owner_id=columns["merchant_id"],
        user_id=columns["id"],
    )
    return await transaction.one(_INSERT, **columns) if named else None


async def count_users(transaction: Transaction, merchant_id: UUID) -> int:
    """How many users a merchant has; their number is bounded."""
    row = await transaction.one(_COUNT, of_merchant=merchant_id)
    count: int = row["count"]
    return count


async def find_user(transaction: Transaction, merchant_id: UUID, user_id: UUID) -> Row | None:
    """A user of this merchant."""
    return await transaction.maybe(_FIND, of_id=user_id, of_merchant=merchant_id)


async def lock_user(transaction: Transaction, merchant_id: UUID, user_id: UUID) -> Row | None:
    """The same, held until the transaction ends."""
    return await transaction.maybe(_LOCK, of_id=user_id, of_merchant=merchant_id)


async def find_user_named(transaction: Transaction, email_index: bytes) -> Row | None:
    """The user with this address, whosesoever, with `merchant_status`."""
    return await transaction.maybe(_NAMED, email_index=email_index)


async def find_invited(transaction: Transaction, named: NamedSecret, now: datetime) -> Row | None:
    """Whom this link invites, if it is good still, with `merchant_status`."""
    return await transaction.maybe(
        _INVITED,
        of_id=named.id,
        of_merchant=named.merchant_id,
        digest=named.digest,
        now=now,
    )


async def count_attempt(
    transaction: Transaction, user: Row, most: int, now: datetime, until: datetime
) -> Row | None:
    """Count an attempt as failed, and lock at the last; None while the user is locked.

    PCI DSS 4.0.1 req. 8.3.4.  Whoever proves to be the right one is admitted, which undoes it.
    """
    return await transaction.maybe(
        _ATTEMPT,
        of_id=user["id"],
        of_merchant=user["merchant_id"],
        most=most,
        now=now,
        until=until,
    )


async def admit(transaction: Transaction, user: Row, step: int) -> bool:
    """Forget failed attempts and use the code of `step` up; False when it was used before."""
    admitted = await transaction.run(
        _ADMIT, of_id=user["id"], of_merchant=user["merchant_id"], step=step
    )
    return admitted == 1


async def enrol(transaction: Transaction, user: Row, now: datetime, **factors: Any) -> bool:
    """Store password hash, seed and step, and use the link up; False when it was used before."""
    enrolled = await transaction.run(
        _ENROL,
        of_id=user["id"],
        of_merchant=user["merchant_id"],
        digest=user["invitation_digest"],
        now=now,
        **factors,
    )
    return enrolled == 1


async def unlock_user(transaction: Transaction, merchant_id: UUID, user_id: UUID) -> Row | None:
    """Forget the failed attempts."""
    return await transaction.maybe(_UNLOCK, of_id=user_id, of_merchant=merchant_id)


async def delete_user(
    transaction: Transaction, merchant_id: UUID, user_id: UUID, now: datetime
) -> bool:
    """Erase what is known of a user; False when there is none."""
    deleted = await transaction.run(_DELETE, of_id=user_id, of_merchant=merchant_id, now=now)
    await transaction.run(_UNNAME, of_id=user_id, of_merchant=merchant_id)
    return deleted == 1
