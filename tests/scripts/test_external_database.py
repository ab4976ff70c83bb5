"""DATABASE_URL in place of the embedded cluster: the vault still gets a database of its own."""

import psycopg
import pytest

from scripts.launcher.console import LaunchError
from scripts.launcher.databases import DatabaseUrls, external_databases, session
from tests.scripts.conftest import Servers


def make_user(servers: Servers, name: str, rights: str) -> str:
    with session(servers.cluster.url()) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN {rights} PASSWORD 'a-password'".encode())
        connection.execute(f"CREATE DATABASE {name} OWNER {name}".encode())
    return servers.cluster.url(name, name, "a-password")


def test_the_vaults_database_is_made_beside_it(servers: Servers) -> None:
    main = make_user(servers, "shop", "CREATEDB CREATEROLE")
    urls = external_databases(main, "", servers.state)
    assert urls.main == main
    assert external_databases(main, "", servers.state) == urls
    with psycopg.connect(urls.vault) as connection:
        row = connection.execute("SELECT current_user, current_database()").fetchone()
    assert row == ("shop_vault", "shop_vault")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(main.rpartition("/")[0] + "/shop_vault")


def test_a_role_that_may_not_is_told_what_to_do(servers: Servers) -> None:
    main = make_user(servers, "small", "")
    with pytest.raises(LaunchError, match="VAULT_DATABASE_URL"):
        external_databases(main, "", servers.state)


def test_both_urls_are_taken_as_they_are(servers: Servers) -> None:
    urls = external_databases("postgresql://a/b", "postgresql://c/d", servers.state)
    assert urls == DatabaseUrls("postgresql://a/b", "postgresql://c/d")


def test_an_unreachable_server_is_a_plain_sentence(servers: Servers) -> None:
    with pytest.raises(LaunchError, match="cannot connect to the database"):
        external_databases("postgresql://nobody@127.0.0.1:1/none", "", servers.state)
