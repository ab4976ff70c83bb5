"""What is added to holds: writing it, and how it ended.  The hold's row is locked first."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from domain import ledger
from models.holds import HoldKey
from models.inserting import insert_row
from models.ledger import post
from models.tables import HOLD_TOP_UPS
from runtime.batches import FLAG, ID, TEXT, word
from runtime.database import Row, Transaction, compile_sql

_TOP_UP = HOLD_TOP_UPS.c
_MERCHANT = sa.bindparam("of_merchant", type_=ID)
_MINE = (
    _TOP_UP.id == sa.bindparam("of_id", type_=ID),
    _TOP_UP.merchant_id == _MERCHANT,
    _TOP_UP.livemode == sa.bindparam("of_mode", type_=FLAG),
)


_INSERT = insert_row(HOLD_TOP_UPS)
_PENDING = compile_sql(
    sa.select(HOLD_TOP_UPS)
    .where(_TOP_UP.hold_id == sa.bindparam("of_hold", type_=ID), _TOP_UP.merchant_id == _MERCHANT)
    .where(_TOP_UP.status == word("pending"))
)
_LOCK = compile_sql(sa.select(HOLD_TOP_UPS).where(*_MINE).with_for_update())
_END = compile_sql(
    sa.update(HOLD_TOP_UPS)
    .values(status=sa.bindparam("status", type_=TEXT), resume_at=sa.null())
    .where(*_MINE, _TOP_UP.status == word("pending"))
)
_ASK_AGAIN = compile_sql(
    sa.update(HOLD_TOP_UPS)
    .values(attempt_id=sa.bindparam("attempt_id", type_=ID))
    .where(*_MINE, _TOP_UP.status == word("pending"))
)
_DELETE = compile_sql(
    sa.delete(HOLD_TOP_UPS)
    .where(*_MINE, _TOP_UP.status == word("pending"))
    .where(_TOP_UP.attempt_id == sa.bindparam("of_attempt", type_=ID))
)


def _of(top_up: Row) -> dict[str, Any]:
    return {
        "of_id": top_up["id"],
        "of_merchant": top_up["merchant_id"],
        "of_mode": top_up["livemode"],
    }


async def insert_top_up(transaction: Transaction, top_up: Row) -> None:
    """Write a pending top-up of a locked hold that has none."""
    await transaction.run(_INSERT, **top_up)


async def pending_top_up(transaction: Transaction, hold: HoldKey) -> Row | None:
    """The top-up of this locked hold whose answer is still out."""
    return await transaction.maybe(_PENDING, of_hold=hold.id, of_merchant=hold.merchant_id)


async def lock_top_up(transaction: Transaction, top_up: Row) -> Row | None:
    """The row as it stands, locked; the hold's row is locked already."""
    return await transaction.maybe(_LOCK, **_of(top_up))


async def end_top_up(transaction: Transaction, top_up: Row, status: str) -> None:
    """Write and post how a pending top-up ended."""
    if await transaction.run(_END, status=status, **_of(top_up)) and status == "succeeded":
        await post(transaction, top_up, ledger.of_top_up(top_up))


async def ask_again(transaction: Transaction, top_up: Row, attempt_id: UUID) -> None:
    """Go on under another attempt."""
    await transaction.run(_ASK_AGAIN, attempt_id=attempt_id, **_of(top_up))


async def withdraw_top_up(transaction: Transaction, top_up: Row) -> bool:
    """Undo a top-up that the network was certainly not asked for; False: it went on."""
    return await transaction.run(_DELETE, of_attempt=top_up["attempt_id"], **_of(top_up)) == 1
