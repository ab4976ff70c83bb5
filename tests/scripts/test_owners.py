"""An owner beside each service: made for a new cluster, taken up by an older one."""

import psycopg
import pytest
import sqlalchemy as sa

from models.migrate import migrate
from scripts.launcher.databases import (
    DatabaseUrls,
    embedded_databases,
    external_databases,
    make_database,
    make_role,
    session,
)
from tests.scripts.conftest import Servers
from vault.migrate import migrate as migrate_vault

OWNERS = """SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace"""


def test_a_database_made_before_is_handed_over(servers: Servers) -> None:
    with session(servers.cluster.url()) as connection:
        for name in ("paymint", "paymint_vault"):
            make_role(connection, name, servers.state.password(name))
            make_database(connection, name, owner=name)
    old = {
        name: servers.cluster.url(name, name, servers.state.password(name))
        for name in ("paymint", "paymint_vault")
    }
    migrate(old["paymint"])
    migrate_vault(old["paymint_vault"])
    entry = b"""INSERT INTO audit_entries (id, merchant_id, entry, created_at)
        VALUES (gen_random_uuid(), gen_random_uuid(), '{}', now())"""
    with psycopg.connect(old["paymint"]) as connection:
        connection.execute(entry)
    for _ in range(2):
        urls = embedded_databases(servers.cluster, servers.state)
        assert (urls.main, urls.vault) == (old["paymint"], old["paymint_vault"])
        migrate(urls.main_owner, service_role=sa.make_url(urls.main).username)
        migrate_vault(urls.vault_owner, sa.make_url(urls.vault).username)
    for url, owner in ((urls.main, "paymint_owner"), (urls.vault, "paymint_vault_owner")):
        with psycopg.connect(url, autocommit=True) as service:
            assert service.execute(OWNERS).fetchall() == [(owner,)]
            service.execute("SELECT count(*) FROM audit_entries")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                service.execute("DELETE FROM audit_entries")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                service.execute("SET ROLE " + owner)
    for own, other in ((urls.main_owner, "paymint_vault"), (urls.vault_owner, "paymint")):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(own.rpartition("/")[0] + "/" + other)


def test_one_url_serves_and_owns(servers: Servers) -> None:
    """The triggers hold all the same; what is lost is in docs/audit.md."""
    with session(servers.cluster.url()) as connection:
        connection.execute("CREATE ROLE alone LOGIN PASSWORD 'a-password'")
        connection.execute("CREATE DATABASE alone OWNER alone")
    url = servers.cluster.url("alone", "alone", "a-password")
    migrate(url, service_role="alone")
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO audit_entries (id, merchant_id, entry, created_at)"
            " VALUES (gen_random_uuid(), gen_random_uuid(), '{}', now())"
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            connection.execute("DELETE FROM audit_entries")


def test_owners_of_a_database_of_ones_own_are_named(servers: Servers) -> None:
    owners = ("postgresql://o/b", "postgresql://p/d")
    urls = external_databases("postgresql://a/b", "postgresql://c/d", servers.state, owners)
    assert urls == DatabaseUrls("postgresql://a/b", "postgresql://c/d", *owners)
