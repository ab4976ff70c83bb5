"""Webhook endpoints of one merchant in one mode.

The merchant's own `webhook_url` is a row that is there from birth; it is an endpoint that
can be seen while it has a URL.  That row is also the lock under which endpoints are
counted and added.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from models.paging import Page, PageQuery, cut_page
from models.tables import WEBHOOK_ENDPOINTS as ENDPOINTS
from runtime.batches import word
from runtime.database import Row, Transaction, compile_sql

_SCOPE = (
    ENDPOINTS.c.merchant_id == sa.bindparam("of_merchant", type_=ENDPOINTS.c.merchant_id.type),
    ENDPOINTS.c.livemode == sa.bindparam("of_mode", type_=ENDPOINTS.c.livemode.type),
)
_VISIBLE = (*_SCOPE, ENDPOINTS.c.deleted_at.is_(None), ENDPOINTS.c.url.is_not(None))
_THIS_ONE = (ENDPOINTS.c.id == sa.bindparam("of_id", type_=ENDPOINTS.c.id.type), *_VISIBLE)
_MERCHANT_URL = (*_SCOPE, ENDPOINTS.c.is_merchant_url)


def _given(*names: str) -> dict[str, sa.BindParameter[Any]]:
    return {name: sa.bindparam(name, type_=ENDPOINTS.c[name].type) for name in names}


_LOCK = compile_sql(
    sa.select(ENDPOINTS.c.id, ENDPOINTS.c.url).where(*_MERCHANT_URL).with_for_update()
)
_MERCHANT_URL_OF = compile_sql(sa.select(ENDPOINTS.c.url).where(*_MERCHANT_URL))
_MERCHANT_URLS_OF = compile_sql(
    sa.select(ENDPOINTS.c.merchant_id, ENDPOINTS.c.url).where(
        ENDPOINTS.c.merchant_id
        == sa.func.any(sa.bindparam("merchants", type_=ARRAY(ENDPOINTS.c.merchant_id.type))),
        ENDPOINTS.c.livemode == sa.bindparam("of_mode", type_=ENDPOINTS.c.livemode.type),
        ENDPOINTS.c.is_merchant_url,
    )
)
_COUNT = compile_sql(sa.select(sa.func.count().label("count")).where(*_VISIBLE))
_ALL = compile_sql(sa.select(ENDPOINTS).where(*_VISIBLE))
_READ = compile_sql(sa.select(ENDPOINTS).where(*_THIS_ONE))
_LOCK_ONE = compile_sql(sa.select(ENDPOINTS).where(*_THIS_ONE).with_for_update())
_NEXT_REVISION = ENDPOINTS.c.revision + sa.literal_column("1")
_CHANGED = ("url", "enabled_events", "api_version", "description", "status", "failing_since")
_SAVE = compile_sql(
    sa.update(ENDPOINTS)
    .values(**_given(*_CHANGED), revision=_NEXT_REVISION)
    .where(*_THIS_ONE)
    .returning(ENDPOINTS)
)
_ROLL = compile_sql(
    sa.update(ENDPOINTS)
    .values(
        **_given("secret_sealed", "previous_secret_until"),
        previous_secret_sealed=ENDPOINTS.c.secret_sealed,
        revision=_NEXT_REVISION,
    )
    .where(*_THIS_ONE)
    .returning(ENDPOINTS)
)
_INSERT = compile_sql(
    insert(ENDPOINTS)
    .values(
        _given(
            "id",
            "merchant_id",
            "livemode",
            "url",
            "enabled_events",
            "api_version",
            "description",
            "secret_sealed",
            "created_at",
        )
        | {"status": word("enabled")}
    )
    .returning(*ENDPOINTS.c)
)
# The row of the merchant's URL outlives its URL: it is the lock, and keeps its secret.
_DELETE = compile_sql(
    sa.update(ENDPOINTS)
    .values(
        deleted_at=sa.case(
            (ENDPOINTS.c.is_merchant_url, sa.null()), else_=_given("deleted_at")["deleted_at"]
        ),
        url=sa.case((ENDPOINTS.c.is_merchant_url, sa.null()), else_=ENDPOINTS.c.url),
    )
    .where(*_THIS_ONE)
    .returning(ENDPOINTS.c.id)
)
_SET_MERCHANT_URL = compile_sql(
    sa.update(ENDPOINTS)
    .values(
        **_given("url"),
        status=word("enabled"),
        failing_since=sa.null(),
        revision=_NEXT_REVISION,
    )
    .where(*_MERCHANT_URL)
)


def _scope(merchant_id: UUID, livemode: bool) -> dict[str, Any]:
    return {"of_merchant": merchant_id, "of_mode": livemode}


async def lock_endpoints(transaction: Transaction, merchant_id: UUID, livemode: bool) -> Row:
    """Wait for everybody else who adds endpoints here; answers the merchant URL's id and url."""
    return await transaction.one(_LOCK, **_scope(merchant_id, livemode))


async def merchant_url(transaction: Transaction, merchant_id: UUID, livemode: bool) -> str | None:
    """The merchant's `webhook_url` in this mode; also None where the mode has none yet."""
    row = await transaction.maybe(_MERCHANT_URL_OF, **_scope(merchant_id, livemode))
    return None if row is None else row["url"]


async def merchant_urls(
    transaction: Transaction, merchants: Sequence[UUID], livemode: bool
) -> dict[UUID, str | None]:
    """The `webhook_url` of each of these merchants in one mode, for the operator's list."""
    rows = await transaction.all(_MERCHANT_URLS_OF, merchants=list(merchants), of_mode=livemode)
    return {row["merchant_id"]: row["url"] for row in rows}


async def set_merchant_url(
    transaction: Transaction, merchant_id: UUID, livemode: bool, url: str | None
) -> None:
    """Give the merchant's own endpoint a URL, or none."""
    await transaction.run(_SET_MERCHANT_URL, url=url, **_scope(merchant_id, livemode))


async def count_endpoints(transaction: Transaction, merchant_id: UUID, livemode: bool) -> int:
    """How many endpoints there are."""
    row = await transaction.one(_COUNT, **_scope(merchant_id, livemode))
    count: int = row["count"]
    return count


async def insert_endpoint(transaction: Transaction, **columns: Any) -> Row:
    """Add an enabled endpoint; the keywords are its columns."""
    return await transaction.one(_INSERT, **columns)


async def read_endpoint(
    transaction: Transaction, merchant_id: UUID, livemode: bool, endpoint_id: UUID
) -> Row | None:
    """One endpoint, if it is there."""
    return await transaction.maybe(_READ, of_id=endpoint_id, **_scope(merchant_id, livemode))


async def lock_endpoint(
    transaction: Transaction, merchant_id: UUID, livemode: bool, endpoint_id: UUID
) -> Row | None:
    """One endpoint, held against other changes until the transaction ends."""
    return await transaction.maybe(_LOCK_ONE, of_id=endpoint_id, **_scope(merchant_id, livemode))


async def save_endpoint(transaction: Transaction, endpoint: Row, changed: dict[str, Any]) -> Row:
    """Write all of `changed` to a locked endpoint, under its next revision.

    `changed` has the columns that domain.webhook_endpoints.merged gives.
    """
    scope = _scope(endpoint["merchant_id"], endpoint["livemode"])
    return await transaction.one(_SAVE, of_id=endpoint["id"], **changed, **scope)


async def roll_secret(
    transaction: Transaction, endpoint: Row, secret_sealed: bytes, previous_until: datetime
) -> Row:
    """Give a locked endpoint a new secret; the present one signs until `previous_until`."""
    return await transaction.one(
        _ROLL,
        of_id=endpoint["id"],
        secret_sealed=secret_sealed,
        previous_secret_until=previous_until,
        **_scope(endpoint["merchant_id"], endpoint["livemode"]),
    )


async def delete_endpoint(
    transaction: Transaction, merchant_id: UUID, livemode: bool, endpoint_id: UUID, now: Any
) -> bool:
    """Delete one endpoint; False when it is not there."""
    scope = _scope(merchant_id, livemode)
    row = await transaction.maybe(_DELETE, of_id=endpoint_id, deleted_at=now, **scope)
    return row is not None


async def read_endpoints(
    transaction: Transaction, merchant_id: UUID, livemode: bool, query: PageQuery
) -> tuple[Page, int]:
    """One page, and how many endpoints the filters and the bounds of time leave.

    There are at most 16, so they are all read and the page is cut here.
    """
    every = await transaction.all(_ALL, **_scope(merchant_id, livemode))
    wanted = query.filters.items()
    chosen = [row for row in every if all(row[name] == value for name, value in wanted)]
    return cut_page(chosen, query)
