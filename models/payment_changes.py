"""Changing one payment under its row lock: captures, cancellations, refunds, recovery.

The row is locked, the rules decide on what it says, and it is saved; two changes of one
payment never see the same state.
"""

from typing import Any

import sqlalchemy as sa

from domain import ledger
from domain.remembering import payment_changed
from models import counting
from models.ledger import post
from models.payment_reads import PaymentKey
from models.tables import IDEMPOTENCY_KEYS, PAYMENTS, TOKEN_CLAIMS
from runtime.database import Row, Transaction, compile_sql

_MINE = (
    PAYMENTS.c.id == sa.bindparam("of_id", type_=PAYMENTS.c.id.type),
    PAYMENTS.c.merchant_id == sa.bindparam("of_merchant", type_=PAYMENTS.c.id.type),
    PAYMENTS.c.livemode == sa.bindparam("of_mode", type_=PAYMENTS.c.livemode.type),
)
_CHANGEABLE = (
    "status",
    "attempt_id",
    "network",
    "amount_authorized",
    "amount_captured",
    "amount_refunded",
    "amount_disputed",
    "failure_code",
    "decline_code",
    "pending_reason",
    "operation",
    "operation_amount",
    "operation_attempt_id",
    "operation_key",
    "event_sequence",
    "captured_at",
    "resume_at",
    "expires_at",
)
_LOCK = compile_sql(sa.select(PAYMENTS).where(*_MINE).with_for_update())
_SAVE = compile_sql(
    sa.update(PAYMENTS)
    .values({name: sa.bindparam(name, type_=PAYMENTS.c[name].type) for name in _CHANGEABLE})
    .where(*_MINE)
)
_DELETE = compile_sql(
    sa.delete(PAYMENTS)
    .where(*_MINE, PAYMENTS.c.status == "pending", PAYMENTS.c.pending_reason.is_(None))
    .where(PAYMENTS.c.attempt_id == sa.bindparam("of_attempt", type_=PAYMENTS.c.id.type))
    .returning(PAYMENTS.c.merchant_id, PAYMENTS.c.livemode)
)
_FREE_TOKEN = compile_sql(
    sa.delete(TOKEN_CLAIMS)
    .where(TOKEN_CLAIMS.c.claimed_by == sa.bindparam("of_id", type_=PAYMENTS.c.id.type))
    .where(TOKEN_CLAIMS.c.token_id == sa.bindparam("of_token", type_=PAYMENTS.c.id.type))
    .where(TOKEN_CLAIMS.c.merchant_id == sa.bindparam("of_merchant", type_=PAYMENTS.c.id.type))
)
_FREE_KEY = compile_sql(
    sa.delete(IDEMPOTENCY_KEYS)
    .where(IDEMPOTENCY_KEYS.c.key == sa.bindparam("of_key", type_=PAYMENTS.c.id.type))
    .where(IDEMPOTENCY_KEYS.c.merchant_id == sa.bindparam("of_merchant", type_=PAYMENTS.c.id.type))
    .where(IDEMPOTENCY_KEYS.c.livemode == sa.bindparam("of_mode", type_=sa.Boolean))
    .where(IDEMPOTENCY_KEYS.c.resource_id == sa.bindparam("of_id", type_=PAYMENTS.c.id.type))
    .where(IDEMPOTENCY_KEYS.c.status.is_(None))
)


def _of(key: PaymentKey) -> dict[str, Any]:
    return {"of_id": key.id, "of_merchant": key.merchant_id, "of_mode": key.livemode}


def key_of(payment: Row) -> PaymentKey:
    """The key of a payment's row."""
    return PaymentKey(payment["id"], payment["merchant_id"], payment["livemode"])


async def lock_payment(transaction: Transaction, key: PaymentKey) -> Row | None:
    """The payment's row, locked until the transaction ends."""
    return await transaction.maybe(_LOCK, **_of(key))


async def save_payment(transaction: Transaction, before: Row, after: Row) -> None:
    """Save a locked payment, count it under its new status, and post what it moved."""
    values = {name: after[name] for name in _CHANGEABLE}
    change = payment_changed(before, after)
    if change is not None:
        transaction.note(change)
    async with transaction.together():
        await transaction.run(_SAVE, **_of(key_of(before)), **values)
        if before["status"] != after["status"]:
            moved = {before["status"]: -1, after["status"]: 1}
            await counting.add(transaction, before, "payments", moved)
        await post(transaction, after, ledger.of_payment(before, after))


async def withdraw_payment(transaction: Transaction, payment: Row) -> bool:
    """Undo the record of a payment that the network was certainly never asked for.

    The key and the token are free again; False when the payment went on without us.
    """
    key = key_of(payment)
    row = await transaction.maybe(_DELETE, of_attempt=payment["attempt_id"], **_of(key))
    if row is None:
        return False
    await transaction.run(
        _FREE_KEY,
        of_id=key.id,
        of_key=payment["idempotency_key"],
        of_merchant=key.merchant_id,
        of_mode=key.livemode,
    )
    if payment["is_token"]:
        await transaction.run(
            _FREE_TOKEN,
            of_id=key.id,
            of_token=payment["payment_method_id"],
            of_merchant=key.merchant_id,
        )
    await counting.add(transaction, row, "payments", {"pending": -1})
    return True


def event_fields(payment: Row, shown: str) -> dict[str, Any]:
    """What an event about a payment says of it."""
    return {
        "merchant_id": payment["merchant_id"],
        "livemode": payment["livemode"],
        "object_id": payment["id"],
        "sequence": payment["event_sequence"],
        "object": shown,
    }
