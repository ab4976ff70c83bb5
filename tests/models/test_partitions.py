"""Months of partitions: no gap at the turn of the year, every id in the month it was made in."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest

from models.migrate import migrate
from models.partitions import MONTHS_AHEAD, PARTITIONED_TABLES, ensure_partitions
from tests.cluster import Cluster
from tests.models.catalogue import PARTITIONS, ask

DECEMBER = datetime(2031, 12, 31, 23, 59, 59, tzinfo=UTC)
MONTHS = ("2031_12", "2032_01", "2032_02", "2032_03")
_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62
_CHANCE = (0xFFF << 64) | ((1 << 62) - 1)
_EVENT = b"""INSERT INTO events (id, merchant_id, livemode, type, object_id, sequence, object,
    request_id, created_at) VALUES (%s, %s, false, 'payment.captured', %s, 1, '{}', 'req', now())
    RETURNING tableoid::regclass::text"""
_ENTRY = b"""INSERT INTO audit_entries (id, merchant_id, entry, created_at)
    VALUES (%s, %s, '{}', now()) RETURNING tableoid::regclass::text"""


@pytest.fixture(scope="module")
def database(cluster: Cluster) -> str:
    """Migrated, with the partitions that the last day of a year asks for."""
    url = cluster.database()
    migrate(url)
    make(url, DECEMBER)
    return url


def make(url: str, now: datetime) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in ensure_partitions(now):
            connection.execute(statement.encode())


def first_millisecond(month: str) -> int:
    year, number = month.split("_")
    return int(datetime(int(year), int(number), 1, tzinfo=UTC).timestamp()) * 1000


def uuid7(milliseconds: int, chance: int) -> UUID:
    """The UUIDv7 of a millisecond with all its random bits 0 or 1."""
    return UUID(int=(milliseconds << 80) | _VERSION | _VARIANT | chance)


def where(url: str, identifier: UUID) -> list[str]:
    """The partitions in which an event and an audit entry of this id are kept."""
    with psycopg.connect(url) as connection:
        rows = [
            connection.execute(_EVENT, (identifier, uuid4(), uuid4())).fetchone(),
            connection.execute(_ENTRY, (identifier, uuid4())).fetchone(),
        ]
    return [row[0] for row in rows if row is not None]


def in_month(month: str) -> list[str]:
    return [f"{table}_{month}" for table in PARTITIONED_TABLES]


def test_the_year_turns_without_a_gap(database: str) -> None:
    assert len(MONTHS) == MONTHS_AHEAD + 1
    names = {str(row[1]) for row in ask(database, PARTITIONS)}
    assert names >= {name for month in MONTHS for name in in_month(month)}


@pytest.mark.parametrize("chance", [0, _CHANCE], ids=["lowest", "highest"])
@pytest.mark.parametrize("month", MONTHS)
def test_ids_lie_in_the_month_they_were_made_in(database: str, month: str, chance: int) -> None:
    start = first_millisecond(month)
    assert where(database, uuid7(start, chance)) == in_month(month)
    before = MONTHS[MONTHS.index(month) - 1] if month != MONTHS[0] else "default"
    assert where(database, uuid7(start - 1, chance)) == in_month(before)


def test_a_month_without_a_partition_is_caught(database: str) -> None:
    assert where(database, uuid7(first_millisecond("2040_01"), 0)) == in_month("default")


def test_making_them_again_changes_nothing(database: str) -> None:
    before = ask(database, PARTITIONS)
    make(database, DECEMBER)
    assert ask(database, PARTITIONS) == before
