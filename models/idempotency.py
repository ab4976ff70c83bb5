"""Idempotency keys: the row that decides whether a request is the first of its key.

The database alone decides; whatever stands in front of it may vanish.
"""

from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from domain.callers import Asking
from models.payment_record import EarlierReply
from models.tables import IDEMPOTENCY_KEYS as KEYS
from runtime.database import Transaction, compile_sql

_MINE = (
    KEYS.c.key == sa.bindparam("of_key", type_=KEYS.c.key.type),
    KEYS.c.merchant_id == sa.bindparam("of_merchant", type_=KEYS.c.merchant_id.type),
    KEYS.c.livemode == sa.bindparam("of_mode", type_=KEYS.c.livemode.type),
)

# The loser waits here until the winner's transaction ends, then finds its row below.
_CLAIM = compile_sql(
    insert(KEYS)
    .values(
        key=sa.bindparam("of_key", type_=KEYS.c.key.type),
        merchant_id=sa.bindparam("of_merchant", type_=KEYS.c.merchant_id.type),
        livemode=sa.bindparam("of_mode", type_=KEYS.c.livemode.type),
        digest=sa.bindparam("digest", type_=KEYS.c.digest.type),
        created_at=sa.bindparam("created_at", type_=KEYS.c.created_at.type),
    )
    .on_conflict_do_nothing()
    .returning(KEYS.c.key)
)
_READ = compile_sql(
    sa.select(
        KEYS.c.resource_id,
        KEYS.c.digest,
        KEYS.c.status,
        KEYS.c.reply.cast(sa.Text).label("reply"),
        KEYS.c.reply_sealed,
    ).where(*_MINE)
)
_ANSWER = compile_sql(
    sa.update(KEYS)
    .values(
        status=sa.bindparam("status", type_=KEYS.c.status.type),
        reply=sa.cast(sa.bindparam("reply", type_=sa.Text), KEYS.c.reply.type),
    )
    .where(*_MINE, KEYS.c.status.is_(None))
)
_ANSWER_SEALED = compile_sql(
    sa.update(KEYS)
    .values(
        {
            name: sa.bindparam(name, type_=KEYS.c[name].type)
            for name in ("status", "reply_sealed", "resource_id")
        }
    )
    .where(*_MINE, KEYS.c.status.is_(None))
)
_ERASE = compile_sql(
    sa.update(KEYS)
    .values(
        reply=sa.cast(sa.bindparam("reply", type_=sa.Text), KEYS.c.reply.type),
        reply_sealed=sa.null(),
    )
    .where(
        *_MINE[1:],
        KEYS.c.resource_id == sa.bindparam("of_person", type_=KEYS.c.resource_id.type),
        KEYS.c.reply_sealed.is_not(None),
    )
)
_RELEASE = compile_sql(sa.delete(KEYS).where(*_MINE, KEYS.c.status.is_(None)))


def replied(changed: sa.CTE, reply: sa.ColumnElement[Any]) -> sa.CTE:
    """A CTE that keeps the replies of the keys of `changed`, where none is kept yet."""
    row = changed.c
    return (
        sa.update(KEYS)
        .values(status=row.reply_status, reply=reply)
        .where(KEYS.c.key == row.key, KEYS.c.merchant_id == row.merchant_id)
        .where(KEYS.c.livemode == row.livemode, KEYS.c.status.is_(None))
        .cte("replied")
    )


class KeyName(NamedTuple):
    """An idempotency key belongs to a merchant and a mode."""

    key: UUID
    merchant_id: UUID
    livemode: bool


class SealedReply(NamedTuple):
    """A reply that says something of a person, whose customer's id it is filed under."""

    status: int
    reply_sealed: bytes
    resource_id: UUID


def name_of(asking: Asking) -> KeyName:
    """The key of a request that has one."""
    if asking.once is None:
        raise LookupError("this request has no idempotency key")
    return KeyName(asking.once.key, asking.caller.merchant_id, asking.caller.livemode)


def _of(name: KeyName) -> dict[str, Any]:
    return {"of_key": name.key, "of_merchant": name.merchant_id, "of_mode": name.livemode}


async def claim(transaction: Transaction, asking: Asking, now: Any) -> EarlierReply | None:
    """Claim the key for this request; the earlier row when it was claimed before."""
    name = name_of(asking)
    digest = asking.once.digest if asking.once else b""
    while await transaction.maybe(_CLAIM, digest=digest, created_at=now, **_of(name)) is None:
        earlier = await read(transaction, asking)
        if earlier is not None:
            return earlier
        # It was forgotten or given back between the two statements: the key is free again.
    return None


async def read(transaction: Transaction, asking: Asking) -> EarlierReply | None:
    """The key's row, if there is one."""
    row = await transaction.maybe(_READ, **_of(name_of(asking)))
    return None if row is None else EarlierReply(**row)


async def answer(transaction: Transaction, name: KeyName, status: int, reply: str) -> None:
    """Keep the reply (JSON text) that every repetition will get."""
    await transaction.run(_ANSWER, status=status, reply=reply, **_of(name))


async def answer_sealed(transaction: Transaction, name: KeyName, reply: SealedReply) -> None:
    """Keep a sealed reply that every repetition will get, until its person is erased."""
    await transaction.run(_ANSWER_SEALED, **reply._asdict(), **_of(name))


async def erase_replies(transaction: Transaction, asking: Asking, person: UUID, reply: str) -> None:
    """Put `reply` (JSON text) in the place of every sealed one of this customer."""
    caller = asking.caller
    mine = {"of_merchant": caller.merchant_id, "of_mode": caller.livemode}
    await transaction.run(_ERASE, of_person=person, reply=reply, **mine)


async def release(transaction: Transaction, asking: Asking) -> None:
    """Give an unanswered key back: nothing was done under it."""
    await transaction.run(_RELEASE, **_of(name_of(asking)))
