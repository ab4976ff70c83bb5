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
        KEYS.c.resource_id, KEYS.c.digest, KEYS.c.status, KEYS.c.reply.cast(sa.Text).label("reply")
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
_RELEASE = compile_sql(sa.delete(KEYS).where(*_MINE, KEYS.c.status.is_(None)))


class KeyName(NamedTuple):
    """An idempotency key belongs to a merchant and a mode."""

    key: UUID
    merchant_id: UUID
    livemode: bool


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
    won = await transaction.maybe(_CLAIM, digest=digest, created_at=now, **_of(name))
    return None if won is not None else await read(transaction, asking)


async def read(transaction: Transaction, asking: Asking) -> EarlierReply | None:
    """The key's row, if there is one."""
    row = await transaction.maybe(_READ, **_of(name_of(asking)))
    return None if row is None else EarlierReply(**row)


async def answer(transaction: Transaction, name: KeyName, status: int, reply: str) -> None:
    """Keep the reply (JSON text) that every repetition will get."""
    await transaction.run(_ANSWER, status=status, reply=reply, **_of(name))


async def release(transaction: Transaction, asking: Asking) -> None:
    """Give an unanswered key back: nothing was done under it."""
    await transaction.run(_RELEASE, **_of(name_of(asking)))
