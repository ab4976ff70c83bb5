"""New tokens, and what an Idempotency-Key at the token door stands for: one statement for
many requests, one commit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from runtime.batches import FLAG, ID, MOMENT, NUMBER, TEXT, batch, rows_of, text_of, word
from runtime.coalescer import Coalescer, Lane, lanes
from runtime.database import DatabaseUnavailable, Row
from vault.store.tables import instruments, token_requests

LOOKS_AT_A_RACE = 3


class NewToken(NamedTuple):
    """One request for a token: what to store, or the refusal to remember under its key."""

    id: UUID
    merchant_id: UUID
    livemode: bool
    request_key: UUID | None
    digest: str
    created_at: datetime
    expires_at: datetime
    refusal: str | None = None
    type: Literal["card", "bank_account", "wallet"] | None = None
    # The sealed number, base64: bytes do not travel in JSON.
    sealed: str | None = None
    key_version: int | None = None
    fingerprint: str | None = None
    network: str | None = None
    brand: str | None = None
    last_four: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None


class TokenReply(NamedTuple):
    """What the request is answered with: the row stored now, or what the key stood for."""

    token_id: UUID
    refusal: str | None
    digest: str
    replayed: bool


def _store() -> bytes:
    asked = rows_of(
        id=ID,
        merchant_id=ID,
        livemode=FLAG,
        request_key=ID,
        digest=TEXT,
        refusal=TEXT,
        type=TEXT,
        sealed=TEXT,
        key_version=NUMBER,
        fingerprint=TEXT,
        network=TEXT,
        brand=TEXT,
        last_four=TEXT,
        exp_month=NUMBER,
        exp_year=NUMBER,
        created_at=MOMENT,
        expires_at=MOMENT,
    )
    claimed = _claim(asked)
    mine = sa.and_(
        # By the row, not by the key: one batch may bring a key twice.
        claimed.c.token_id == asked.c.id,
        claimed.c.merchant_id == asked.c.merchant_id,
    )
    made = _make(asked, claimed, mine)
    earlier = token_requests.alias("earlier")
    same_key = sa.and_(
        earlier.c.key == asked.c.request_key,
        earlier.c.merchant_id == asked.c.merchant_id,
        earlier.c.livemode == asked.c.livemode,
    )
    return text_of(
        sa.select(
            asked.c.id,
            asked.c.merchant_id,
            (claimed.c.token_id.isnot(None)).label("claimed"),
            (made.c.id.isnot(None)).label("made"),
            earlier.c.token_id,
            earlier.c.refusal,
            earlier.c.digest,
        ).select_from(
            asked.outerjoin(claimed, mine)
            .outerjoin(made, sa.and_(made.c.id == asked.c.id))
            .outerjoin(earlier, same_key)
        )
    )


def _claim(asked: sa.CTE) -> sa.CTE:
    written = {
        "key": asked.c.request_key,
        "merchant_id": asked.c.merchant_id,
        "livemode": asked.c.livemode,
        "digest": asked.c.digest,
        "token_id": asked.c.id,
        "refusal": asked.c.refusal,
        "created_at": asked.c.created_at,
    }
    chosen = sa.select(*written.values()).where(asked.c.request_key.isnot(None))
    return (
        insert(token_requests)
        .from_select(list(written), chosen, include_defaults=False)
        .on_conflict_do_nothing()
        .returning(token_requests.c.token_id, token_requests.c.merchant_id)
        .cte("claimed")
    )


def _make(asked: sa.CTE, claimed: sa.CTE, mine: sa.ColumnElement[bool]) -> sa.CTE:
    same = [
        "id",
        "merchant_id",
        "livemode",
        "type",
        "key_version",
        "fingerprint",
        "network",
        "brand",
        "last_four",
        "exp_month",
        "exp_year",
        "created_at",
        "expires_at",
    ]
    written: dict[str, sa.ColumnElement[Any]] = {name: asked.c[name] for name in same}
    written["state"] = word("token")
    written["ciphertext"] = sa.func.decode(asked.c.sealed, word("base64"))
    chosen = (
        sa.select(*written.values())
        .select_from(asked.outerjoin(claimed, mine))
        .where(
            asked.c.refusal.is_(None),
            sa.or_(asked.c.request_key.is_(None), claimed.c.token_id.isnot(None)),
        )
    )
    return (
        insert(instruments)
        .from_select(list(written), chosen, include_defaults=False)
        .on_conflict_do_nothing()
        .returning(instruments.c.id)
        .cte("made")
    )


_STORE = _store()


class TokenStore:
    """Stores tokens; two requests with one key get one token."""

    def __init__(self, dsn: str) -> None:
        self._store: Coalescer[NewToken, Row] = Coalescer(
            _run, lanes(dsn, 0), sort_key=lambda row: (row.request_key or row.id, row.merchant_id)
        )

    async def close(self) -> None:
        """Finish what waits and close the connections."""
        await self._store.close()

    async def store(self, row: NewToken) -> TokenReply:
        """Store the token, or answer what its key stood for already."""
        for _ in range(LOOKS_AT_A_RACE):
            found = await self._store.submit(row)
            if found["digest"] is not None:
                replayed = found["token_id"] != row.id
                return TokenReply(found["token_id"], found["refusal"], found["digest"], replayed)
            if found["claimed"] or row.request_key is None:
                return TokenReply(row.id, row.refusal, row.digest, False)
            # Another request has the key and was not committed when this statement began.
        raise DatabaseUnavailable


async def _run(lane: Lane, rows: Sequence[NewToken]) -> list[Row]:
    found = await lane.rows(_STORE, {"rows": batch(rows)})
    by_id = {row["id"]: row for row in found}
    return [by_id[row.id] for row in rows]
