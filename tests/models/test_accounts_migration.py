"""Accounts that were there before names, lists and production access keep working."""

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from tests.cluster import Cluster
from tests.house.tree import ROOT
from tests.models.test_migrations import engine

BEFORE, AFTER = "0003", "0004"
MERCHANT = "019d7cd3-e841-7f5a-9c2b-7d4e6f8a0b13"
SECRET, PUBLISHABLE = MERCHANT[:-1] + "4", MERCHANT[:-1] + "5"
_OPEN = f"""
    INSERT INTO merchants (id, business_name, email, mcc, country, status, settlement_currency,
                           created_at)
    VALUES ('{MERCHANT}', 'Shop', 'a@b.example', '5999', 'US', 'pending_review', 'usd', now());
    INSERT INTO api_keys (id, merchant_id, livemode, type, secret_hash, publishable_key, display,
                          scopes, created_at)
    VALUES ('{SECRET}', '{MERCHANT}', false, 'secret', 'hash', NULL, 'sk', '{{}}', now()),
           ('{PUBLISHABLE}', '{MERCHANT}', false, 'publishable', NULL, 'pk', 'pk', '{{}}', now())"""


def upgrade(url: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "models/migrations"))
    with engine(url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_keys_get_names_and_merchants_are_counted(cluster: Cluster) -> None:
    url = cluster.database()
    upgrade(url, BEFORE)
    with engine(url).begin() as connection:
        connection.execute(sa.text(_OPEN))
    upgrade(url, AFTER)
    with psycopg.connect(url) as connection:
        names = connection.execute("SELECT name FROM api_keys ORDER BY id").fetchall()
        counted = connection.execute(
            "SELECT resource, status, count FROM counters WHERE merchant_id::text LIKE '00000000-%'"
        ).fetchall()
    assert names == [("First secret key",), ("First publishable key",)]
    assert counted == [("merchants", "pending_review", 1)]
