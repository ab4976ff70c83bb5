"""Chargebacks: kept as the networks tell of them, told until they are acknowledged."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from contract import relay
from runtime.batches import ID, MOMENT, TEXT, word
from runtime.database import Database, Row, compile_sql
from vault.store.begin import DRAW
from vault.store.tables import attempts, chargebacks

_NAMED = sa.and_(
    chargebacks.c.id == sa.bindparam("of_id", type_=ID),
    chargebacks.c.merchant_id == sa.bindparam("of_merchant", type_=ID),
    chargebacks.c.livemode == sa.bindparam("of_mode", type_=sa.Boolean()),
)


def _keep() -> sa.sql.ClauseElement:
    given = {
        column.name: sa.bindparam(column.name, type_=column.type)
        for column in chargebacks.c
        if column.name != "acknowledged"
    }
    keeping = insert(chargebacks).values(**given)
    # The first decision stands, whatever is told after it.
    forward = sa.and_(chargebacks.c.state == word("open"), keeping.excluded.state != word("open"))
    return keeping.on_conflict_do_update(
        index_elements=[chargebacks.c.id, chargebacks.c.merchant_id],
        set_={"state": keeping.excluded.state},
        where=forward,
    )


_KEEP = compile_sql(_keep())
_UNTOLD = compile_sql(
    sa.select(chargebacks)
    .where(chargebacks.c.acknowledged.is_distinct_from(chargebacks.c.state))
    .where(
        sa.tuple_(chargebacks.c.opened_at, chargebacks.c.id)
        > sa.tuple_(
            sa.bindparam("after", type_=MOMENT),
            sa.bindparam("after_id", type_=ID),
            types=[MOMENT, ID],
        )
    )
    .order_by(chargebacks.c.opened_at, chargebacks.c.id)
    .limit(sa.bindparam("limit", type_=sa.Integer()))
)
_ACKNOWLEDGE = compile_sql(
    sa.update(chargebacks).values(acknowledged=sa.bindparam("state", type_=TEXT)).where(_NAMED)
)
_LOOK = compile_sql(sa.select(chargebacks).where(_NAMED))
_NETWORK = compile_sql(
    sa.select(attempts.c.network)
    .where(
        attempts.c.payment_id == sa.bindparam("payment_id", type_=ID),
        attempts.c.merchant_id == sa.bindparam("merchant_id", type_=ID),
        attempts.c.operation.in_([word("authorise"), word(DRAW)]),
        attempts.c.outcome == word("approved"),
    )
    .order_by(attempts.c.id.desc())
    .limit(sa.literal_column("1"))
)


class ChargebackStore:
    """The vault's own books of chargebacks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, told: Sequence[relay.Chargeback]) -> None:
        """Commit what the networks told; what is there already only moves forward."""
        async with self._database.transaction() as transaction:
            for chargeback in sorted(told, key=lambda each: each.id):
                await transaction.run(_KEEP, **_row(chargeback))

    async def untold(self, request: relay.ListChargebacks) -> list[relay.Chargeback]:
        """Up to `limit` chargebacks whose state was not acknowledged, oldest first."""
        async with self._database.transaction() as transaction:
            rows = await transaction.all(
                _UNTOLD,
                limit=request.limit,
                after=_moment(request.after_ms),
                after_id=request.after_id,
            )
        return [_chargeback(row) for row in rows]

    async def acknowledge(self, request: relay.AcknowledgeChargeback) -> None:
        """Commit that this state is known; a newer one is still told."""
        async with self._database.transaction() as transaction:
            await transaction.run(_ACKNOWLEDGE, **_name_of(request), state=request.state)

    async def look(
        self, request: relay.Represent | relay.RuleOnChargeback
    ) -> relay.Chargeback | None:
        """The chargeback that is spoken of, of this merchant and mode."""
        async with self._database.transaction() as transaction:
            row = await transaction.maybe(_LOOK, **_name_of(request))
        return None if row is None else _chargeback(row)

    async def network_of(self, merchant_id: UUID, payment_id: UUID) -> str | None:
        """The network that approved a payment, or its draw on a hold; None where none did."""
        async with self._database.transaction() as transaction:
            row = await transaction.maybe(_NETWORK, merchant_id=merchant_id, payment_id=payment_id)
        return None if row is None else str(row["network"])


def _name_of(
    request: relay.AcknowledgeChargeback | relay.Represent | relay.RuleOnChargeback,
) -> dict[str, UUID | bool]:
    return {
        "of_id": request.chargeback_id,
        "of_merchant": request.merchant_id,
        "of_mode": request.livemode,
    }


def _row(chargeback: relay.Chargeback) -> dict[str, Any]:
    return {
        "id": chargeback.id,
        "merchant_id": chargeback.merchant_id,
        "livemode": chargeback.livemode,
        "payment_id": chargeback.payment_id,
        "amount": chargeback.amount,
        "currency": chargeback.currency,
        "reason": chargeback.reason,
        "state": chargeback.state,
        "opened_at": _moment(chargeback.opened_at_ms),
    }


def _moment(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)


def _chargeback(row: Row) -> relay.Chargeback:
    opened_at: datetime = row["opened_at"]
    return relay.Chargeback(
        id=row["id"],
        merchant_id=row["merchant_id"],
        livemode=row["livemode"],
        payment_id=row["payment_id"],
        amount=row["amount"],
        currency=row["currency"],
        reason=row["reason"],
        state=row["state"],
        opened_at_ms=round(opened_at.timestamp() * 1000),
    )
