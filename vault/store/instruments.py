"""Instruments after they were tokenised: looked at, saved, erased."""

from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from contract import relay
from runtime.batches import seconds, word
from runtime.database import Database, Row, Transaction, compile_sql
from vault.store.tables import instruments, token_requests

ERASED_PER_STATEMENT = 1000
TOKEN_REQUESTS_KEPT_SECONDS = 48 * 3600
# By then the request that saved an instrument has written its row, or never will.
UNCONFIRMED_SECONDS = 3600

_NAMED = sa.and_(
    instruments.c.id == sa.bindparam("id"), instruments.c.merchant_id == sa.bindparam("merchant_id")
)
_EXPIRED = (instruments.c.expires_at <= sa.func.now()).label("expired")
_LOOK = compile_sql(sa.select(instruments, _EXPIRED).where(_NAMED))


def _save() -> sa.sql.ClauseElement:
    spent = (
        sa.update(instruments)
        .values(state=word("used"), used_by=sa.bindparam("method_id"), ciphertext=sa.null())
        .where(
            instruments.c.id == sa.bindparam("token_id"),
            instruments.c.merchant_id == sa.bindparam("merchant_id"),
            instruments.c.livemode == sa.bindparam("livemode"),
            instruments.c.state == word("token"),
            instruments.c.expires_at > sa.func.now(),
        )
        .returning(instruments)
        .cte("spent")
    )
    kept = ["merchant_id", "livemode", "type", "fingerprint", "network", "brand", "last_four"]
    renewed = ["exp_month", "exp_year"]
    written: dict[str, sa.ColumnElement[Any]] = {
        "id": sa.bindparam("method_id", type_=sa.Uuid()),
        "state": word("saved"),
        "ciphertext": sa.bindparam("ciphertext", type_=instruments.c.ciphertext.type),
        "key_version": sa.bindparam("key_version", type_=sa.Integer()),
        "created_at": sa.func.now(),
        **{name: spent.c[name] for name in [*kept, *renewed]},
    }
    saved = insert(instruments).from_select(
        list(written), sa.select(*written.values()), include_defaults=False
    )
    renewed_columns = ["ciphertext", "key_version", *renewed]
    return saved.on_conflict_do_update(
        index_elements=[instruments.c.id, instruments.c.merchant_id],
        # The same card once more: only what a renewed card changes is written.
        set_={name: saved.excluded[name] for name in renewed_columns},
        where=sa.and_(
            instruments.c.state == word("saved"),
            instruments.c.fingerprint == saved.excluded.fingerprint,
        ),
    ).returning(instruments.c.id)


_SAVE = compile_sql(_save())
_ERASE = compile_sql(
    sa.update(instruments)
    .values(state=word("erased"), ciphertext=sa.null())
    .where(_NAMED, instruments.c.livemode == sa.bindparam("livemode"))
)


def _overdue(
    table: sa.Table, key: tuple[sa.Column[UUID], ...], when: sa.ColumnElement[bool]
) -> sa.ColumnElement[bool]:
    chosen = sa.select(*key).where(when).limit(sa.literal_column(str(ERASED_PER_STATEMENT)))
    return sa.tuple_(*key).in_(chosen)


_ERASE_OVERDUE = compile_sql(
    sa.update(instruments)
    .values(state=word("erased"), ciphertext=sa.null())
    .where(
        _overdue(
            instruments,
            (instruments.c.id, instruments.c.merchant_id),
            sa.and_(
                instruments.c.ciphertext.isnot(None), instruments.c.expires_at <= sa.func.now()
            ),
        )
    )
)
_FORGET_REQUESTS = compile_sql(
    sa.delete(token_requests).where(
        _overdue(
            token_requests,
            (token_requests.c.key, token_requests.c.merchant_id),
            token_requests.c.created_at < sa.func.now() - seconds(TOKEN_REQUESTS_KEPT_SECONDS),
        )
    )
)


_UNCONFIRMED = compile_sql(
    sa.select(instruments.c.id, instruments.c.merchant_id, instruments.c.livemode)
    .where(
        instruments.c.state == word("saved"),
        ~instruments.c.confirmed,
        instruments.c.created_at < sa.func.now() - seconds(UNCONFIRMED_SECONDS),
    )
    .order_by(instruments.c.created_at)
    .limit(sa.bindparam("limit", type_=sa.Integer()))
)
_CONFIRM = compile_sql(
    sa.update(instruments)
    .values(confirmed=sa.true())
    .where(_NAMED, instruments.c.livemode == sa.bindparam("livemode"))
)


class Sealed(NamedTuple):
    """An instrument's number, sealed for one instrument id."""

    key_version: int
    ciphertext: bytes


class Stored(NamedTuple):
    """An instrument's row."""

    id: UUID
    merchant_id: UUID
    livemode: bool
    state: str
    type: Literal["card", "bank_account", "wallet"]
    ciphertext: bytes | None
    key_version: int
    fingerprint: str
    network: str
    brand: str | None
    last_four: str | None
    exp_month: int | None
    exp_year: int | None
    used_by: UUID | None
    spent_for: UUID | None
    expires_at: datetime | None
    created_at: datetime
    expired: bool | None
    confirmed: bool = False


class _NotSaved(Exception):
    """Rolls the transaction back: the token stays as it was."""


class InstrumentStore:
    """Reads, saves and erases instruments; every query names merchant and mode."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def look(self, instrument_id: UUID, merchant_id: UUID) -> Stored | None:
        """The row, whatever its state and mode; None when there is none."""
        async with self._database.transaction() as transaction:
            row = await transaction.maybe(_LOOK, id=instrument_id, merchant_id=merchant_id)
        return _stored(row) if row else None

    async def save(self, request: relay.Attach, sealed: Sealed) -> bool:
        """Turn the token into the saved instrument; False when the token is not to be had."""
        try:
            async with self._database.transaction() as transaction:
                await self._save(transaction, request, sealed)
        except _NotSaved:
            return False
        return True

    async def erase(self, instrument_id: UUID, merchant_id: UUID, livemode: bool) -> None:
        """Forget the number for good."""
        async with self._database.transaction() as transaction:
            await transaction.run(
                _ERASE, id=instrument_id, merchant_id=merchant_id, livemode=livemode
            )

    async def unconfirmed(self, limit: int) -> list[Row]:
        """Id, merchant and mode of instruments saved over an hour ago that nobody vouched for."""
        async with self._database.transaction() as transaction:
            return await transaction.all(_UNCONFIRMED, limit=limit)

    async def confirm(self, instrument_id: UUID, merchant_id: UUID, livemode: bool) -> None:
        """The main house has the instrument's row."""
        async with self._database.transaction() as transaction:
            await transaction.run(
                _CONFIRM, id=instrument_id, merchant_id=merchant_id, livemode=livemode
            )

    async def erase_overdue(self) -> int:
        """Erase the numbers of tokens whose time is over; answers how many (at most 1,000).

        PCI DSS 4.0.1 req. 3.2.1: account data is kept no longer than it is needed.
        """
        async with self._database.transaction() as transaction:
            await transaction.run(_FORGET_REQUESTS)
            return await transaction.run(_ERASE_OVERDUE)

    async def _save(self, transaction: Transaction, request: relay.Attach, sealed: Sealed) -> None:
        row = await transaction.maybe(
            _SAVE,
            token_id=request.token_id,
            method_id=request.method_id,
            merchant_id=request.merchant_id,
            livemode=request.livemode,
            ciphertext=sealed.ciphertext,
            key_version=sealed.key_version,
        )
        if row is None:
            raise _NotSaved


def is_spent_for(spent_for: UUID | None, key: UUID | None) -> bool:
    """Whether a token was spent on a payment of this idempotency key, and so is not lost to it."""
    return key is not None and spent_for == key


def _stored(row: Row) -> Stored:
    ciphertext = row["ciphertext"]
    return Stored(**{**row, "ciphertext": None if ciphertext is None else bytes(ciphertext)})
