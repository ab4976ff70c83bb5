"""Append-only by permission, and by trigger where permission is no bar (PCI DSS 4.0.1 10.3.2)."""

from datetime import UTC, datetime

import psycopg
import pytest

from tests.shop import Shop

TABLES = {
    "paymint-api": (
        "audit_entries",
        "audit_roots",
        "audit_heads",
        "audit_keys",
        "audit_exports",
        "ledger_postings",
    ),
    "paymint-vault": ("audit_entries",),
}
PLACES = [(process, table) for process, tables in TABLES.items() for table in tables]
CHANGES = (
    "UPDATE {} SET {} = {}",
    "DELETE FROM {}",
    "TRUNCATE {}",
    "DROP TABLE {}",
    "ALTER TABLE {} DISABLE TRIGGER ALL",
    "ALTER TABLE {} ADD COLUMN more text",
)
COLUMN = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum = 1"

FILLED = {
    "ledger_postings": "INSERT INTO ledger_postings VALUES (gen_random_uuid(), 'refund', 0,"
    " gen_random_uuid(), false, 'merchant', 'refund_clearing', 1, 'usd', now())",
    "audit_exports": "INSERT INTO audit_exports VALUES (0, 'test', 'x', now())",
    "audit_heads": "INSERT INTO audit_heads VALUES ('test', gen_random_uuid(), 0, 'x', 0)",
    "audit_keys": "INSERT INTO audit_keys VALUES (gen_random_uuid()::text, 'x', 'x', '2000-01-01')",
}


def partition() -> str:
    """The part of the audit log to which is added now."""
    return f"audit_entries_{datetime.now(UTC):%Y_%m}"


def change(connection: psycopg.Connection[tuple[object, ...]], form: str, table: str) -> str:
    row = connection.execute(COLUMN, (table,)).fetchone()
    assert row is not None
    return form.format(table, row[0], row[0])


@pytest.mark.parametrize(("process", "table"), PLACES)
def test_the_service_may_only_read_and_add(shop: Shop, process: str, table: str) -> None:
    with shop.database(process) as connection:
        connection.execute(f"SELECT * FROM {table} LIMIT 1".encode())
        for form in CHANGES:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(change(connection, form, table).encode())
        if table == "audit_entries":
            # Nor behind the table's back, in one of its partitions.
            for form in CHANGES:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(change(connection, form, partition()).encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"INSERT INTO {partition()} SELECT * FROM {table}".encode())


@pytest.mark.parametrize(("process", "table"), PLACES)
def test_the_owner_is_held_by_triggers(shop: Shop, process: str, table: str) -> None:
    shop.open_account().tokenise()
    with shop.owned_database(process) as connection, connection.transaction(force_rollback=True):
        names = [table]
        if table in FILLED:
            connection.execute(FILLED[table].encode())
        if table == "audit_entries":
            names.append(partition())
        for name in names:
            for form in CHANGES[:3]:
                if table == "audit_roots" and form != CHANGES[2]:
                    # A row of it would stand in the way of the next root.
                    continue
                with (
                    pytest.raises(psycopg.errors.InsufficientPrivilege, match="is append-only"),
                    connection.transaction(),
                ):
                    connection.execute(change(connection, form, name).encode())


def test_the_service_owns_nothing(shop: Shop) -> None:
    for process in TABLES:
        with shop.database(process) as connection:
            owned = connection.execute(
                "SELECT relname FROM pg_class WHERE pg_has_role(relowner, 'USAGE')"
            ).fetchall()
            assert owned == []
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("CREATE TABLE public.mine (id int)")


def test_the_service_makes_partitions_all_the_same(shop: Shop) -> None:
    for process in TABLES:
        with shop.database(process) as connection:
            connection.execute("SELECT make_partitions(now() + interval '1 month')")
            for table in ("events", "audit_entries"):
                if process == "paymint-vault" and table == "events":
                    continue
                parts = connection.execute(
                    "SELECT count(*) FROM pg_inherits WHERE inhparent = %s::regclass", (table,)
                ).fetchone()
                assert parts is not None and parts[0] >= 5
    with shop.owned_database() as connection:
        unguarded = connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'audit_entries'::regclass AND NOT EXISTS"
            " (SELECT FROM pg_trigger WHERE tgrelid = inhrelid AND tgname = 'refuse_truncate')"
        ).fetchall()
        assert unguarded == []
