"""Reading what a merchant's account holds, and the movements that it comes from."""

from uuid import UUID

import orjson
import sqlalchemy as sa

from models.tables import BALANCE_TRANSACTIONS, LEDGER_BALANCES
from models.tables.base import BESIDE, ONLY, ZERO
from runtime.batches import ID, TEXT, rows_of, word
from runtime.database import Row, Transaction, compile_sql

_HELD, _POSTING = LEDGER_BALANCES.c, BALANCE_TRANSACTIONS.c
_MERCHANT = sa.bindparam("of_merchant", type_=ID)
_MODE = sa.bindparam("of_mode", type_=sa.Boolean())


def _of(account: str) -> sa.Label[int]:
    held = sa.case((_HELD.account == word(account), _HELD.balance), else_=ZERO)
    return sa.func.sum(held).cast(sa.BigInteger).label(account)


_BALANCE = compile_sql(
    sa.select(_HELD.currency, _of("available"), _of("merchant"))
    .where(_HELD.merchant_id == _MERCHANT, _HELD.livemode == _MODE)
    .where(sa.or_(_HELD.account == word("available"), _HELD.account == word("merchant")))
    .group_by(_HELD.currency)
)


def _read_statement() -> sa.sql.ClauseElement:
    # Names of their own: the id is an expression of the posting's.
    asked = rows_of(of_source=ID, of_kind=TEXT)
    one = (_POSTING.source_id == asked.c.of_source, _POSTING.kind == asked.c.of_kind)
    return (
        sa.select(BALANCE_TRANSACTIONS, *BALANCE_TRANSACTIONS.info[BESIDE])
        .join(asked, sa.and_(*one))
        .where(*BALANCE_TRANSACTIONS.info[ONLY])
        .where(_POSTING.merchant_id == _MERCHANT, _POSTING.livemode == _MODE)
    )


_READ = compile_sql(_read_statement())


async def read_balance(
    transaction: Transaction, merchant_id: UUID, livemode: bool
) -> dict[str, tuple[int, int]]:
    """(available, pending) in minor units, by currency.

    As many rows as the merchant has currencies and writers have slots, whatever it was paid.
    """
    rows = await transaction.all(_BALANCE, of_merchant=merchant_id, of_mode=livemode)
    return {row["currency"]: (row["available"], row["merchant"]) for row in rows}


async def read_transaction(
    transaction: Transaction, merchant_id: UUID, livemode: bool, postings: list[tuple[UUID, str]]
) -> Row | None:
    """The one of these postings (source, kind) that is a transaction of the merchant."""
    named = [{"of_source": source_id, "of_kind": kind} for source_id, kind in postings]
    rows = orjson.dumps(named).decode()
    return await transaction.maybe(_READ, rows=rows, of_merchant=merchant_id, of_mode=livemode)
