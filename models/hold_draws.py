"""Draws on holds: the payment, what it takes from its hold, and what the network is to hear."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from domain import ledger
from models import counting
from models.holds import HoldKey
from models.inserting import insert_row
from models.ledger import post
from models.tables import HOLD_DRAWS, HOLDS, PAYMENTS
from runtime.batches import FLAG, ID, MOMENT, SqlType
from runtime.database import Row, Transaction, compile_sql

_DRAW, _HOLD = HOLD_DRAWS.c, HOLDS.c
_BIG: SqlType = sa.BigInteger()
_MINE = (
    _DRAW.id == sa.bindparam("of_id", type_=ID),
    _DRAW.merchant_id == sa.bindparam("of_merchant", type_=ID),
    _DRAW.livemode == sa.bindparam("of_mode", type_=FLAG),
)
_THIS_ATTEMPT = _DRAW.attempt_id == sa.bindparam("of_attempt", type_=ID)


_INSERT_PAYMENT = insert_row(PAYMENTS)
_INSERT = insert_row(HOLD_DRAWS, "lost_at")
# Added to what the row says, not to what somebody read: the database's own rule then decides.
_TAKE = compile_sql(
    sa.update(HOLDS)
    .values(amount_drawn=_HOLD.amount_drawn + sa.bindparam("taken", type_=_BIG))
    .where(_HOLD.id == sa.bindparam("of_hold", type_=ID))
    .where(_HOLD.merchant_id == sa.bindparam("of_merchant", type_=ID))
)
_UNHEARD = compile_sql(
    sa.select(_DRAW.id)
    .where(_DRAW.hold_id == sa.bindparam("of_hold", type_=ID))
    .where(_DRAW.merchant_id == sa.bindparam("of_merchant", type_=ID))
    .where(_DRAW.present_at.is_not(None))
    .limit(sa.literal_column("1"))
)
_HEARD = compile_sql(
    sa.update(HOLD_DRAWS).values(present_at=sa.null()).where(*_MINE, _THIS_ATTEMPT)
)
_AGAIN = compile_sql(
    sa.update(HOLD_DRAWS)
    .values(
        attempt_id=sa.bindparam("attempt_id", type_=ID),
        present_at=sa.bindparam("until", type_=MOMENT),
    )
    .where(*_MINE, _THIS_ATTEMPT, _DRAW.present_at.is_not(None))
)
_LOSE = compile_sql(
    sa.update(HOLD_DRAWS)
    .values(present_at=sa.null(), lost_at=sa.bindparam("at", type_=MOMENT))
    .where(*_MINE, _THIS_ATTEMPT, _DRAW.present_at.is_not(None))
)


def _of(draw: Row) -> dict[str, Any]:
    return {
        "of_id": draw["id"],
        "of_merchant": draw["merchant_id"],
        "of_mode": draw["livemode"],
    }


async def insert_drawn_payment(transaction: Transaction, payment: Row, draw: Row) -> None:
    """Write, count and post a captured payment and its draw on a locked hold.

    The database refuses what the hold has not.  `metadata` and `risk_signals` are JSON text.
    """
    taken = {"of_hold": draw["hold_id"], "of_merchant": draw["merchant_id"]}
    await transaction.run(_TAKE, taken=draw["amount"], **taken)
    await transaction.run(_INSERT_PAYMENT, **payment)
    await transaction.run(_INSERT, **draw)
    await counting.add(transaction, payment, "payments", {payment["status"]: 1})
    await post(transaction, payment, ledger.of_drawn_payment(payment))


async def has_unheard_draws(transaction: Transaction, hold: HoldKey) -> bool:
    """Whether the network has still to hear of a draw on this hold."""
    named = {"of_hold": hold.id, "of_merchant": hold.merchant_id}
    return await transaction.maybe(_UNHEARD, **named) is not None


async def draw_heard(transaction: Transaction, draw: Row) -> None:
    """The network has answered the draw's present attempt."""
    await transaction.run(_HEARD, of_attempt=draw["attempt_id"], **_of(draw))


async def present_again(
    transaction: Transaction, draw: Row, attempt_id: UUID, until: datetime
) -> None:
    """Tell the network at `until`, under another attempt or the same."""
    again = {"attempt_id": attempt_id, "until": until}
    await transaction.run(_AGAIN, of_attempt=draw["attempt_id"], **again, **_of(draw))


async def lose_draw(transaction: Transaction, draw: Row, at: datetime) -> bool:
    """Write and post that a draw is given up; False where it went on under another attempt."""
    lost = await transaction.run(_LOSE, at=at, of_attempt=draw["attempt_id"], **_of(draw)) == 1
    if lost:
        await post(transaction, draw, ledger.of_lost_draw(draw))
    return lost
