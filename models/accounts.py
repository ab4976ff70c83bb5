"""Merchants and their keys: opening an account, reading a key."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from domain.payouts import next_run
from models import counting
from models.inserting import insert_row
from models.payouts import insert_schedules
from models.tables import API_KEYS, MERCHANTS, PLATFORM_KEYS, TEST_CLOCKS, WEBHOOK_ENDPOINTS
from runtime.database import Row, Transaction, compile_sql

INSERT_MERCHANT = insert_row(
    MERCHANTS, "terminated_at", "revision", "rate_limit_multiplier", answered=True
)
INSERT_KEY = insert_row(API_KEYS, "suspended_at", "revoked_at", "flagged_at")
INSERT_ENDPOINT = insert_row(
    WEBHOOK_ENDPOINTS,
    "url",
    "enabled_events",
    "api_version",
    "description",
    "deleted_at",
    "revision",
    "previous_secret_sealed",
    "previous_secret_until",
    "failing_since",
)
INSERT_PLATFORM_KEY = insert_row(PLATFORM_KEYS)

_READ_KEY = compile_sql(
    sa.select(
        API_KEYS,
        MERCHANTS.c.status.label("merchant_status"),
        MERCHANTS.c.terminated_at.label("merchant_terminated_at"),
        MERCHANTS.c.api_version,
        MERCHANTS.c.rate_limit_multiplier,
        TEST_CLOCKS.c.frozen_time,
    )
    .join(MERCHANTS, MERCHANTS.c.id == API_KEYS.c.merchant_id)
    .outerjoin(
        TEST_CLOCKS,
        sa.and_(
            TEST_CLOCKS.c.merchant_id == API_KEYS.c.merchant_id,
            TEST_CLOCKS.c.livemode == API_KEYS.c.livemode,
        ),
    )
    .where(API_KEYS.c.id == sa.bindparam("id", type_=API_KEYS.c.id.type))
    .where(API_KEYS.c.merchant_id == sa.bindparam("merchant_id", type_=API_KEYS.c.id.type))
)
_READ_PLATFORM_KEY = compile_sql(
    sa.select(PLATFORM_KEYS).where(
        PLATFORM_KEYS.c.id == sa.bindparam("id", type_=PLATFORM_KEYS.c.id.type)
    )
)


# The operator's lists belong to no merchant; their totals are kept under this name.
NOBODY = UUID(int=0)
_OF_NOBODY = {"merchant_id": NOBODY, "livemode": False}


async def insert_merchant(transaction: Transaction, **columns: Any) -> Row:
    """Open an account, to be paid out to; the keywords are its columns.  Answers the row."""
    row = await transaction.one(INSERT_MERCHANT, **columns)
    await insert_schedules(transaction, row["id"], next_run(row["created_at"]))
    await counting.add(transaction, _OF_NOBODY, "merchants", {row["status"]: 1})
    return row


async def count_step(transaction: Transaction, before: str, after: str) -> None:
    """Keep the totals of merchants by status where one has changed its status."""
    await counting.add(transaction, _OF_NOBODY, "merchants", {before: -1, after: 1})


async def count_merchants(transaction: Transaction, status: str | None) -> int:
    """How many merchants there are, in one status or in all."""
    return await counting.total(transaction, NOBODY, False, "merchants", status)


async def read_key(transaction: Transaction, merchant_id: UUID, key_id: UUID) -> Row | None:
    """A merchant's key with the merchant's status, version and test clock."""
    return await transaction.maybe(_READ_KEY, id=key_id, merchant_id=merchant_id)


async def read_platform_key(transaction: Transaction, key_id: UUID) -> Row | None:
    """An operator's key."""
    return await transaction.maybe(_READ_PLATFORM_KEY, id=key_id)
