"""Monthly partitions of the append-only tables, by the UUIDv7 id.

A month's bounds are the smallest UUIDs of its first and of the next month's first
millisecond.  A default partition catches what no month covers: a payment must not fail
because a partition is missing.
"""

from datetime import UTC, datetime
from uuid import UUID

MONTHS_AHEAD = 3
PARTITIONED_TABLES = ("events", "audit_entries")


def ensure_partitions(now: datetime) -> list[str]:
    """The statements that make the partitions of this month and the next ones."""
    statements = [
        f"CREATE TABLE IF NOT EXISTS {table}_default PARTITION OF {table} DEFAULT"
        for table in PARTITIONED_TABLES
    ]
    year, month = now.year, now.month
    for _ in range(MONTHS_AHEAD + 1):
        following = (year + month // 12, month % 12 + 1)
        for table in PARTITIONED_TABLES:
            statements.append(
                f"CREATE TABLE IF NOT EXISTS {table}_{year}_{month:02d} PARTITION OF {table}"
                f" FOR VALUES FROM ('{_first_id(year, month)}') TO ('{_first_id(*following)}')"
            )
        year, month = following
    return statements


def _first_id(year: int, month: int) -> UUID:
    milliseconds = int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1000
    return UUID(int=milliseconds << 80)
