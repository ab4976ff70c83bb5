"""Throw-away databases of both houses, and what PostgreSQL itself says of their tables."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from tests.vault.cluster import Cluster

Row = tuple[Any, ...]

# Partitions repeat their parent, and alembic_version is Alembic's.
_OWN_TABLES = """
    SELECT c.oid, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname <> 'alembic_version'
"""
COLUMNS = f"""
    SELECT t.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
           pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated
    FROM ({_OWN_TABLES}) t JOIN pg_attribute a ON a.attrelid = t.oid
    LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2
"""
# NOT NULL constraints stand with the columns; their names are PostgreSQL's own.
CONSTRAINTS = f"""
    SELECT t.relname, k.contype, k.conname, pg_get_constraintdef(k.oid)
    FROM ({_OWN_TABLES}) t JOIN pg_constraint k ON k.conrelid = t.oid
    WHERE k.contype <> 'n' ORDER BY 1, 2, 3
"""
INDEXES = f"""
    SELECT t.relname, pg_get_indexdef(i.indexrelid) FROM ({_OWN_TABLES}) t
    JOIN pg_index i ON i.indrelid = t.oid ORDER BY 1, 2
"""
PARTITIONING = f"""
    SELECT t.relname, pg_get_partkeydef(t.oid) FROM ({_OWN_TABLES}) t ORDER BY 1
"""
KEYS = f"""
    SELECT t.relname, x.relname, i.indisprimary, array_agg(a.attname ORDER BY a.attnum)
    FROM ({_OWN_TABLES}) t JOIN pg_index i ON i.indrelid = t.oid
    JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY(i.indkey)
    WHERE i.indisunique GROUP BY 1, 2, 3 ORDER BY 1, 2
"""
FOREIGN_KEYS = f"""
    SELECT t.relname, k.confrelid::regclass::text,
           (SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = k.conrelid AND attnum = ANY(k.conkey)),
           (SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = k.confrelid AND attnum = ANY(k.confkey))
    FROM ({_OWN_TABLES}) t JOIN pg_constraint k ON k.conrelid = t.oid
    WHERE k.contype = 'f' ORDER BY 1, 2
"""
RELATIONS = """
    SELECT c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' ORDER BY 1
"""


def rows(url: str, question: str) -> list[Row]:
    """What the catalogue answers."""
    with psycopg.connect(url) as connection:
        return connection.execute(question.encode()).fetchall()


def engine(url: str) -> sa.Engine:
    return sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool
    )


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A server that is gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="paymint-models-", dir="/var/tmp"))
    directory.chmod(0o755)
    made = Cluster(directory)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(directory, ignore_errors=True)
