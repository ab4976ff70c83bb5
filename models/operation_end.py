"""The second commit of a capture or cancellation: the network's yes and all that follows.

One statement for all the requests that wait (runtime/coalescer.py), safe to run twice with
the same rows: the attempt that a payment carries fences every change.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON

from models.counting import counted, status_changes
from models.idempotency import replied
from models.ledger import posted
from models.outbox import queued_deliveries, written_events
from models.tables import PAYMENTS
from runtime.batches import ID, MOMENT, NUMBER, TEXT, batch, rows_of
from runtime.coalescer import Lane
from runtime.database import compile_sql

_BIG: sa.types.TypeEngine[Any] = sa.BigInteger()
_JSON: sa.types.TypeEngine[Any] = JSON()


class EndedOperation(NamedTuple):
    """What a payment becomes, what that moves, its event, and the reply its key will give.

    `movements` are those of domain/ledger.py as objects; `object` is the payment as it is
    shown, which is the reply too.
    """

    id: UUID
    merchant_id: UUID
    attempt_id: UUID
    was: str
    status: str
    amount_captured: int
    captured_at: str | None
    movements: list[dict[str, Any]]
    key: UUID | None
    reply_status: int
    event_id: UUID
    event_type: str
    object: Any
    request_id: str
    occurred_at: str


def _end_statement() -> sa.Select[Any]:
    asked = rows_of(
        id=ID,
        merchant_id=ID,
        attempt_id=ID,
        was=TEXT,
        status=TEXT,
        amount_captured=_BIG,
        captured_at=MOMENT,
        movements=_JSON,
        key=ID,
        reply_status=NUMBER,
        event_id=ID,
        event_type=TEXT,
        object=_JSON,
        request_id=TEXT,
        occurred_at=MOMENT,
    )
    changed = _changed(asked)
    return sa.select(changed.c.attempt_id).add_cte(
        written_events(changed),
        queued_deliveries(changed),
        replied(changed, changed.c.object),
        counted("payments", status_changes(changed, changed.c.was)),
        *posted(_moved(changed)),
    )


def _changed(asked: sa.CTE) -> sa.CTE:
    payment = PAYMENTS.c
    ended = ("operation", "operation_amount", "operation_attempt_id", "operation_key")
    return (
        sa.update(PAYMENTS)
        .values({name: asked.c[name] for name in ("status", "amount_captured", "captured_at")})
        .values({name: sa.null() for name in (*ended, "resume_at", "expires_at")})
        .values(event_sequence=payment.event_sequence + sa.literal_column("1"))
        .where(payment.id == asked.c.id, payment.merchant_id == asked.c.merchant_id)
        # Compared so that no index fits but the primary key (decision 0004).
        .where(payment.operation_attempt_id == asked.c.attempt_id)
        .where(payment.status.is_not_distinct_from(asked.c.was))
        .returning(
            payment.id.label("object_id"),
            payment.merchant_id,
            payment.livemode,
            payment.currency,
            payment.status,
            payment.event_sequence.label("sequence"),
            asked.c.attempt_id,
            asked.c.was,
            asked.c.movements,
            asked.c.key,
            asked.c.reply_status,
            asked.c.event_id,
            asked.c.event_type,
            asked.c.object,
            asked.c.request_id,
            asked.c.occurred_at,
        )
        .cte("changed")
    )


def _moved(changed: sa.CTE) -> sa.CTE:
    columns = {"kind": TEXT, "amount": _BIG, "fee": _BIG}
    movement = (
        sa.func.json_to_recordset(changed.c.movements)
        .table_valued(*(sa.column(name, kind) for name, kind in columns.items()), name="movement")
        .render_derived(with_types=True)
        .lateral()
    )
    row = changed.c
    return (
        sa.select(
            row.merchant_id,
            row.livemode,
            movement.c.kind,
            row.object_id.label("source_id"),
            movement.c.amount,
            movement.c.fee,
            row.currency,
        )
        .select_from(changed.join(movement, sa.true()))
        .cte("moved")
    )


END = compile_sql(_end_statement())
_END_TEXT = END.text.encode()


async def end_operations(lane: Lane, operations: Sequence[EndedOperation]) -> list[bool]:
    """Write the ends; False for a payment that no longer carried this attempt."""
    rows = await lane.rows(_END_TEXT, {"rows": batch(operations), "slot": lane.slot})
    ended = {row["attempt_id"] for row in rows}
    return [operation.attempt_id in ended for operation in operations]
