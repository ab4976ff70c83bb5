"""The first commit of a capture or cancellation: its key, and the operation on its payment.

One statement for all the requests that wait (runtime/coalescer.py), safe to run twice with
the same rows: the attempt says whose operation a payment carries.  It begins what is plainly
allowed and leaves everything else as it was; what that is to be answered with, the payment's
row lock decides (flows/payment_operations.py).

Keys are claimed before payments are touched, as in every transaction that does both: in any
other order two requests under one key would wait for each other.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA, insert

from models.tables import IDEMPOTENCY_KEYS, PAYMENTS
from runtime.batches import FLAG, ID, MOMENT, TEXT, batch, rows_of, word
from runtime.coalescer import Lane
from runtime.database import Row, compile_sql

_BIG: sa.types.TypeEngine[Any] = sa.BigInteger()


class NewOperation(NamedTuple):
    """An operation to begin on a payment that is `was` and has none.

    `amount` is what a capture takes in minor units, None for all that was authorised; `key`
    and `digest` (hex) are None where the request has no idempotency key.
    """

    id: UUID
    merchant_id: UUID
    livemode: bool
    was: str
    operation: str
    amount: int | None
    attempt_id: UUID
    key: UUID | None
    digest: str | None
    created_at: str
    resume_at: str


def _begin_statement() -> sa.CompoundSelect[Any]:
    asked = rows_of(
        id=ID,
        merchant_id=ID,
        livemode=FLAG,
        was=TEXT,
        operation=TEXT,
        amount=_BIG,
        attempt_id=ID,
        key=ID,
        digest=TEXT,
        created_at=MOMENT,
        resume_at=MOMENT,
    )
    looked = _looked_up(asked)
    mine = _mine(looked)
    begun = _begun(mine)
    # An error, so that all of it is undone: the payment changed after it was looked at, and
    # a key must not stay claimed for what never began.
    orphan = sa.and_(begun.c.id.is_(None), mine.c.key.is_not(None))
    told = sa.case((orphan, word("claimed_for_nothing")), else_=word("true"))
    now = (
        sa.select(*(begun.c[column.name] for column in PAYMENTS.c))
        .add_columns(sa.cast(told, sa.Boolean).label("whole"))
        .select_from(mine.outerjoin(begun, begun.c.operation_attempt_id == mine.c.attempt_id))
    )
    # Begun by a run before this one, whose answer was lost.
    payment = PAYMENTS.c
    same = sa.and_(payment.id == looked.c.id, payment.merchant_id == looked.c.merchant_id)
    before = (
        sa.select(PAYMENTS)
        .add_columns(sa.true())
        .select_from(looked.join(PAYMENTS, same))
        .where(looked.c.found_attempt == looked.c.attempt_id)
    )
    return sa.union_all(now, before)


def _looked_up(asked: sa.CTE) -> sa.CTE:
    """Each row beside the payment that it names, and whether its key was used before."""
    key, payment = IDEMPOTENCY_KEYS.c, PAYMENTS.c
    same_key = sa.and_(
        key.key == asked.c.key,
        key.merchant_id == asked.c.merchant_id,
        key.livemode == asked.c.livemode,
    )
    same = sa.and_(payment.id == asked.c.id, payment.merchant_id == asked.c.merchant_id)
    taken = sa.func.coalesce(asked.c.amount, payment.amount_authorized)
    return (
        sa.select(
            asked,
            payment.operation_attempt_id.label("found_attempt"),
            sa.and_(
                key.key.is_(None),
                # Compared after the row was found, so that no index fits but the primary key
                # (decision 0004).
                payment.livemode.is_not_distinct_from(asked.c.livemode),
                payment.status.is_not_distinct_from(asked.c.was),
                payment.operation.is_(None),
                taken <= payment.amount_authorized,
            ).label("fits"),
        )
        .select_from(asked.join(PAYMENTS, same).outerjoin(IDEMPOTENCY_KEYS, same_key))
        .cte("looked")
    )


def _mine(looked: sa.CTE) -> sa.CTE:
    """The rows that may begin, in the order of their payments: their keys are claimed."""
    fit = sa.select(looked).where(looked.c.fits).cte("fit")
    digest = sa.func.decode(fit.c.digest, word("hex")).cast(BYTEA)
    key = IDEMPOTENCY_KEYS.c
    claimed = (
        insert(IDEMPOTENCY_KEYS)
        .from_select(
            ["key", "merchant_id", "livemode", "digest", "created_at"],
            sa.select(fit.c.key, fit.c.merchant_id, fit.c.livemode, digest, fit.c.created_at)
            .where(fit.c.key.is_not(None))
            .order_by(fit.c.merchant_id, fit.c.key),
        )
        .on_conflict_do_nothing()
        .returning(key.key, key.merchant_id, key.livemode, key.digest)
        .cte("claimed")
    )
    # The digest tells apart two payments that were named under one key.
    its_own = sa.and_(
        claimed.c.key == fit.c.key,
        claimed.c.merchant_id == fit.c.merchant_id,
        claimed.c.livemode == fit.c.livemode,
        claimed.c.digest == digest,
    )
    return (
        sa.select(fit)
        .select_from(fit.outerjoin(claimed, its_own))
        .where(sa.or_(fit.c.key.is_(None), claimed.c.key.is_not(None)))
        .order_by(fit.c.merchant_id, fit.c.id)
        .cte("mine")
    )


def _begun(mine: sa.CTE) -> sa.CTE:
    payment = PAYMENTS.c
    taken = sa.func.coalesce(mine.c.amount, payment.amount_authorized)
    return (
        sa.update(PAYMENTS)
        .values(
            operation=mine.c.operation,
            operation_amount=sa.case((mine.c.operation == word("capture"), taken)),
            operation_attempt_id=mine.c.attempt_id,
            operation_key=mine.c.key,
            resume_at=mine.c.resume_at,
        )
        .where(payment.id == mine.c.id, payment.merchant_id == mine.c.merchant_id)
        # Asked again under the row's lock.
        .where(payment.status.is_not_distinct_from(mine.c.was))
        .where(payment.operation.is_(None), taken <= payment.amount_authorized)
        .returning(*payment)
        .cte("begun")
    )


BEGIN = compile_sql(_begin_statement())
_BEGIN_TEXT = BEGIN.text.encode()


async def begin_operations(lane: Lane, operations: Sequence[NewOperation]) -> list[Row | None]:
    """Each payment as it now stands, or None where nothing was begun."""
    # Of two on one payment the second is not begun here.
    firsts = {(each.merchant_id, each.id): each for each in reversed(operations)}
    try:
        rows = await lane.rows(_BEGIN_TEXT, {"rows": batch(list(reversed(firsts.values())))})
    except psycopg.errors.InvalidTextRepresentation:
        if len(operations) > 1:
            raise
        return [None]
    begun = {row["operation_attempt_id"]: row for row in rows if row.pop("whole")}
    return [begun.get(operation.attempt_id) for operation in operations]
