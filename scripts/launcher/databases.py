"""The two databases, each with a role of its own: neither house can open the other's.

PCI DSS 4.0.1 req. 7.2: the main house's role cannot connect to the vault's database.  What a
service runs as owns nothing: an owner's role migrates and grants (req. 7.2.5, 10.3.2).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from scripts.launcher.cluster import Cluster
from scripts.launcher.console import LaunchError
from scripts.launcher.state import StateDirectory

CONNECT_SECONDS = 10


@dataclass(frozen=True)
class DatabaseUrls:
    """Connection URLs of the main house's and the vault's database.

    The owners' are empty where one role both owns and serves.
    """

    main: str
    vault: str
    main_owner: str = ""
    vault_owner: str = ""


Session = psycopg.Connection[tuple[object, ...]]


@contextmanager
def session(url: str) -> Iterator[Session]:
    """A connection outside any transaction: CREATE DATABASE demands it."""
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS)
    except psycopg.OperationalError as reason:
        raise LaunchError(f"cannot connect to the database: {reason}") from reason
    with connection:
        yield connection


def exists(connection: Session, kind: sql.SQL, name: str) -> bool:
    return connection.execute(kind, (name,)).fetchone() is not None


ROLE_BY_NAME = sql.SQL("SELECT 1 FROM pg_roles WHERE rolname = %s")
DATABASE_BY_NAME = sql.SQL("SELECT 1 FROM pg_database WHERE datname = %s")


def make_role(connection: Session, name: str, password: str) -> None:
    """A role that may log in and nothing else; only the SCRAM verifier crosses the wire."""
    if exists(connection, ROLE_BY_NAME, name):
        return
    verifier = connection.pgconn.encrypt_password(
        password.encode(), name.encode(), b"scram-sha-256"
    ).decode()
    connection.execute(
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
            sql.Identifier(name), sql.Literal(verifier)
        )
    )


def make_database(connection: Session, name: str, owner: str) -> None:
    if not exists(connection, DATABASE_BY_NAME, name):
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(owner)
            )
        )


def close_to_public(connection: Session, name: str) -> None:
    connection.execute(
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name))
    )


def embedded_databases(cluster: Cluster, state: StateDirectory) -> DatabaseUrls:
    """Makes what is missing in our own cluster: each database has a role and an owner."""
    urls, owners = [], []
    with session(cluster.url()) as connection:
        for name in ("paymint", "paymint_vault"):
            owner = f"{name}_owner"
            passwords = {role: state.password(role) for role in (name, owner)}
            for role, password in passwords.items():
                make_role(connection, role, password)
            make_database(connection, name, owner=owner)
            close_to_public(connection, name)
            hand_over(connection, cluster.url(name), name, owner)
            urls.append(cluster.url(name, name, passwords[name]))
            owners.append(cluster.url(name, owner, passwords[owner]))
        close_to_public(connection, "postgres")
    return DatabaseUrls(*urls, *owners)


def hand_over(connection: Session, url: str, name: str, owner: str) -> None:
    """Gives database `name` and all in it to its owner; the role `name` may only connect.

    In a database made before there were owners, everything belongs to that role.
    """
    service, owning = sql.Identifier(name), sql.Identifier(owner)
    connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(service, owning))
    connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(service, service))
    with session(url) as inside:
        inside.execute(sql.SQL("REASSIGN OWNED BY {} TO {}").format(service, owning))


def external_databases(
    main: str, vault: str, state: StateDirectory, owners: tuple[str, str] = ("", "")
) -> DatabaseUrls:
    """The user's database; the vault's is made on the same server when none is named.

    `owners` are the URLs by which the main house's and the vault's database are migrated.
    """
    if vault:
        return DatabaseUrls(main, vault, *owners)
    with session(main) as connection:
        name = f"{connection.info.dbname}_vault"
        password = state.password(f"{connection.info.host}/{name}")
        try:
            make_vault_beside(connection, name, password)
        except psycopg.errors.InsufficientPrivilege as reason:
            raise LaunchError(
                f"DATABASE_URL's role may not create the vault's database {name}: grant it "
                "CREATEDB and CREATEROLE, or set VAULT_DATABASE_URL to a database of another role"
            ) from reason
    url = same_server(main, name, password)
    with session(url) as connection:
        close_to_public(connection, name)
    return DatabaseUrls(main, url, owners[0])


def make_vault_beside(connection: Session, name: str, password: str) -> None:
    """Role and database of the vault; whoever creates them is not left a member of the role."""
    make_role(connection, name, password)
    if exists(connection, DATABASE_BY_NAME, name):
        return
    role = sql.Identifier(name)
    connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
    try:
        make_database(connection, name, owner=name)
    finally:
        connection.execute(sql.SQL("REVOKE {} FROM CURRENT_USER").format(role))


def same_server(main: str, name: str, password: str) -> str:
    """The URL of database and role `name` on the server of `main`, its parameters kept."""
    parts = urlsplit(main)
    place = parts.netloc.rpartition("@")[2]
    netloc = f"{quote(name, safe='')}:{quote(password, safe='')}@{place}"
    return urlunsplit((parts.scheme, netloc, f"/{quote(name, safe='')}", parts.query, ""))
