"""What is sealed is registered, and what an older version stored in clear is sealed."""

import asyncio
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa

from adapters.keys import KeyUnusable, Seals, file_provider
from adapters.keys.file import FileKeys
from adapters.keys.ring import KEY_BYTES
from flows.migrate import migrate_and_seal
from models.data_keys import DataKeyStore
from models.migrate import migrate
from models.sealed import CUSTOMER_EMAIL, CUSTOMER_NAME, REPLY, SEALED, WEBHOOK_SECRET
from models.tables import METADATA
from runtime.clock import SystemClock
from runtime.database import Database
from tests.cluster import Cluster
from tests.models.test_accounts_migration import MERCHANT, upgrade
from tests.models.test_migrations import engine

SUFFIX = "_sealed"
BEFORE = "0013"
CUSTOMER = MERCHANT[:-1] + "6"
ENDPOINT = MERCHANT[:-1] + "7"
KEY = "7a1c7f7e-5a32-4f8f-9d7c-0a3b1c2d3e4f"
REPLIED = (
    '{"object": "customer", "id": "cus_'
    + CUSTOMER.replace("-", "")
    + '", "email": "ada@example.com"}'
)
_ROWS = f"""
    INSERT INTO merchants (id, business_name, email, mcc, country, status, settlement_currency,
                           api_version, created_at)
    VALUES ('{MERCHANT}', 'Shop', 'a@b.example', '5999', 'US', 'pending_review', 'usd',
            '2026-04-01', now());
    INSERT INTO webhook_endpoints (id, merchant_id, livemode, status, secret, previous_secret,
                                   previous_secret_until, created_at)
    VALUES ('{ENDPOINT}', '{MERCHANT}', false, 'enabled', 'whsec_new', 'whsec_old', now(), now());
    INSERT INTO customers (id, merchant_id, livemode, email, name, metadata, created_at)
    VALUES ('{CUSTOMER}', '{MERCHANT}', false, 'ada@example.com', 'Ada', '{{}}', now());
    INSERT INTO customers (id, merchant_id, livemode, email, name, metadata, created_at)
    SELECT gen_random_uuid(), '{MERCHANT}', false, 'n' || n || '@example.com', NULL, '{{}}', now()
    FROM generate_series(1, 1200) AS n;
    INSERT INTO idempotency_keys (key, merchant_id, livemode, digest, status, reply, created_at)
    VALUES ('{KEY}', '{MERCHANT}', false, '\\x00', 201, '{REPLIED}', now())"""
_WRAPPED = "INSERT INTO data_keys (owner_id, use, version, wrapped) VALUES (%s, 'seal', 1, %s)"


def test_every_sealed_column_is_registered() -> None:
    named = {
        (table.name, column.name)
        for table in METADATA.tables.values()
        for column in table.columns
        if column.name.endswith(SUFFIX)
    }
    assert named == {(each.table.name, each.column) for each in SEALED}
    for each in SEALED:
        assert each.purpose and (each.owner is None or each.owner in each.table.c)


@pytest.fixture
def old(cluster: Cluster, tmp_path: Path) -> str:
    """A database of the version before, with something of every kind in clear."""
    url = cluster.database()
    upgrade(url, BEFORE)
    with engine(url).begin() as connection:
        connection.exec_driver_sql(_ROWS)
        # As it was before master keys had names: without one.
        _, wrapped = FileKeys(tmp_path).wrap(bytes(KEY_BYTES))
        connection.exec_driver_sql(_WRAPPED, (ENDPOINT, wrapped))
    return url


def test_what_was_in_clear_is_sealed_on_the_way(old: str, tmp_path: Path) -> None:
    provider = file_provider(tmp_path)
    migrate_and_seal(old, provider)
    with psycopg.connect(old) as connection:
        (secret, previous) = connection.execute(
            "SELECT secret_sealed, previous_secret_sealed FROM webhook_endpoints"
        ).fetchall()[0]
        (email, index, name) = connection.execute(
            "SELECT email_sealed, email_index, name_sealed FROM customers WHERE id = %s", [CUSTOMER]
        ).fetchall()[0]
        (reply, sealed_reply, about) = connection.execute(
            "SELECT reply, reply_sealed, resource_id FROM idempotency_keys"
        ).fetchall()[0]
        left = connection.execute(
            "SELECT count(*), count(DISTINCT email_index) FROM customers"
            " WHERE email_sealed IS NOT NULL"
        ).fetchall()
        master = connection.execute("SELECT DISTINCT master_key FROM data_keys").fetchall()
    assert left == [(1201, 1201)] and master == [("file:master",)]
    assert (reply, about) == (None, UUID(CUSTOMER))

    async def opened() -> list[bytes]:
        database = Database(old)
        await database.open()
        seals = Seals(DataKeyStore(database), provider, SystemClock())
        owner = UUID(MERCHANT)
        try:
            assert await seals.index(owner, CUSTOMER_EMAIL, "ada@example.com") == index
            return [
                await seals.open(owner, WEBHOOK_SECRET, secret),
                await seals.open(owner, WEBHOOK_SECRET, previous),
                await seals.open(owner, CUSTOMER_EMAIL, email),
                await seals.open(owner, CUSTOMER_NAME, name),
                await seals.open(owner, REPLY, sealed_reply),
            ]
        finally:
            await database.close()

    wanted = [b"whsec_new", b"whsec_old", b"ada@example.com", b"Ada", REPLIED.encode()]
    assert asyncio.run(opened()) == wanted


def test_nothing_is_sealed_by_another_master_key(old: str, tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="put the right master key back"):
        migrate_and_seal(old, file_provider(tmp_path / "another"))
    with engine(old).connect() as connection:
        clear = sa.text("SELECT count(*) FROM customers WHERE email IS NOT NULL")
        assert connection.execute(clear).scalar() == 1201


def test_without_keys_nothing_is_done(old: str) -> None:
    with pytest.raises(RuntimeError, match=r"flows\.migrate"):
        migrate(old)
    with engine(old).connect() as connection:
        clear = sa.text("SELECT count(*) FROM customers WHERE email IS NOT NULL")
        assert connection.execute(clear).scalar() == 1201
