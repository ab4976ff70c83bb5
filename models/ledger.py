"""Posting movements of money, in the transaction that makes them.

A statement that changes payments adds the CTEs of `posted`; a transaction under a row's
lock calls `post`.  Both write the legs of domain/ledger.py, what they leave on the
accounts, and the balance transaction that the merchant sees.
"""

from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from domain.ledger import LEGS, Kind
from models.tables import BALANCE_TRANSACTIONS, LEDGER_BALANCES, LEDGER_POSTINGS
from runtime.batches import FLAG, ID, MOMENT, TEXT, SqlType, word
from runtime.database import Transaction, compile_sql

_BIG: SqlType = sa.BigInteger()
_ACCOUNT = ("merchant_id", "livemode", "currency", "account")


class Movement(NamedTuple):
    """What is posted: sums are positive minor units, `fee` 0 where the kind has none."""

    merchant_id: UUID
    livemode: bool
    kind: Kind
    source_id: UUID
    amount: int
    fee: int
    currency: str
    occurred_at: Any


class BalanceChange(NamedTuple):
    """What the merchant sees of a movement: sums signed, `available_on` in business time."""

    id: UUID
    merchant_id: UUID
    livemode: bool
    type: str
    amount: int
    fee: int
    currency: str
    source_id: UUID
    payment_id: UUID | None
    available_on: Any
    created_at: Any


def posted(moved: sa.CTE) -> tuple[sa.CTE, sa.CTE]:
    """CTEs that post every row of `moved`, which has the columns of Movement.

    The statement takes the parameter `slot`.
    """
    legs = sa.values(
        sa.column("kind", sa.Text),
        sa.column("position", sa.SmallInteger),
        sa.column("debit", sa.Text),
        sa.column("credit", sa.Text),
        sa.column("part", sa.Text),
        name="leg",
        literal_binds=True,
    ).data(list(LEGS))
    row = moved.c
    amount = sa.case((legs.c.part == word("fee"), row.fee), else_=row.amount)
    columns: dict[str, sa.ColumnElement[Any]] = {
        "source_id": row.source_id,
        "kind": row.kind,
        "position": sa.cast(legs.c.position, sa.SmallInteger),
        "merchant_id": row.merchant_id,
        "livemode": row.livemode,
        "debit": legs.c.debit,
        "credit": legs.c.credit,
        "amount": amount,
        "currency": row.currency,
        "created_at": row.occurred_at,
    }
    chosen = (
        sa.select(*(column.label(name) for name, column in columns.items()))
        .select_from(moved.join(legs, legs.c.kind == row.kind))
        .where(amount > sa.literal_column("0"))
    )
    posting = LEDGER_POSTINGS.c
    postings = (
        insert(LEDGER_POSTINGS)
        .from_select(list(columns), chosen)
        .returning(
            posting.merchant_id,
            posting.livemode,
            posting.currency,
            posting.debit,
            posting.credit,
            posting.amount,
        )
        .cte("postings")
    )
    return postings, _balanced(postings)


def _balanced(postings: sa.CTE) -> sa.CTE:
    row = postings.c
    scope = (row.merchant_id, row.livemode, row.currency)
    sides = sa.union_all(
        sa.select(*scope, row.debit.label("account"), (-row.amount).label("change")),
        sa.select(*scope, row.credit, row.amount),
    ).subquery("sides")
    keys = [sides.c[name] for name in _ACCOUNT]
    summed = (
        sa.select(
            *keys,
            sa.bindparam("slot", type_=sa.SmallInteger),
            sa.func.sum(sides.c.change).cast(sa.BigInteger),
        )
        .group_by(*keys)
        .order_by(*keys)
    )
    adding = insert(LEDGER_BALANCES).from_select([*_ACCOUNT, "slot", "balance"], summed)
    return adding.on_conflict_do_update(
        index_elements=[*_ACCOUNT, "slot"],
        set_={"balance": LEDGER_BALANCES.c.balance + adding.excluded.balance},
    ).cte("balanced")


def shown(changes: sa.CTE) -> sa.CTE:
    """A CTE that writes a balance transaction for every row, with BalanceChange's columns."""
    names = [*BalanceChange._fields, "net"]
    row = changes.c
    chosen = sa.select(*(row[name] for name in BalanceChange._fields), row.amount - row.fee)
    adding = insert(BALANCE_TRANSACTIONS).from_select(names, chosen, include_defaults=False)
    return adding.cte("shown")


def _one_row(**columns: SqlType) -> sa.CTE:
    return sa.select(
        *(sa.bindparam(name, type_=kind).label(name) for name, kind in columns.items())
    ).cte("one")


_TENANT = {"merchant_id": ID, "livemode": FLAG}
_MOVED = _one_row(
    **_TENANT,
    kind=TEXT,
    source_id=ID,
    amount=_BIG,
    fee=_BIG,
    currency=TEXT,
    occurred_at=MOMENT,
)
_CHANGED = _one_row(
    id=ID,
    **_TENANT,
    type=TEXT,
    amount=_BIG,
    fee=_BIG,
    currency=TEXT,
    source_id=ID,
    payment_id=ID,
    available_on=MOMENT,
    created_at=MOMENT,
)
_POST = compile_sql(sa.select(_MOVED.c.kind).add_cte(*posted(_MOVED)))
_SHOW = compile_sql(sa.select(_CHANGED.c.id).add_cte(shown(_CHANGED)))


async def post(transaction: Transaction, movement: Movement) -> None:
    """Post one movement; the database refuses the same one a second time."""
    await transaction.run(_POST, slot=transaction.slot, **movement._asdict())


async def show(transaction: Transaction, change: BalanceChange) -> None:
    """Write what the merchant sees of a movement."""
    await transaction.run(_SHOW, **change._asdict())
