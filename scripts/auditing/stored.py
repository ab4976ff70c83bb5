"""The stored trail, read with the services' own roles in one snapshot each."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from domain.audit_chain import Unchained
from domain.audit_roots import Root, SealedHead
from domain.audit_verification import Row

ROWS_AT_ONCE = 2000
NAME = "audit"
_MILLISECOND_BITS = 80
_ROWS = """SELECT id, merchant_id, livemode, entry::text AS entry, created_at,
    chain, sequence, previous, hash FROM audit_entries
    WHERE chain IS NOT NULL AND id >= %(since)s::uuid AND id < %(till)s::uuid
    ORDER BY chain, sequence, id"""
_UNCHAINED = """SELECT id FROM audit_entries
    WHERE chain IS NULL AND created_at > (SELECT min(sealed_at) FROM audit_roots)
    ORDER BY id LIMIT 1000"""
_IS_THERE = "SELECT 1 FROM audit_entries WHERE chain = %s LIMIT 1"
_ROOTS = "SELECT * FROM audit_roots ORDER BY number"
_HEADS = "SELECT house, chain, sequence, hash, root FROM audit_heads ORDER BY root"
_KEYS = "SELECT key_name, public FROM audit_keys"

Failure = psycopg.Error
Session = psycopg.Connection[dict[str, Any]]


@contextmanager
def reading(url: str) -> Iterator[Session]:
    """A connection that sees the database as it is now, and changes nothing."""
    with psycopg.connect(url, row_factory=dict_row, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = on")
        connection.execute("SET timezone = 'UTC'")
        yield connection


def rows(connection: Session, since: UUID, till: UUID) -> Iterator[Row]:
    """The chained entries with ids from `since` to before `till`, by chain and sequence."""
    with connection.transaction(), connection.cursor(NAME) as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(_ROWS, {"since": since, "till": till})
        for row in cursor:
            content = Unchained(
                row["id"], row["merchant_id"], row["livemode"], row["entry"].encode()
            )
            moment = row["created_at"].isoformat(timespec="milliseconds").replace("+00:00", "Z")
            previous, hashed = bytes(row["previous"]), bytes(row["hash"])
            yield Row(row["chain"], row["sequence"], previous, hashed, content, moment)


def unchained(connection: Session) -> list[UUID]:
    """Entries without a place in a chain that are younger than the first root."""
    return [row["id"] for row in connection.execute(_UNCHAINED)]


def is_there(connection: Session, chain: UUID) -> bool:
    """Whether a chain has any entry at all."""
    return connection.execute(_IS_THERE, (chain,)).fetchone() is not None


def roots(connection: Session) -> list[Root]:
    """Every root, in its order."""
    return [
        Root(
            row["number"],
            row["sealed_at"],
            bytes(row["previous"]),
            bytes(row["hash"]),
            row["key_name"],
            bytes(row["signature"]),
        )
        for row in connection.execute(_ROOTS)
    ]


def heads(connection: Session) -> dict[int, list[SealedHead]]:
    """The heads of every root, by its number."""
    found: dict[int, list[SealedHead]] = {}
    for row in connection.execute(_HEADS):
        head = SealedHead(row["house"], row["chain"], row["sequence"], bytes(row["hash"]))
        found.setdefault(row["root"], []).append(head)
    return found


def public_keys(connection: Session) -> dict[str, bytes]:
    """The public half of every signing key, by its name."""
    return {row["key_name"]: bytes(row["public"]) for row in connection.execute(_KEYS)}


def first_id(moment: datetime) -> UUID:
    """The smallest UUIDv7 of a moment."""
    return UUID(int=int(moment.replace(tzinfo=UTC).timestamp() * 1000) << _MILLISECOND_BITS)
