"""Sessions of people: begun, seen, ended."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from domain.people import NamedSecret
from models.inserting import insert_row
from models.tables import MERCHANTS, SESSIONS, USERS
from runtime.database import Row, Transaction, compile_sql

_ID = SESSIONS.c.id.type
_MOMENT = SESSIONS.c.created_at.type
_OPEN = SESSIONS.c.ended_at.is_(None)
_SCOPE = SESSIONS.c.merchant_id == sa.bindparam("of_merchant", type_=_ID)
_THIS_ONE = (SESSIONS.c.id == sa.bindparam("of_id", type_=_ID), _SCOPE, _OPEN)
_OF_USER = (_SCOPE, SESSIONS.c.user_id == sa.bindparam("of_user", type_=_ID))
_INSERT = insert_row(SESSIONS, "ended_at")
_SEE = compile_sql(
    sa.update(SESSIONS)
    .values(last_seen_at=sa.bindparam("now", type_=_MOMENT))
    .where(
        *_THIS_ONE,
        SESSIONS.c.digest == sa.bindparam("digest", type_=SESSIONS.c.digest.type),
        SESSIONS.c.last_seen_at > sa.bindparam("idle_since", type_=_MOMENT),
        SESSIONS.c.created_at > sa.bindparam("begun_after", type_=_MOMENT),
        USERS.c.id == SESSIONS.c.user_id,
        USERS.c.merchant_id == SESSIONS.c.merchant_id,
        USERS.c.deleted_at.is_(None),
        MERCHANTS.c.id == SESSIONS.c.merchant_id,
    )
    .returning(
        SESSIONS.c.id,
        SESSIONS.c.merchant_id,
        SESSIONS.c.user_id,
        SESSIONS.c.second_factor_at,
        USERS.c.name_sealed,
        MERCHANTS.c.status.label("merchant_status"),
    )
)
_ENDING = sa.update(SESSIONS).values(ended_at=sa.bindparam("now", type_=_MOMENT))
_END = compile_sql(
    _ENDING.where(*_THIS_ONE, SESSIONS.c.user_id == sa.bindparam("of_user", type_=_ID))
)
_DELETE_ALL = compile_sql(sa.delete(SESSIONS).where(*_OF_USER))
_END_BY_COOKIE = compile_sql(
    _ENDING.where(
        *_THIS_ONE, SESSIONS.c.digest == sa.bindparam("digest", type_=SESSIONS.c.digest.type)
    )
)
_OF_PERSON = compile_sql(
    sa.select(SESSIONS)
    .where(
        *_OF_USER,
        _OPEN,
        SESSIONS.c.last_seen_at > sa.bindparam("idle_since", type_=_MOMENT),
        SESSIONS.c.created_at > sa.bindparam("begun_after", type_=_MOMENT),
    )
    .order_by(SESSIONS.c.created_at.desc(), SESSIONS.c.id.desc())
    .limit(sa.bindparam("most", type_=sa.BigInteger))
)
_FORGET = compile_sql(
    sa.delete(SESSIONS).where(
        *_OF_USER, SESSIONS.c.created_at < sa.bindparam("before", type_=_MOMENT)
    )
)


async def insert_session(transaction: Transaction, **columns: Any) -> None:
    """Store a new session."""
    await transaction.run(_INSERT, **columns)


async def see_session(
    transaction: Transaction,
    named: NamedSecret,
    now: datetime,
    idle_since: datetime,
    begun_after: datetime,
) -> Row | None:
    """Note that a session is used, if it is good still.

    Answers session, sealed name of the person and `merchant_status`.
    """
    return await transaction.maybe(
        _SEE,
        of_merchant=named.merchant_id,
        of_id=named.id,
        digest=named.digest,
        now=now,
        idle_since=idle_since,
        begun_after=begun_after,
    )


async def end_session(
    transaction: Transaction, merchant_id: UUID, user_id: UUID, session_id: UUID, now: datetime
) -> bool:
    """End one session of a user; False when there is none."""
    ended = await transaction.run(
        _END, of_merchant=merchant_id, of_user=user_id, of_id=session_id, now=now
    )
    return ended == 1


async def end_session_of_cookie(
    transaction: Transaction, named: NamedSecret, now: datetime
) -> None:
    """End the session whose cookie this is, if there is one."""
    await transaction.run(
        _END_BY_COOKIE,
        of_merchant=named.merchant_id,
        of_id=named.id,
        digest=named.digest,
        now=now,
    )


async def delete_sessions(transaction: Transaction, merchant_id: UUID, user_id: UUID) -> None:
    """End every session of a user who is deleted, and forget from where they were used."""
    await transaction.run(_DELETE_ALL, of_merchant=merchant_id, of_user=user_id)


async def open_sessions(
    transaction: Transaction,
    person: tuple[UUID, UUID],
    idle_since: datetime,
    begun_after: datetime,
    most: int,
) -> list[Row]:
    """The good sessions of a person (merchant, user), newest first."""
    merchant_id, user_id = person
    return await transaction.all(
        _OF_PERSON,
        of_merchant=merchant_id,
        of_user=user_id,
        idle_since=idle_since,
        begun_after=begun_after,
        most=most,
    )


async def forget_sessions(
    transaction: Transaction, merchant_id: UUID, user_id: UUID, before: datetime
) -> None:
    """Delete what was begun before; the audit entries of it stay."""
    await transaction.run(_FORGET, of_merchant=merchant_id, of_user=user_id, before=before)
