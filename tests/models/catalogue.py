"""What PostgreSQL says of a database's shape: the catalogue as comparable text."""

from collections.abc import Sequence

import psycopg

# Alembic's own table belongs to no house; partitions repeat their parent's shape.
_OURS = """
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')
      AND NOT c.relispartition AND c.relname <> 'alembic_version'"""
TABLES = f"SELECT c.relname, coalesce(pg_get_partkeydef(c.oid), '') {_OURS}"
COLUMNS = f"""
    SELECT ours.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
           coalesce(pg_get_expr(d.adbin, d.adrelid), ''), a.attidentity::text
    FROM (SELECT c.oid, c.relname {_OURS}) ours
    JOIN pg_attribute a ON a.attrelid = ours.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"""
CONSTRAINTS = f"""
    SELECT ours.relname, k.contype::text, k.conname, pg_get_constraintdef(k.oid)
    FROM (SELECT c.oid, c.relname {_OURS}) ours JOIN pg_constraint k ON k.conrelid = ours.oid
    WHERE k.contype <> 'n'"""
INDEXES = f"""
    SELECT ours.relname, pg_get_indexdef(i.indexrelid)
    FROM (SELECT c.oid, c.relname {_OURS}) ours JOIN pg_index i ON i.indrelid = ours.oid"""
# What must carry the merchant: (table, kind, columns) of keys, unique indexes and references.
TIES = f"""
    SELECT ours.relname, 'reference to ' || k.confrelid::regclass::text,
           array(SELECT attname::text FROM unnest(k.conkey) AS part
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = part)
    FROM (SELECT c.oid, c.relname {_OURS}) ours JOIN pg_constraint k ON k.conrelid = ours.oid
    WHERE k.contype = 'f'
    UNION ALL
    SELECT ours.relname, i.indexrelid::regclass::text,
           array(SELECT attname::text FROM unnest(i.indkey) AS part
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = part)
    FROM (SELECT c.oid, c.relname {_OURS}) ours JOIN pg_index i ON i.indrelid = ours.oid
    WHERE i.indisunique"""
SEQUENCES = "SELECT relname FROM pg_class WHERE relkind = 'S'"
PARTITIONS = """
    SELECT inhparent::regclass::text, inhrelid::regclass::text,
           pg_get_expr(c.relpartbound, c.oid)
    FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE c.relkind = 'r'"""

Row = tuple[object, ...]


def ask(url: str, question: str) -> list[Row]:
    """The rows of a question, in a fixed order."""
    with psycopg.connect(url) as connection:
        return sorted(connection.execute(question.encode()).fetchall(), key=repr)


def shape(url: str) -> dict[str, Sequence[Row]]:
    """Everything that makes two databases the same."""
    return {
        "tables": ask(url, TABLES),
        "columns": ask(url, COLUMNS),
        "constraints": ask(url, CONSTRAINTS),
        "indexes": ask(url, INDEXES),
    }
