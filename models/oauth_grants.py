"""What merchants granted to applications: codes, grants and refresh tokens."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models.inserting import insert_row
from models.tables import (
    MERCHANTS,
    OAUTH_CLIENTS,
    OAUTH_CODES,
    OAUTH_GRANTS,
    OAUTH_REFRESH_TOKENS,
    TEST_CLOCKS,
)
from runtime.batches import ID, MOMENT
from runtime.database import Row, Transaction, compile_sql

_MERCHANT = sa.bindparam("of_merchant", type_=ID)
_MODE = sa.bindparam("of_mode", type_=sa.Boolean)
_ID = sa.bindparam("of_id", type_=ID)
_NOW = sa.bindparam("now", type_=MOMENT)
_CODES, _GRANTS, _REFRESH = OAUTH_CODES.c, OAUTH_GRANTS.c, OAUTH_REFRESH_TOKENS.c
_THIS_CODE = (_CODES.id == _ID, _CODES.merchant_id == _MERCHANT)
_THIS_GRANT = (_GRANTS.id == _ID, _GRANTS.merchant_id == _MERCHANT)
_THIS_TOKEN = (
    _REFRESH.merchant_id == _MERCHANT,
    _REFRESH.digest == sa.bindparam("digest", type_=_REFRESH.digest.type),
)
_NOT_REVOKED = _GRANTS.revoked_at.is_(None)
_PERSON = sa.bindparam("of_user", type_=ID)

_INSERT_CODE = insert_row(OAUTH_CODES, "used_at")
_INSERT_GRANT = insert_row(OAUTH_GRANTS, "revoked_at", answered=True)
_INSERT_TOKEN = insert_row(OAUTH_REFRESH_TOKENS, "used_at")
# The code and the token themselves say no mode: their ids are looked up before it is known.
_LOCK_CODE = compile_sql(sa.select(OAUTH_CODES).where(*_THIS_CODE).with_for_update())
_USE_CODE = compile_sql(sa.update(OAUTH_CODES).values(used_at=_NOW).where(*_THIS_CODE))
_LOCK_GRANT = compile_sql(sa.select(OAUTH_GRANTS).where(*_THIS_GRANT).with_for_update())
_FIND_GRANT = compile_sql(
    sa.select(OAUTH_GRANTS).where(*_THIS_GRANT, _GRANTS.livemode == _MODE, _NOT_REVOKED)
)
_REVOKE = compile_sql(
    sa.update(OAUTH_GRANTS).values(revoked_at=_NOW).where(*_THIS_GRANT, _NOT_REVOKED)
)
_REVOKE_OF_PERSON = compile_sql(
    sa.update(OAUTH_GRANTS)
    .values(revoked_at=_NOW)
    .where(_GRANTS.merchant_id == _MERCHANT, _GRANTS.user_id == _PERSON, _NOT_REVOKED)
)
_DELETE_CODES_OF_PERSON = compile_sql(
    sa.delete(OAUTH_CODES).where(_CODES.merchant_id == _MERCHANT, _CODES.user_id == _PERSON)
)
_COUNT = compile_sql(
    sa.select(sa.func.count().label("count"))
    .select_from(OAUTH_GRANTS)
    .where(_GRANTS.merchant_id == _MERCHANT, _GRANTS.livemode == _MODE, _NOT_REVOKED)
)
_FIND_TOKEN = compile_sql(sa.select(OAUTH_REFRESH_TOKENS).where(*_THIS_TOKEN))
_USE_TOKEN = compile_sql(sa.update(OAUTH_REFRESH_TOKENS).values(used_at=_NOW).where(*_THIS_TOKEN))
_OVER = sa.bindparam("before", type_=MOMENT)
_DELETE_CODES = compile_sql(sa.delete(OAUTH_CODES).where(_CODES.expires_at < _OVER))
_DELETE_TOKENS = compile_sql(sa.delete(OAUTH_REFRESH_TOKENS).where(_REFRESH.expires_at < _OVER))
_READ_STANDING = compile_sql(
    sa.select(
        _GRANTS.id,
        _GRANTS.merchant_id,
        _GRANTS.livemode,
        _GRANTS.client_id,
        _GRANTS.user_id,
        _GRANTS.revoked_at,
        OAUTH_CLIENTS.c.deleted_at.label("client_deleted_at"),
        MERCHANTS.c.status.label("merchant_status"),
        MERCHANTS.c.terminated_at.label("merchant_terminated_at"),
        MERCHANTS.c.api_version,
        MERCHANTS.c.rate_limit_multiplier,
        TEST_CLOCKS.c.frozen_time,
    )
    .join(MERCHANTS, MERCHANTS.c.id == _GRANTS.merchant_id)
    .join(OAUTH_CLIENTS, OAUTH_CLIENTS.c.id == _GRANTS.client_id)
    .outerjoin(
        TEST_CLOCKS,
        sa.and_(
            TEST_CLOCKS.c.merchant_id == _GRANTS.merchant_id,
            TEST_CLOCKS.c.livemode == _GRANTS.livemode,
        ),
    )
    .where(*_THIS_GRANT)
)


async def read_standing(transaction: Transaction, merchant_id: UUID, grant_id: UUID) -> Row | None:
    """A grant with what the request path needs of its client, merchant and test clock."""
    return await transaction.maybe(_READ_STANDING, of_id=grant_id, of_merchant=merchant_id)


async def insert_code(transaction: Transaction, **columns: Any) -> None:
    """Store a code; the keywords are its columns."""
    await transaction.run(_INSERT_CODE, **columns)


async def lock_code(transaction: Transaction, merchant_id: UUID, code_id: UUID) -> Row | None:
    """A code; whoever else shows it waits until the transaction ends."""
    return await transaction.maybe(_LOCK_CODE, of_id=code_id, of_merchant=merchant_id)


async def use_code(transaction: Transaction, code: Row, now: datetime) -> Row:
    """Mark a locked code as used, and store the grant that comes of it; answers the grant."""
    of = {"of_id": code["id"], "of_merchant": code["merchant_id"]}
    await transaction.run(_USE_CODE, **of, now=now)
    kept = ("id", "merchant_id", "livemode", "client_id", "user_id", "scopes", "second_factor_at")
    columns = {name: code[name] for name in kept}
    return await transaction.one(_INSERT_GRANT, **columns, created_at=now)


async def lock_grant(transaction: Transaction, merchant_id: UUID, grant_id: UUID) -> Row | None:
    """A grant, revoked or not; its refresh tokens do not change until the transaction ends."""
    return await transaction.maybe(_LOCK_GRANT, of_id=grant_id, of_merchant=merchant_id)


async def find_grant(
    transaction: Transaction, merchant_id: UUID, livemode: bool, grant_id: UUID
) -> Row | None:
    """A grant of this merchant and mode that was not revoked."""
    of = {"of_id": grant_id, "of_merchant": merchant_id, "of_mode": livemode}
    return await transaction.maybe(_FIND_GRANT, **of)


async def revoke_grant(
    transaction: Transaction, merchant_id: UUID, grant_id: UUID, now: datetime
) -> bool:
    """End a grant with all its tokens; whether it was not ended before."""
    of = {"of_id": grant_id, "of_merchant": merchant_id, "now": now}
    return await transaction.run(_REVOKE, **of) > 0


async def end_grants_of(
    transaction: Transaction, merchant_id: UUID, user_id: UUID, now: datetime
) -> None:
    """End everything that this person consented to, codes on their way included."""
    of = {"of_merchant": merchant_id, "of_user": user_id}
    await transaction.run(_DELETE_CODES_OF_PERSON, **of)
    await transaction.run(_REVOKE_OF_PERSON, **of, now=now)


async def count_grants(transaction: Transaction, merchant_id: UUID, livemode: bool) -> int:
    """How many grants there are that were not revoked."""
    row = await transaction.one(_COUNT, of_merchant=merchant_id, of_mode=livemode)
    count: int = row["count"]
    return count


async def insert_refresh_token(transaction: Transaction, **columns: Any) -> None:
    """Store a refresh token's digest; the keywords are its columns."""
    await transaction.run(_INSERT_TOKEN, **columns)


async def find_refresh_token(
    transaction: Transaction, merchant_id: UUID, digest: bytes
) -> Row | None:
    """A refresh token of a grant that is locked, used or not."""
    return await transaction.maybe(_FIND_TOKEN, of_merchant=merchant_id, digest=digest)


async def use_refresh_token(
    transaction: Transaction, merchant_id: UUID, digest: bytes, now: datetime
) -> None:
    """Mark a refresh token as used."""
    await transaction.run(_USE_TOKEN, of_merchant=merchant_id, digest=digest, now=now)


async def delete_ended(transaction: Transaction, before: datetime) -> int:
    """Forget codes and refresh tokens that ended before this moment, whosever they are."""
    codes = await transaction.run(_DELETE_CODES, before=before)
    return codes + await transaction.run(_DELETE_TOKENS, before=before)
