"""Payouts: whose is due, writing one with its postings, its arrival."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from domain.ledger import Movement
from models import counting
from models.inserting import insert_row
from models.ledger import post
from models.tables import PAYOUT_PARTS, PAYOUT_SCHEDULES, PAYOUTS, SETTLEMENTS
from models.tables.base import BESIDE
from models.test_clocks import not_held_back
from runtime.batches import ID, MOMENT, word
from runtime.database import Row, Transaction, compile_sql

_SCHEDULE, _PAYOUT, _SETTLED = PAYOUT_SCHEDULES.c, PAYOUTS.c, SETTLEMENTS.c
_NOW = sa.bindparam("now", type_=MOMENT)
_LIMIT = sa.bindparam("limit", type_=sa.Integer())
_MERCHANT = sa.bindparam("of_merchant", type_=ID)
_MODE = sa.bindparam("of_mode", type_=sa.Boolean())
_RESOURCE: Final = "payouts"


class Account(NamedTuple):
    """Whose money it is, and in which mode."""

    merchant_id: UUID
    livemode: bool


class Due(NamedTuple):
    """A schedule's place among those that are due."""

    run_at: datetime
    account: Account


FIRST: Final = Due(datetime.min.replace(tzinfo=UTC), Account(UUID(int=0), False))

_INSERT_SCHEDULE = insert_row(PAYOUT_SCHEDULES, "settled_before")
_PLACE = (_SCHEDULE.run_at, _SCHEDULE.merchant_id, _SCHEDULE.livemode)
_DUE = compile_sql(
    sa.select(*_PLACE)
    .where(_SCHEDULE.run_at <= _NOW, not_held_back(PAYOUT_SCHEDULES, _SCHEDULE.run_at))
    .where(
        sa.tuple_(*_PLACE) > sa.tuple_(sa.bindparam("after_run_at", type_=MOMENT), _MERCHANT, _MODE)
    )
    .order_by(*_PLACE)
    .limit(_LIMIT)
)
_LOCK_SCHEDULE = compile_sql(
    sa.select(PAYOUT_SCHEDULES)
    .where(_SCHEDULE.merchant_id == _MERCHANT, _SCHEDULE.livemode == _MODE)
    .with_for_update()
)
_MOVE_SCHEDULE = compile_sql(
    sa.update(PAYOUT_SCHEDULES)
    .values(
        run_at=sa.bindparam("run_at", type_=MOMENT),
        # Postings carry the database's time, which a merchant's clock may be ahead of.
        settled_before=sa.func.least(
            sa.bindparam("settled_before", type_=MOMENT), sa.func.now(), type_=MOMENT
        ),
    )
    .where(_SCHEDULE.merchant_id == _MERCHANT, _SCHEDULE.livemode == _MODE)
)
_IN_THE_BALANCE = (
    _SETTLED.merchant_id == _MERCHANT,
    _SETTLED.livemode == _MODE,
    _SETTLED.payout_id.is_(None),
)
_UNPAID = compile_sql(
    sa.select(
        _SETTLED.currency,
        sa.func.sum(_SETTLED.gross - _SETTLED.fee).cast(sa.BigInteger).label("amount"),
        sa.func.sum(_SETTLED.transaction_count).cast(sa.BigInteger).label("transactions"),
    )
    .where(*_IN_THE_BALANCE)
    .group_by(_SETTLED.currency)
)
_TAKE = compile_sql(
    sa.update(SETTLEMENTS)
    .values(payout_id=sa.bindparam("to_payout", type_=ID))
    .where(*_IN_THE_BALANCE, _SETTLED.currency == sa.bindparam("of_currency", type_=sa.Text()))
)
_INSERT_PAYOUT = compile_sql(
    insert(PAYOUTS)
    .values({column.name: sa.bindparam(column.name, type_=column.type) for column in _PAYOUT})
    .on_conflict_do_nothing(constraint="payouts_once_a_day")
    .returning(_PAYOUT.id)
)
_INSERT_PART = insert_row(PAYOUT_PARTS)
_ARRIVING = compile_sql(
    sa.select(_PAYOUT.id, _PAYOUT.merchant_id)
    .where(_PAYOUT.arrives_at <= _NOW, not_held_back(PAYOUTS, _PAYOUT.arrives_at))
    .order_by(_PAYOUT.arrives_at)
    .limit(_LIMIT)
)
_ARRIVE = compile_sql(
    sa.update(PAYOUTS)
    .values(status=word("paid"), arrives_at=sa.null())
    .where(_PAYOUT.id == sa.bindparam("of_id", type_=ID), _PAYOUT.merchant_id == _MERCHANT)
    # Asked again under the row's lock: another worker may have been faster.
    .where(_PAYOUT.arrives_at <= _NOW)
    .returning(*_PAYOUT)
)
_READ = compile_sql(
    sa.select(PAYOUTS, *PAYOUTS.info[BESIDE])
    .where(_PAYOUT.id == sa.bindparam("of_id", type_=ID))
    .where(_PAYOUT.merchant_id == _MERCHANT, _PAYOUT.livemode == _MODE)
)


async def insert_schedules(transaction: Transaction, merchant_id: UUID, run_at: datetime) -> None:
    """Have a new merchant paid out to, in both modes, from `run_at` on."""
    for livemode in (False, True):
        await transaction.run(
            _INSERT_SCHEDULE, merchant_id=merchant_id, livemode=livemode, run_at=run_at
        )


async def due_schedules(
    transaction: Transaction, now: datetime, after: Due, limit: int
) -> list[Due]:
    """Whose run is due at `now`, the longest overdue first, from behind `after` on."""
    place = {"after_run_at": after.run_at, **_of(after.account)}
    rows = await transaction.all(_DUE, now=now, limit=limit, **place)
    return [Due(row.pop("run_at"), Account(**row)) for row in rows]


async def lock_schedule(transaction: Transaction, account: Account) -> Row | None:
    """The schedule, against other runs until the transaction ends."""
    return await transaction.maybe(_LOCK_SCHEDULE, **_of(account))


async def move_schedule(
    transaction: Transaction, account: Account, run_at: datetime, settled_before: datetime
) -> None:
    """Set the next run of a locked schedule, and until when it has settled all."""
    await transaction.run(
        _MOVE_SCHEDULE, run_at=run_at, settled_before=settled_before, **_of(account)
    )


async def unpaid(transaction: Transaction, account: Account) -> dict[str, Row]:
    """What has settled and was not paid out: (amount, transactions) by currency."""
    rows = await transaction.all(_UNPAID, **_of(account))
    return {row["currency"]: row for row in rows}


async def insert_payout(
    transaction: Transaction, payout: Row, parts: Mapping[UUID, Mapping[str, Any]]
) -> bool:
    """Write, count and post a payout of all that is unpaid in the currencies of its parts.

    `parts` are (currency, amount, rate, converted_amount) by their ids.  The schedule is
    locked.  False where a payout was made on this business day before.
    """
    if await transaction.maybe(_INSERT_PAYOUT, **payout) is None:
        return False
    account = Account(payout["merchant_id"], payout["livemode"])
    for part_id, part in parts.items():
        row = {**part, "id": part_id, "payout_id": payout["id"], **account._asdict()}
        await transaction.run(_INSERT_PART, **row)
        await transaction.run(
            _TAKE, to_payout=payout["id"], of_currency=part["currency"], **_of(account)
        )
        await _post_part(transaction, row, payout["currency"])
    await counting.add(transaction, payout, _RESOURCE, {payout["status"]: 1})
    return True


async def _post_part(transaction: Transaction, part: Row, to: str) -> None:
    if part["currency"] == to:
        await post(transaction, part, [Movement("payout", part["amount"])])
        return
    await post(transaction, part, [Movement("payout_conversion", part["amount"])])
    bought = [Movement("payout_converted", part["converted_amount"])]
    await post(transaction, {**part, "currency": to}, bought)


async def arriving_payouts(
    transaction: Transaction, now: datetime, limit: int
) -> list[tuple[UUID, UUID]]:
    """(id, merchant) of payouts that have reached the bank by `now`."""
    rows = await transaction.all(_ARRIVING, now=now, limit=limit)
    return [(row["id"], row["merchant_id"]) for row in rows]


async def arrive(
    transaction: Transaction, payout_id: UUID, merchant_id: UUID, now: datetime
) -> Row | None:
    """Write, count and post that a payout is paid; None where that was done before."""
    payout = await transaction.maybe(_ARRIVE, of_id=payout_id, of_merchant=merchant_id, now=now)
    if payout is None:
        return None
    await counting.add(transaction, payout, _RESOURCE, {"pending": -1, payout["status"]: 1})
    await post(transaction, payout, [Movement("payout_paid", payout["amount"])])
    return payout


async def read_payout(transaction: Transaction, account: Account, payout_id: UUID) -> Row | None:
    """A payout of this merchant and mode, with its parts."""
    return await transaction.maybe(_READ, of_id=payout_id, **_of(account))


def _of(account: Account) -> dict[str, Any]:
    return {"of_merchant": account.merchant_id, "of_mode": account.livemode}
