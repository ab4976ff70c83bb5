"""Posting movements of money, in the transaction that makes them.

The function that writes a row of money posts what it moves: no caller can forget it.  A
coalesced statement adds the CTEs of `posted`, a transaction under a row's lock calls
`post`; both write the legs of domain/ledger.py and what they leave on the accounts.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from domain.ledger import LEGS, Movement
from models.tables import LEDGER_BALANCES, LEDGER_POSTINGS
from runtime.batches import FLAG, ID, TEXT, SqlType, rows_of, word
from runtime.database import Transaction, compile_sql

_BIG: SqlType = sa.BigInteger()
_ACCOUNT = ("merchant_id", "livemode", "currency", "account")


def posted(moved: sa.CTE) -> tuple[sa.CTE, sa.CTE]:
    """CTEs that post every row of `moved`, and add it to the balances.

    `moved` has the columns merchant_id, livemode, kind, source_id, amount, fee, currency.
    The statement takes the parameter `slot`.
    """
    legs = _legs()
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
        "created_at": sa.func.now(),
    }
    chosen = sa.select(*(column.label(name) for name, column in columns.items())).select_from(
        moved.join(legs, legs.c.kind == row.kind)
    )
    posting = LEDGER_POSTINGS.c
    returned = ("merchant_id", "livemode", "currency", "debit", "credit", "amount")
    # Without ON CONFLICT: the same movement a second time is an error, whoever asks.
    postings = (
        insert(LEDGER_POSTINGS)
        .from_select(list(columns), chosen)
        .returning(*(posting[name] for name in returned))
        .cte("postings")
    )
    return postings, _balanced(postings)


def _legs() -> sa.Values:
    named = {"kind": sa.Text, "position": sa.SmallInteger, "debit": sa.Text, "credit": sa.Text}
    columns: list[sa.ColumnClause[Any]] = [
        sa.column(name, kind) for name, kind in (named | {"part": sa.Text}).items()
    ]
    return sa.values(*columns, name="leg", literal_binds=True).data(list(LEGS))


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


def _post_statement() -> sa.Select[Any]:
    moved = rows_of(
        merchant_id=ID,
        livemode=FLAG,
        kind=TEXT,
        source_id=ID,
        amount=_BIG,
        fee=_BIG,
        currency=TEXT,
    )
    return sa.select(moved.c.kind).add_cte(*posted(moved))


_POST = compile_sql(_post_statement())


async def post(
    transaction: Transaction, source: Mapping[str, Any], movements: Sequence[Movement]
) -> None:
    """Post what the row `source` (a payment, refund or dispute) has moved.

    The database refuses the same movement of the same source a second time.
    """
    if not movements:
        return
    source_id: UUID = source["id"]
    named = {
        "merchant_id": source["merchant_id"],
        "livemode": source["livemode"],
        "source_id": source_id,
        "currency": source["currency"],
    }
    rows = [{**named, **movement._asdict()} for movement in movements]
    await transaction.run(_POST, rows=orjson.dumps(rows).decode(), slot=transaction.slot)
