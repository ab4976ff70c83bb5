"""Customers and their saved payment methods."""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from domain.remembering import customer_deleted, customer_read
from models.inserting import insert_row
from models.tables import CUSTOMERS, PAYMENT_METHODS, TOKEN_CLAIMS
from runtime.database import Row, Transaction, compile_sql

_ID: Any = CUSTOMERS.c.id.type


def _mine(table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        table.c.id == sa.bindparam("of_id", type_=_ID),
        table.c.merchant_id == sa.bindparam("of_merchant", type_=_ID),
        table.c.livemode == sa.bindparam("of_mode", type_=sa.Boolean),
    )


_OF_CUSTOMER = PAYMENT_METHODS.c.customer_id == sa.bindparam("of_customer", type_=_ID)
_ATTACHED = PAYMENT_METHODS.c.detached_at.is_(None)
_OF_MERCHANT = (
    PAYMENT_METHODS.c.merchant_id == sa.bindparam("of_merchant", type_=_ID),
    PAYMENT_METHODS.c.livemode == sa.bindparam("of_mode", type_=sa.Boolean),
)

_THIS_CUSTOMER = (*_mine(CUSTOMERS), CUSTOMERS.c.deleted_at.is_(None))
_NEXT_REVISION = CUSTOMERS.c.revision + sa.literal_column("1")

INSERT_CUSTOMER = insert_row(CUSTOMERS, "deleted_at")
# Locked, so that two requests attaching one card to one customer take turns.
_LOCK_CUSTOMER = compile_sql(sa.select(CUSTOMERS).where(*_THIS_CUSTOMER).with_for_update())
_SAVE_CUSTOMER = compile_sql(
    sa.update(CUSTOMERS)
    .values(
        **{
            name: sa.bindparam(name, type_=CUSTOMERS.c[name].type)
            for name in ("email_sealed", "email_index", "name_sealed")
        },
        metadata=sa.cast(sa.bindparam("metadata", type_=sa.Text), CUSTOMERS.c.metadata.type),
        revision=_NEXT_REVISION,
    )
    .where(*_THIS_CUSTOMER)
    .returning(CUSTOMERS)
)
_DELETE_CUSTOMER = compile_sql(
    sa.update(CUSTOMERS)
    .values(
        deleted_at=sa.bindparam("at", type_=CUSTOMERS.c.deleted_at.type),
        email_sealed=sa.null(),
        email_index=sa.null(),
        name_sealed=sa.null(),
        metadata=sa.literal_column("'{}'"),
        revision=_NEXT_REVISION,
    )
    .where(*_THIS_CUSTOMER)
    .returning(CUSTOMERS)
)
INSERT_METHOD = insert_row(PAYMENT_METHODS, "detached_at", "erase_at")
_READ_METHOD = compile_sql(
    sa.select(PAYMENT_METHODS).where(*_mine(PAYMENT_METHODS), _OF_CUSTOMER, _ATTACHED)
)
_SAME_CARD = compile_sql(
    sa.select(PAYMENT_METHODS)
    .where(*_OF_MERCHANT, _OF_CUSTOMER, _ATTACHED)
    .where(PAYMENT_METHODS.c.fingerprint == sa.bindparam("fingerprint", type_=sa.Text))
)
_REPLACE_METHOD = compile_sql(
    sa.update(PAYMENT_METHODS)
    .values(
        exp_month=sa.bindparam("exp_month", type_=sa.SmallInteger),
        exp_year=sa.bindparam("exp_year", type_=sa.SmallInteger),
    )
    .where(*_mine(PAYMENT_METHODS))
    .returning(PAYMENT_METHODS)
)
_DETACH = compile_sql(
    sa.update(PAYMENT_METHODS)
    .values(
        detached_at=sa.bindparam("at", type_=PAYMENT_METHODS.c.detached_at.type),
        erase_at=sa.bindparam("at", type_=PAYMENT_METHODS.c.detached_at.type),
    )
    .where(*_mine(PAYMENT_METHODS), _OF_CUSTOMER, _ATTACHED)
)
_DETACH_ALL = compile_sql(
    sa.update(PAYMENT_METHODS)
    .values(
        detached_at=sa.bindparam("at", type_=PAYMENT_METHODS.c.detached_at.type),
        erase_at=sa.bindparam("at", type_=PAYMENT_METHODS.c.detached_at.type),
    )
    .where(*_OF_MERCHANT, _OF_CUSTOMER, _ATTACHED)
)
_COUNT_METHODS = compile_sql(
    sa.select(sa.func.count().label("count"))
    .where(*_OF_MERCHANT, _OF_CUSTOMER, _ATTACHED)
    .where(
        sa.or_(
            sa.bindparam("type", type_=sa.Text).is_(None),
            PAYMENT_METHODS.c.type == sa.bindparam("type", type_=sa.Text),
        )
    )
)
_CLAIM_TOKEN = compile_sql(
    insert(TOKEN_CLAIMS)
    .values(
        token_id=sa.bindparam("token_id", type_=_ID),
        merchant_id=sa.bindparam("of_merchant", type_=_ID),
        livemode=sa.bindparam("of_mode", type_=sa.Boolean),
        claimed_by=sa.bindparam("claimed_by", type_=_ID),
    )
    .on_conflict_do_nothing()
)


class Whose:
    """The merchant and mode that every statement here is bound to."""

    def __init__(self, merchant_id: UUID, livemode: bool) -> None:
        self.columns = {"of_merchant": merchant_id, "of_mode": livemode}


async def lock_customer(transaction: Transaction, whose: Whose, customer_id: UUID) -> Row | None:
    """A customer of this merchant in this mode, held until the end; a deleted one is none."""
    return await transaction.maybe(_LOCK_CUSTOMER, of_id=customer_id, **whose.columns)


async def save_customer(transaction: Transaction, whose: Whose, customer: Row) -> Row:
    """Write what may change of a locked customer, under its next revision."""
    row = await transaction.one(
        _SAVE_CUSTOMER,
        of_id=customer["id"],
        email_sealed=customer["email_sealed"],
        email_index=customer["email_index"],
        name_sealed=customer["name_sealed"],
        metadata=orjson.dumps(customer["metadata"]).decode(),
        **whose.columns,
    )
    transaction.note(customer_read(row))
    return row


async def delete_customer(
    transaction: Transaction, whose: Whose, customer_id: UUID, at: datetime
) -> Row | None:
    """Erase what is known of a customer and detach its methods; None where there is none."""
    row = await transaction.maybe(_DELETE_CUSTOMER, of_id=customer_id, at=at, **whose.columns)
    if row is not None:
        await transaction.run(_DETACH_ALL, of_customer=customer_id, at=at, **whose.columns)
        transaction.note(customer_deleted(row))
    return row


async def count_methods(
    transaction: Transaction, whose: Whose, customer_id: UUID, kind: str | None
) -> int:
    """How many methods, of one type or of all, are attached to a customer."""
    row = await transaction.one(_COUNT_METHODS, of_customer=customer_id, type=kind, **whose.columns)
    count: int = row["count"]
    return count


async def read_method(
    transaction: Transaction, whose: Whose, customer_id: UUID, method_id: UUID
) -> Row | None:
    """A payment method that is attached to this customer."""
    return await transaction.maybe(
        _READ_METHOD, of_id=method_id, of_customer=customer_id, **whose.columns
    )


async def same_card(
    transaction: Transaction, whose: Whose, customer_id: UUID, fingerprint: str
) -> Row | None:
    """The method of this customer with this fingerprint."""
    return await transaction.maybe(
        _SAME_CARD, of_customer=customer_id, fingerprint=fingerprint, **whose.columns
    )


async def renew_expiry(
    transaction: Transaction, whose: Whose, method: Row, month: int | None, year: int | None
) -> Row:
    """The same card came with a new expiry."""
    return await transaction.one(
        _REPLACE_METHOD, of_id=method["id"], exp_month=month, exp_year=year, **whose.columns
    )


async def detach_method(transaction: Transaction, whose: Whose, method: Row, at: datetime) -> bool:
    """Detach; False when it was detached already."""
    touched = await transaction.run(
        _DETACH,
        of_id=method["id"],
        of_customer=method["customer_id"],
        at=at,
        **whose.columns,
    )
    return touched == 1


async def claim_token(
    transaction: Transaction, whose: Whose, token_id: UUID, claimed_by: UUID
) -> bool:
    """Take a single-use token; False when it was taken before."""
    touched = await transaction.run(
        _CLAIM_TOKEN, token_id=token_id, claimed_by=claimed_by, **whose.columns
    )
    return touched == 1
