"""Monthly partitions of the append-only tables, by the UUIDv7 id.

A month's bounds are the smallest UUIDs of its first and of the next month's first
millisecond.  A default partition catches what no month covers: a payment must not fail
because a partition is missing.  The service owns no table, so the database makes them for it
in a function that runs with the owner's rights (migration 0015).
"""

from datetime import datetime

MONTHS_AHEAD = 3
PARTITIONED_TABLES = ("events", "audit_entries")


def ensure_partitions(now: datetime) -> list[str]:
    """The statements that make the partitions of this month and the next ones."""
    return [f"SELECT make_partitions('{now.isoformat()}')"]
