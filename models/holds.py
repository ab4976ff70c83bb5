"""Holds: writing, reading and changing one under its row lock, finding those that are due."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from domain import ledger
from models import counting
from models.inserting import insert_row
from models.ledger import post
from models.tables import CUSTOMERS, HOLDS, IDEMPOTENCY_KEYS, PAYMENT_METHODS
from models.test_clocks import clock_of, not_held_back
from runtime.batches import FLAG, ID, MOMENT, NUMBER, word
from runtime.database import Row, Transaction, compile_sql

_HOLD = HOLDS.c
_MINE = (
    _HOLD.id == sa.bindparam("of_id", type_=ID),
    _HOLD.merchant_id == sa.bindparam("of_merchant", type_=ID),
    _HOLD.livemode == sa.bindparam("of_mode", type_=FLAG),
)
_CHANGEABLE = (
    "amount",
    "status",
    "amount_authorized",
    "amount_released",
    "network",
    "failure_code",
    "decline_code",
    "pending_reason",
    "attempt_id",
    "reversal_attempt_id",
    "event_sequence",
    "closed_at",
    "end_at",
    "resume_at",
)
_NOW = sa.bindparam("now", type_=MOMENT)
_LIMIT = sa.bindparam("limit", type_=NUMBER)


class HoldKey(NamedTuple):
    """Whose hold: an id is never read without its merchant and mode."""

    id: UUID
    merchant_id: UUID
    livemode: bool


class Named(NamedTuple):
    """What a request names beside its hold; no customer: whoever the hold's is."""

    method_id: UUID
    customer_id: UUID | None


_INSERT = insert_row(HOLDS)
_READ = compile_sql(sa.select(HOLDS).where(*_MINE))
_LOCK = compile_sql(sa.select(HOLDS).where(*_MINE).with_for_update())
_SAVE = compile_sql(
    sa.update(HOLDS)
    .values({name: sa.bindparam(name, type_=_HOLD[name].type) for name in _CHANGEABLE})
    .where(*_MINE)
)
_DELETE = compile_sql(
    sa.delete(HOLDS)
    .where(*_MINE, _HOLD.status == word("pending"), _HOLD.pending_reason.is_(None))
    .where(_HOLD.attempt_id == sa.bindparam("of_attempt", type_=ID))
    .returning(_HOLD.merchant_id, _HOLD.livemode)
)
_EXPIRED = compile_sql(
    sa.select(_HOLD.id, _HOLD.merchant_id, _HOLD.livemode)
    .where(_HOLD.end_at <= _NOW, not_held_back(HOLDS, _HOLD.end_at))
    .order_by(_HOLD.end_at)
    .limit(_LIMIT)
)


def _attached(method: sa.FromClause) -> sa.ColumnElement[bool]:
    mode = sa.bindparam("of_mode", type_=FLAG)
    return sa.func.coalesce(
        sa.and_(method.c.livemode == mode, method.c.detached_at.is_(None)), sa.false()
    )


def _alive(customer: sa.FromClause) -> sa.ColumnElement[bool]:
    mode = sa.bindparam("of_mode", type_=FLAG)
    return sa.func.coalesce(
        sa.and_(customer.c.livemode == mode, customer.c.deleted_at.is_(None)), sa.false()
    )


def _lock_named() -> sa.sql.ClauseElement:
    """The hold, locked, whether what is named beside it is there, and what time it is.

    Joined by primary keys alone: a plan has no other index to choose (decision 0004).
    """
    method, customer = PAYMENT_METHODS, CUSTOMERS
    mine = sa.bindparam("of_merchant", type_=ID), sa.bindparam("of_mode", type_=FLAG)
    clock = clock_of(*mine)
    this_method = sa.and_(
        method.c.id == sa.bindparam("method_id", type_=ID),
        method.c.merchant_id == _HOLD.merchant_id,
    )
    this_customer = sa.and_(
        customer.c.id == sa.bindparam("customer_id", type_=ID),
        customer.c.merchant_id == _HOLD.merchant_id,
    )
    return (
        sa.select(
            HOLDS,
            _attached(method).label("method_found"),
            _alive(customer).label("customer_found"),
            clock.c.frozen_time,
        )
        .select_from(
            HOLDS.outerjoin(method, this_method)
            .outerjoin(customer, this_customer)
            .outerjoin(clock, sa.true())
        )
        .where(*_MINE)
        .with_for_update(of=HOLDS)
    )


def _named() -> sa.sql.ClauseElement:
    """A method, and whether it and a customer are there, for a hold that is to be made."""
    merchant = sa.bindparam("of_merchant", type_=ID)
    asked = sa.select(sa.literal_column("1")).subquery("asked")
    method, customer = PAYMENT_METHODS, CUSTOMERS
    this_method = sa.and_(
        method.c.id == sa.bindparam("method_id", type_=ID), method.c.merchant_id == merchant
    )
    this_customer = sa.and_(
        customer.c.id == sa.bindparam("customer_id", type_=ID),
        customer.c.merchant_id == merchant,
    )
    return sa.select(
        method.c.type,
        method.c.customer_id,
        _attached(method).label("method_found"),
        _alive(customer).label("customer_found"),
    ).select_from(
        asked.outerjoin(method, this_method).outerjoin(customer, this_customer),
    )


_LOCK_NAMED = compile_sql(_lock_named())
_NAMED = compile_sql(_named())
_FREE_KEY = compile_sql(
    sa.delete(IDEMPOTENCY_KEYS)
    .where(IDEMPOTENCY_KEYS.c.key == sa.bindparam("of_key", type_=ID))
    .where(IDEMPOTENCY_KEYS.c.merchant_id == sa.bindparam("of_merchant", type_=ID))
    .where(IDEMPOTENCY_KEYS.c.livemode == sa.bindparam("of_mode", type_=FLAG))
    .where(IDEMPOTENCY_KEYS.c.status.is_(None))
)


def _of(key: HoldKey) -> dict[str, Any]:
    return {"of_id": key.id, "of_merchant": key.merchant_id, "of_mode": key.livemode}


def key_of(hold: Row) -> HoldKey:
    """The key of a hold's row."""
    return HoldKey(hold["id"], hold["merchant_id"], hold["livemode"])


async def insert_hold(transaction: Transaction, hold: Row) -> None:
    """Write and count a new hold."""
    await transaction.run(_INSERT, **hold)
    await counting.add(transaction, hold, "holds", {hold["status"]: 1})


async def read_hold(transaction: Transaction, key: HoldKey) -> Row | None:
    """The hold's row, if this merchant has it in this mode."""
    return await transaction.maybe(_READ, **_of(key))


async def lock_hold(transaction: Transaction, key: HoldKey) -> Row | None:
    """The hold's row, locked until the transaction ends; before its top-ups and payments."""
    return await transaction.maybe(_LOCK, **_of(key))


async def lock_hold_and_find(transaction: Transaction, key: HoldKey, named: Named) -> Row | None:
    """The locked hold with `method_found` and `customer_found`; None where there is none.

    `frozen_time` is where the merchant's test clock stands, None without one.  It is held
    before the hold is locked: see business_now.
    """
    return await transaction.maybe(_LOCK_NAMED, **_of(key), **named._asdict())


async def find_named(
    transaction: Transaction, merchant_id: UUID, livemode: bool, named: Named
) -> Row:
    """A method's `type` and `customer_id`, `method_found` and `customer_found`."""
    mine = {"of_merchant": merchant_id, "of_mode": livemode}
    return await transaction.one(_NAMED, **mine, **named._asdict())


async def save_hold(transaction: Transaction, before: Row, after: Row) -> None:
    """Save a locked hold, count it under its new status, and post what it moved.

    What is drawn is not saved here: whoever writes a draw adds it to its hold.
    """
    values = {name: after[name] for name in _CHANGEABLE}
    await transaction.run(_SAVE, **_of(key_of(before)), **values)
    if before["status"] != after["status"]:
        moved = {before["status"]: -1, after["status"]: 1}
        await counting.add(transaction, before, "holds", moved)
    await post(transaction, after, ledger.of_hold(before, after))


async def withdraw_hold(transaction: Transaction, hold: Row) -> bool:
    """Undo the record of a hold that the network was certainly never asked for.

    Its key is free again; False when the hold went on without us.
    """
    key = key_of(hold)
    row = await transaction.maybe(_DELETE, of_attempt=hold["attempt_id"], **_of(key))
    if row is None:
        return False
    await counting.add(transaction, row, "holds", {"pending": -1})
    await free_key(transaction, hold)
    return True


async def free_key(transaction: Transaction, asked: Row) -> None:
    """Give the unanswered key of a hold or top-up back, if it had one."""
    if asked["idempotency_key"] is not None:
        await transaction.run(
            _FREE_KEY,
            of_key=asked["idempotency_key"],
            of_merchant=asked["merchant_id"],
            of_mode=asked["livemode"],
        )


async def expired_holds(transaction: Transaction, now: datetime, limit: int) -> list[HoldKey]:
    """Standing holds whose end has come, oldest first."""
    return [HoldKey(**row) for row in await transaction.all(_EXPIRED, now=now, limit=limit)]
