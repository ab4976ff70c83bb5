"""Settling: what has come in by a moment moves from pending to available, each once."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from domain import ledger
from domain.balance_transactions import PAYING_OUT
from domain.payouts import AT_ONCE
from models.ledger import post
from models.tables.ledger import IS_TRANSACTION
from runtime.database import Row, Statement, Transaction

# So many in one transaction: a busy merchant's day is settled in several.
MOST_AT_ONCE: Final = 20_000
# No transaction is open for so long, and no clock so far from the database's: what is posted
# late, with the moment at which its transaction began, is found by the next run.
LATEST: Final = timedelta(hours=1)


def _listed(kinds: tuple[str, ...]) -> str:
    return ", ".join(f"'{kind}'" for kind in kinds)


_SETTLE = Statement(
    f"""
WITH named AS (
    SELECT * FROM json_to_recordset(%(rows)s::json) AS row(currency text, id uuid)
), chosen AS MATERIALIZED (
    SELECT source_id, kind, currency, created_at,
        CASE credit WHEN 'merchant' THEN amount ELSE -amount END AS gross,
        coalesce((SELECT fee.amount FROM ledger_postings fee
            WHERE fee.source_id = own.source_id AND fee.kind = own.kind
            AND fee.position = 1 AND fee.merchant_id = own.merchant_id), 0) AS fee
    FROM ledger_postings own
    WHERE merchant_id = %(merchant_id)s::uuid AND livemode = %(livemode)s::boolean
        AND {IS_TRANSACTION} AND kind NOT IN ({_listed(PAYING_OUT)})
        AND currency IN (SELECT currency FROM named)
        AND created_at >= %(since)s::timestamptz
        AND (created_at < %(before)s::timestamptz OR kind IN ({_listed(AT_ONCE)}))
        AND NOT EXISTS (SELECT 1 FROM settlement_lines line
            WHERE line.source_id = own.source_id AND line.kind = own.kind
            AND line.merchant_id = own.merchant_id)
    ORDER BY created_at LIMIT {MOST_AT_ONCE}
), settled AS (
    INSERT INTO settlements (id, merchant_id, livemode, currency, gross, fee,
        transaction_count, created_at)
    SELECT named.id, %(merchant_id)s::uuid, %(livemode)s::boolean, currency,
        sum(gross)::bigint, sum(fee)::bigint, count(*), %(now)s::timestamptz
    FROM chosen JOIN named USING (currency) GROUP BY named.id, currency
    RETURNING *
), lines AS (
    INSERT INTO settlement_lines (source_id, kind, merchant_id, livemode, settlement_id, line)
    SELECT source_id, kind, %(merchant_id)s::uuid, %(livemode)s::boolean, named.id,
        row_number() OVER (PARTITION BY currency ORDER BY created_at, source_id, kind)
    FROM chosen JOIN named USING (currency)
)
SELECT *, (SELECT max(created_at) FROM chosen) AS settled_to FROM settled ORDER BY currency"""  # nosec B608  # constants of the program's own
)


async def settle(
    transaction: Transaction,
    schedule: Row,
    before: datetime,
    now: datetime,
    ids: Mapping[str, UUID],
) -> datetime | None:
    """Settle what came in before `before` in the currencies of `ids`, which name settlements.

    `schedule` is locked.  Answers None when that was all, else the moment to go on from:
    transactions are settled in their order.
    """
    settled_before = schedule["settled_before"]
    since = datetime.min if settled_before is None else settled_before - LATEST
    settled = await transaction.all(
        _SETTLE,
        merchant_id=schedule["merchant_id"],
        livemode=schedule["livemode"],
        since=since,
        before=before,
        now=now,
        rows=orjson.dumps(_rows(ids)).decode(),
    )
    for settlement in settled:
        net = settlement["gross"] - settlement["fee"]
        await post(transaction, settlement, ledger.of_settlement(net))
    count: int = sum(settlement["transaction_count"] for settlement in settled)
    if count < MOST_AT_ONCE:
        return None
    settled_to: datetime = settled[0]["settled_to"]
    return settled_to


def _rows(ids: Mapping[str, UUID]) -> list[dict[str, Any]]:
    return [{"currency": currency, "id": identifier} for currency, identifier in ids.items()]
