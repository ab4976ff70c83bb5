"""What merchants handed in to be let into live mode: one row for each that did."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from models.tables import PRODUCTION_ACCESS as ACCESS
from models.tables import WEBHOOK_ENDPOINTS as ENDPOINTS
from runtime.batches import word
from runtime.database import Row, Transaction, compile_sql

_HANDED_IN = ("legal_entity", "pci_document", "file_digest", "kyc_reference", "created_at")
_THIS_ONE = ACCESS.c.merchant_id == sa.bindparam("of_merchant", type_=ACCESS.c.merchant_id.type)


def _handing_in() -> sa.sql.ClauseElement:
    given = {name: sa.bindparam(name, type_=ACCESS.c[name].type) for name in _HANDED_IN}
    merchant = sa.bindparam("merchant_id", type_=ACCESS.c.merchant_id.type)
    inserting = insert(ACCESS).values(merchant_id=merchant, status=word("pending"), **given)
    # What is handed in again before the review takes the place of what was there.
    return inserting.on_conflict_do_update(
        index_elements=[ACCESS.c.merchant_id],
        set_={name: inserting.excluded[name] for name in _HANDED_IN},
    ).returning(*ACCESS.c)


def _giving_url() -> sa.sql.ClauseElement:
    names = ("id", "merchant_id", "livemode", "secret_sealed", "created_at")
    given = {name: sa.bindparam(name, type_=ENDPOINTS.c[name].type) for name in names}
    inserting = insert(ENDPOINTS).values(**given, is_merchant_url=sa.true(), status=word("enabled"))
    return inserting.on_conflict_do_update(
        index_elements=[ENDPOINTS.c.merchant_id, ENDPOINTS.c.livemode],
        index_where=ENDPOINTS.c.is_merchant_url,
        set_={"secret_sealed": inserting.excluded.secret_sealed},
    )


_HAND_IN = compile_sql(_handing_in())
_READ = compile_sql(sa.select(ACCESS).where(_THIS_ONE))
_APPROVE = compile_sql(
    sa.update(ACCESS)
    .values(
        status=word("approved"),
        approved_at=sa.bindparam("at", type_=ACCESS.c.approved_at.type),
    )
    .where(_THIS_ONE)
)
_TAKE = compile_sql(
    sa.update(ACCESS)
    .values(live_keys_taken_at=sa.bindparam("at", type_=ACCESS.c.live_keys_taken_at.type))
    .where(_THIS_ONE)
)
_GIVE_URL = compile_sql(_giving_url())


async def hand_in(transaction: Transaction, **columns: Any) -> Row:
    """Keep what a merchant hands in; the keywords are its columns."""
    return await transaction.one(_HAND_IN, **columns)


async def read_access(transaction: Transaction, merchant_id: UUID) -> Row | None:
    """What a merchant handed in, if it did."""
    return await transaction.maybe(_READ, of_merchant=merchant_id)


async def approve(transaction: Transaction, merchant_id: UUID, now: datetime) -> None:
    """The operator has let the merchant in."""
    await transaction.run(_APPROVE, of_merchant=merchant_id, at=now)


async def mark_keys_taken(
    transaction: Transaction, merchant_id: UUID, now: datetime | None
) -> None:
    """The live keys were handed out; None: they may be taken once more."""
    await transaction.run(_TAKE, of_merchant=merchant_id, at=now)


async def give_live_url(transaction: Transaction, **columns: Any) -> None:
    """The row of the merchant's own webhook URL in live mode, or a new secret for it.

    The keywords are id, merchant_id, livemode, secret, created_at.
    """
    await transaction.run(_GIVE_URL, **columns)
