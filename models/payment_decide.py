"""The second commit of a payment: the network's answer, its event, its reply, its counts.

One statement for all the requests that wait (runtime/coalescer.py), safe to run twice
with the same rows: the payment's attempt and its pending status fence every change.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON

from domain.authorisations import AUTHORISATION_LASTS
from domain.risk_signals import RiskSignals
from models.counting import counted, status_changes
from models.idempotency import replied
from models.ledger import posted
from models.outbox import queued_deliveries, written_events
from models.tables import PAYMENTS
from models.test_clocks import frozen_time_for
from runtime.batches import FLAG, ID, MOMENT, NUMBER, TEXT, batch, rows_of, seconds, word
from runtime.coalescer import Lane
from runtime.database import compile_sql

_BIG: sa.types.TypeEngine[Any] = sa.BigInteger()
_JSON: sa.types.TypeEngine[Any] = JSON()


class DecidedPayment(NamedTuple):
    """The answer to a pending payment, with its event and the reply its key will give."""

    id: UUID
    merchant_id: UUID
    livemode: bool
    attempt_id: UUID
    was: str
    status: str
    amount_authorized: int
    amount_captured: int
    # Of the captured amount (domain/fees.py), 0 where nothing was captured.
    fee: int
    captured_at: datetime | None
    network: str | None
    failure_code: str | None
    decline_code: str | None
    pending_reason: str | None
    resume_at: datetime | None
    risk_signals: RiskSignals | None
    key: UUID
    reply_status: int
    reply: Any
    event_id: UUID
    event_type: str
    object: Any
    request_id: str
    occurred_at: datetime


def _decide_statement() -> sa.Select[Any]:
    asked = rows_of(
        id=ID,
        merchant_id=ID,
        livemode=FLAG,
        attempt_id=ID,
        was=TEXT,
        status=TEXT,
        amount_authorized=_BIG,
        amount_captured=_BIG,
        fee=_BIG,
        captured_at=MOMENT,
        network=TEXT,
        failure_code=TEXT,
        decline_code=TEXT,
        pending_reason=TEXT,
        resume_at=MOMENT,
        risk_signals=_JSON,
        key=ID,
        reply_status=NUMBER,
        reply=_JSON,
        event_id=ID,
        event_type=TEXT,
        object=_JSON,
        request_id=TEXT,
        occurred_at=MOMENT,
    )
    changed = _changed_payments(asked)
    return sa.select(changed.c.object_id).add_cte(
        written_events(changed),
        queued_deliveries(changed),
        replied(changed, changed.c.reply),
        counted("payments", status_changes(changed, word("pending"))),
        *posted(_moved(changed)),
    )


def _moved(changed: sa.CTE) -> sa.CTE:
    """What the network's yes moves (domain/ledger.py): money, or the promise of it.

    A sale captures all that was authorised.
    """
    row = changed.c
    sold = row.status == word("captured")
    return (
        sa.select(
            row.merchant_id,
            row.livemode,
            sa.case((sold, word("capture")), else_=word("authorisation")).label("kind"),
            row.object_id.label("source_id"),
            row.amount_authorized.label("amount"),
            row.fee,
            row.currency,
        )
        .where(sa.or_(sold, row.status == word("authorized")))
        .cte("moved")
    )


def _expires_at(asked: sa.CTE) -> sa.ColumnElement[Any]:
    """When an authorisation ends, in business time; the clock is asked for no other payment."""
    business_now = sa.func.coalesce(frozen_time_for(asked), asked.c.occurred_at)
    lasts = seconds(AUTHORISATION_LASTS // timedelta(seconds=1))
    return sa.case((asked.c.status == word("authorized"), business_now + lasts))


def _changed_payments(asked: sa.CTE) -> sa.CTE:
    payment = PAYMENTS.c
    settled = (
        "status",
        "amount_authorized",
        "amount_captured",
        "captured_at",
        "network",
        "failure_code",
        "decline_code",
        "pending_reason",
        "resume_at",
        "risk_signals",
    )
    return (
        sa.update(PAYMENTS)
        .values({name: asked.c[name] for name in settled})
        .values(expires_at=_expires_at(asked))
        .values(event_sequence=payment.event_sequence + sa.literal_column("1"))
        .where(payment.id == asked.c.id, payment.merchant_id == asked.c.merchant_id)
        .where(payment.attempt_id == asked.c.attempt_id)
        # Compared with the row's own column, not with a constant: a constant would let a
        # plan made while the table is empty walk an index instead of the primary key.
        .where(payment.status == asked.c.was)
        # A payment that is queued already is not announced as queued again.
        .where(
            sa.or_(
                asked.c.status != word("pending"),
                payment.pending_reason.is_distinct_from(asked.c.pending_reason),
            )
        )
        .returning(
            payment.id.label("object_id"),
            payment.merchant_id,
            payment.livemode,
            payment.event_sequence.label("sequence"),
            payment.status,
            payment.amount_authorized,
            payment.currency,
            asked.c.fee,
            asked.c.event_id,
            asked.c.event_type,
            asked.c.object,
            asked.c.request_id,
            asked.c.occurred_at,
            asked.c.key,
            asked.c.reply_status,
            # A success is kept as the payment itself, which the event carries already.
            sa.func.coalesce(asked.c.reply, asked.c.object).label("reply"),
        )
        .cte("changed")
    )


DECIDE = compile_sql(_decide_statement())
_DECIDE_TEXT = DECIDE.text.encode()


async def decide_payments(lane: Lane, payments: Sequence[DecidedPayment]) -> list[bool]:
    """Write the answers; False for a payment that was no longer pending under its attempt."""
    rows = await lane.rows(_DECIDE_TEXT, {"rows": batch(payments), "slot": lane.slot})
    changed = {row["object_id"] for row in rows}
    return [payment.id in changed for payment in payments]
