"""Every column that holds sealed bytes: the one list that a rotation works through.

A column of sealed bytes is called `…_sealed` and stands here with the purpose that its flow
seals it for; tests/models/test_sealed.py finds one that is missing.
"""

from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from domain import people
from models.tables import (
    CUSTOMERS,
    IDEMPOTENCY_KEYS,
    OAUTH_SIGNING_KEYS,
    USERS,
    WEBHOOK_ENDPOINTS,
)
from runtime.database import Row, Transaction, compile_sql

WEBHOOK_SECRET: Final = "webhook secret"
CUSTOMER_EMAIL: Final = "customer email"
CUSTOMER_NAME: Final = "customer name"
REPLY: Final = "idempotency reply"
OAUTH_SIGNING_KEY: Final = "oauth signing key"


class SealedColumn(NamedTuple):
    """`owner` is the column that names whose key seals it; None: the platform's."""

    table: sa.Table
    column: str
    purpose: str
    owner: str | None = "merchant_id"


SEALED: Final = (
    SealedColumn(WEBHOOK_ENDPOINTS, "secret_sealed", WEBHOOK_SECRET),
    SealedColumn(WEBHOOK_ENDPOINTS, "previous_secret_sealed", WEBHOOK_SECRET),
    SealedColumn(CUSTOMERS, "email_sealed", CUSTOMER_EMAIL),
    SealedColumn(CUSTOMERS, "name_sealed", CUSTOMER_NAME),
    SealedColumn(IDEMPOTENCY_KEYS, "reply_sealed", REPLY),
    SealedColumn(USERS, "email_sealed", people.EMAIL),
    SealedColumn(USERS, "name_sealed", people.NAME),
    SealedColumn(USERS, "totp_seed_sealed", people.SEED),
    SealedColumn(OAUTH_SIGNING_KEYS, "private_key_sealed", OAUTH_SIGNING_KEY, owner=None),
)


class SealedValue(NamedTuple):
    """One value: `place` is the row's primary key, `owner` None where it is the platform's."""

    place: tuple[Any, ...]
    owner: UUID | None
    sealed: bytes


class Walk:
    """Reads one column in batches in the order of the primary key, and replaces values."""

    def __init__(self, of: SealedColumn) -> None:
        self.of = of
        keys = list(of.table.primary_key.columns)
        value = of.table.c[of.column]
        bound = [sa.bindparam(f"at_{n}", type_=key.type) for n, key in enumerate(keys)]
        chosen = (
            sa.select(*(key.label(f"at_{n}") for n, key in enumerate(keys)), value.label("sealed"))
            .where(value.is_not(None))
            .order_by(*keys)
            .limit(sa.bindparam("most", type_=sa.Integer))
        )
        if of.owner is not None:
            chosen = chosen.add_columns(of.table.c[of.owner].label("owner"))
        self._first = compile_sql(chosen)
        self._next = compile_sql(chosen.where(sa.tuple_(*keys) > sa.tuple_(*bound)))
        self._replace = compile_sql(
            sa.update(of.table)
            .values({of.column: sa.bindparam("new", type_=value.type)})
            .where(*(key == each for key, each in zip(keys, bound, strict=True)))
            .where(value == sa.bindparam("before", type_=value.type))
        )

    async def batch(
        self, transaction: Transaction, after: SealedValue | None, most: int
    ) -> list[SealedValue]:
        """The next values, from the first where `after` is None."""
        if after is None:
            rows = await transaction.all(self._first, most=most)
        else:
            rows = await transaction.all(self._next, most=most, **_at(after))
        return [_value(row) for row in rows]

    async def replace(self, transaction: Transaction, value: SealedValue, new: bytes) -> bool:
        """Store `new` where the value is still the one that was read."""
        touched = await transaction.run(self._replace, new=new, before=value.sealed, **_at(value))
        return touched == 1


WALKS: Final = tuple(Walk(each) for each in SEALED)


def _at(value: SealedValue) -> dict[str, Any]:
    return {f"at_{n}": each for n, each in enumerate(value.place)}


def _value(row: Row) -> SealedValue:
    place = tuple(value for name, value in row.items() if name.startswith("at_"))
    return SealedValue(place, row.get("owner"), bytes(row["sealed"]))
