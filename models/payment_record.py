"""The first commit of a payment: its key, its token and its pending record.

One statement for all the requests that wait (runtime/coalescer.py), safe to run twice
with the same rows: the idempotency key fences every change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA, JSON, insert

from domain.risk_signals import RiskSignals
from models.counting import counted
from models.tables import (
    CUSTOMERS,
    IDEMPOTENCY_KEYS,
    PAYMENT_METHODS,
    PAYMENTS,
    TOKEN_CLAIMS,
)
from runtime.batches import FLAG, ID, MOMENT, TEXT, batch, rows_of, word
from runtime.coalescer import Lane
from runtime.database import compile_sql

_BIG: sa.types.TypeEngine[Any] = sa.BigInteger()
_JSON: sa.types.TypeEngine[Any] = JSON()


class NewPayment(NamedTuple):
    """A payment to record as pending; `digest` is hex, `metadata` a JSON object."""

    id: UUID
    merchant_id: UUID
    livemode: bool
    amount: int
    currency: str
    capture: bool
    payment_method_id: UUID
    is_token: bool
    customer_id: UUID | None
    description: str | None
    metadata: dict[str, str]
    key: UUID
    digest: str
    attempt_id: UUID
    created_at: datetime
    resume_at: datetime
    risk_signals: RiskSignals


class Recorded(NamedTuple):
    """What became of a NewPayment.

    `recorded`: this very payment stands.  Otherwise `earlier` is the key's row when the
    key was there before, and the flags say which of the named things are missing.
    """

    recorded: bool
    earlier: "EarlierReply | None"
    method_found: bool
    customer_found: bool
    customer_id: UUID | None
    customer_fits: bool
    capture_fits: bool
    currency_fits: bool
    token_free: bool


@dataclass(frozen=True, slots=True)
class EarlierReply:
    """The row of an idempotency key: `status` and `reply` are None while it runs."""

    resource_id: UUID | None
    digest: bytes
    status: int | None
    reply: str | None
    # In the place of `reply` where it says something of a person.
    reply_sealed: bytes | None = None


def _record_statement() -> sa.Select[Any]:
    asked = rows_of(
        id=ID,
        merchant_id=ID,
        livemode=FLAG,
        amount=_BIG,
        currency=TEXT,
        capture=FLAG,
        payment_method_id=ID,
        is_token=FLAG,
        customer_id=ID,
        description=TEXT,
        metadata=_JSON,
        key=ID,
        digest=TEXT,
        attempt_id=ID,
        created_at=MOMENT,
        resume_at=MOMENT,
        risk_signals=_JSON,
    )
    looked = _looked_up(asked)
    fit = (
        sa.select(looked)
        .where(looked.c.earlier_digest.is_(None), looked.c.method_found)
        .where(looked.c.customer_found, looked.c.customer_fits, looked.c.capture_fits)
        .where(looked.c.currency_fits, looked.c.token_free)
        .cte("fit")
    )
    claimed = _claimed(fit)
    mine = fit.join(claimed, claimed.c.resource_id == fit.c.id)
    paid = _paid(fit, mine)
    tokens = _claimed_tokens(fit, mine)
    pending = sa.select(
        paid.c.merchant_id,
        paid.c.livemode,
        word("pending").label("status"),
        sa.literal_column("1").label("delta"),
    )
    return (
        sa.select(
            looked.c.id,
            paid.c.id.is_not(None).label("recorded"),
            looked.c.earlier_resource,
            looked.c.earlier_digest,
            looked.c.earlier_status,
            looked.c.earlier_reply,
            looked.c.method_found,
            looked.c.customer_found,
            looked.c.owner.label("customer_id"),
            looked.c.customer_fits,
            looked.c.capture_fits,
            looked.c.currency_fits,
            looked.c.token_free,
        )
        .select_from(looked.outerjoin(paid, paid.c.id == looked.c.id))
        .add_cte(tokens, counted("payments", [pending]))
    )


def _attached(asked: sa.CTE) -> sa.ColumnElement[bool]:
    method = PAYMENT_METHODS.c
    here = sa.and_(method.livemode == asked.c.livemode, method.detached_at.is_(None))
    return sa.and_(method.id.is_not(None), here)


def _looked_up(asked: sa.CTE) -> sa.CTE:
    """Each row beside what it names: its key's earlier row, method, customer, token claim.

    Joined by primary keys alone, all else is asked of what was found: a plan made while a
    table is empty must have no other index to choose.
    """
    key, method = IDEMPOTENCY_KEYS.c, PAYMENT_METHODS.c
    customer, claim = CUSTOMERS.c, TOKEN_CLAIMS.c
    same_key = sa.and_(
        key.key == asked.c.key,
        key.merchant_id == asked.c.merchant_id,
        key.livemode == asked.c.livemode,
    )
    same_method = sa.and_(
        method.id == asked.c.payment_method_id, method.merchant_id == asked.c.merchant_id
    )
    same_claim = sa.and_(
        claim.token_id == asked.c.payment_method_id,
        claim.merchant_id == asked.c.merchant_id,
    )
    same_customer = sa.and_(
        customer.id == asked.c.customer_id,
        customer.merchant_id == asked.c.merchant_id,
    )
    sources = (
        asked.outerjoin(IDEMPOTENCY_KEYS, same_key)
        .outerjoin(PAYMENT_METHODS, same_method)
        .outerjoin(TOKEN_CLAIMS, same_claim)
        .outerjoin(CUSTOMERS, same_customer)
    )
    return (
        sa.select(
            asked,
            key.resource_id.label("earlier_resource"),
            key.digest.label("earlier_digest"),
            key.status.label("earlier_status"),
            key.reply.cast(sa.Text).label("earlier_reply"),
            sa.or_(asked.c.is_token, _attached(asked)).label("method_found"),
            sa.or_(
                asked.c.customer_id.is_(None),
                sa.and_(
                    sa.func.coalesce(customer.livemode == asked.c.livemode, sa.false()),
                    customer.deleted_at.is_(None),
                ),
            ).label("customer_found"),
            # Money of a bank account cannot be held: it is a sale or nothing.
            sa.or_(asked.c.capture, method.type.is_distinct_from(word("bank_account"))).label(
                "capture_fits"
            ),
            sa.func.coalesce(method.currency == asked.c.currency, sa.true()).label("currency_fits"),
            # A saved method brings its customer; a token has the one that was named.
            sa.func.coalesce(method.customer_id, asked.c.customer_id).label("owner"),
            sa.func.coalesce(method.customer_id == asked.c.customer_id, sa.true()).label(
                "customer_fits"
            ),
            claim.token_id.is_(None).label("token_free"),
        )
        .select_from(sources)
        .cte("looked")
    )


def _claimed(fit: sa.CTE) -> sa.CTE:
    key = IDEMPOTENCY_KEYS.c
    names = ["key", "merchant_id", "livemode", "digest", "resource_id", "created_at"]
    chosen = sa.select(
        fit.c.key,
        fit.c.merchant_id,
        fit.c.livemode,
        sa.func.decode(fit.c.digest, word("hex")).cast(BYTEA),
        fit.c.id,
        fit.c.created_at,
    ).order_by(fit.c.merchant_id, fit.c.key)
    return (
        insert(IDEMPOTENCY_KEYS)
        .from_select(names, chosen)
        .on_conflict_do_nothing()
        .returning(key.resource_id)
        .cte("claimed")
    )


def _paid(fit: sa.CTE, mine: sa.Join) -> sa.CTE:
    columns: dict[str, sa.ColumnElement[Any]] = {
        name: fit.c[name]
        for name in (
            "id",
            "merchant_id",
            "livemode",
            "amount",
            "currency",
            "capture",
            "payment_method_id",
            "is_token",
            "description",
            "metadata",
            "attempt_id",
            "created_at",
            "resume_at",
            "risk_signals",
        )
    }
    columns |= {
        "customer_id": fit.c.owner,
        "idempotency_key": fit.c.key,
        "status": word("pending"),
    }
    return (
        insert(PAYMENTS)
        .from_select(
            list(columns),
            sa.select(*columns.values()).select_from(mine),
            include_defaults=False,
        )
        .returning(PAYMENTS.c.id, PAYMENTS.c.merchant_id, PAYMENTS.c.livemode)
        .cte("paid")
    )


def _claimed_tokens(fit: sa.CTE, mine: sa.Join) -> sa.CTE:
    # No ON CONFLICT: two payments that race for one token make the batch fail, and each
    # row alone then sees the winner's claim.
    chosen = (
        sa.select(fit.c.payment_method_id, fit.c.merchant_id, fit.c.livemode, fit.c.id)
        .select_from(mine)
        .where(fit.c.is_token)
    )
    names = ["token_id", "merchant_id", "livemode", "claimed_by"]
    return insert(TOKEN_CLAIMS).from_select(names, chosen).cte("tokens")


RECORD = compile_sql(_record_statement())
_RECORD_TEXT = RECORD.text.encode()


async def record_payments(lane: Lane, payments: Sequence[NewPayment]) -> list[Recorded]:
    """Claim keys and tokens and write the pending payments; one answer per row."""
    rows = await lane.rows(_RECORD_TEXT, {"rows": batch(payments), "slot": lane.slot})
    found = {row["id"]: row for row in rows}
    return [_recorded(payment, found[payment.id]) for payment in payments]


def _recorded(payment: NewPayment, row: dict[str, Any]) -> Recorded:
    earlier = None
    if row["earlier_digest"] is not None:
        earlier = EarlierReply(
            row["earlier_resource"],
            row["earlier_digest"],
            row["earlier_status"],
            row["earlier_reply"],
        )
    return Recorded(
        # The statement may have run before, its answer lost with the connection.
        recorded=row["recorded"] or row["earlier_resource"] == payment.id,
        earlier=earlier,
        method_found=row["method_found"],
        customer_found=row["customer_found"],
        customer_id=row["customer_id"],
        customer_fits=row["customer_fits"],
        capture_fits=row["capture_fits"],
        currency_fits=row["currency_fits"],
        token_free=row["token_free"],
    )
