"""What a verdict is made of: what is stored, and what was found wrong with it."""

from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from scripts.launcher.stack import Stack

Rows = list[dict[str, Any]]

_PAYMENTS: Final = """SELECT id, merchant_id, idempotency_key, status, amount, currency, capture,
    amount_captured, amount_refunded, amount_disputed, event_sequence FROM payments"""
_REFUNDS: Final = "SELECT id, merchant_id, payment_id, amount, status, event_sequence FROM refunds"
_HOLDS: Final = """SELECT id, merchant_id, idempotency_key, status, event_sequence,
    (SELECT count(*) FROM hold_top_ups WHERE hold_id = holds.id AND status <> 'failed') AS top_ups
    FROM holds"""
_EVENTS: Final = """SELECT id, object_id, type, sequence, object ->> 'status' AS status
    FROM events ORDER BY object_id, sequence"""
_COUNTERS: Final = """SELECT merchant_id, status, sum(count)::int AS count FROM counters
    WHERE resource = 'payments' GROUP BY 1, 2"""
_OPEN_WORK: Final = """SELECT
    (SELECT count(*) FROM payments WHERE status = 'pending' OR operation IS NOT NULL
        OR resume_at IS NOT NULL) AS payments,
    (SELECT count(*) FROM refunds WHERE status = 'pending') AS refunds,
    (SELECT count(*) FROM holds WHERE status = 'pending' OR resume_at IS NOT NULL) AS holds,
    (SELECT count(*) FROM hold_draws WHERE present_at IS NOT NULL) AS draws,
    (SELECT count(*) FROM webhook_deliveries WHERE state = 'pending') AS deliveries"""


@dataclass(slots=True)
class Findings:
    """Everything that is wrong, by what it means; empty when nothing is."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    books: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def all(self) -> list[str]:
        """Every finding, with the word for it."""
        return [
            f"{name}: {each}"
            for name in ("lost", "doubled", "books", "unfinished", "wrong")
            for each in getattr(self, name)
        ]


@dataclass(frozen=True, slots=True)
class Stored:
    """The main database at the end."""

    payments: Rows
    refunds: Rows
    events: Rows
    counters: Rows
    holds: Rows


def _connect(stack: Stack) -> psycopg.Connection[dict[str, Any]]:
    return psycopg.connect(stack.databases.main, row_factory=dict_row, autocommit=True)


def open_work(stack: Stack) -> dict[str, int]:
    """How much is left to do, by what it is; raises psycopg.Error while the database is away."""
    with _connect(stack) as connection:
        found = connection.execute(_OPEN_WORK).fetchone()
    assert found is not None
    return {name: count for name, count in found.items() if count}


def stored(stack: Stack) -> Stored:
    """Everything that the verdict looks at."""
    with _connect(stack) as connection:
        payments, refunds, events, counters, holds = (
            connection.execute(statement).fetchall()
            for statement in (_PAYMENTS, _REFUNDS, _EVENTS, _COUNTERS, _HOLDS)
        )
    return Stored(payments, refunds, events, counters, holds)
