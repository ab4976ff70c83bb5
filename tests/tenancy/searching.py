"""Where to look for what must not be there: tables, files, Valkey."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg import sql

from tests.shop import Shop


def tables(connection: psycopg.Connection[Any]) -> list[tuple[str, list[str]]]:
    """Every table with its columns, partitions and bookkeeping included."""
    rows = connection.execute(
        "SELECT table_name, array_agg(column_name::text) FROM information_schema.columns"
        " WHERE table_schema = 'public' GROUP BY table_name"
    ).fetchall()
    return [(str(name), list(columns)) for name, columns in rows]


def rows_with(connection: psycopg.Connection[Any], table: str, text: str, without: str) -> int:
    """How many rows show a text, in words or in the hexadecimal of their bytes."""
    found = connection.execute(
        sql.SQL(
            "SELECT count(*) FROM (SELECT (to_jsonb(t) - %s)::text AS shown FROM {} AS t) AS rows"
            " WHERE shown LIKE %s OR shown LIKE %s"
        ).format(sql.Identifier(table)),
        (without, f"%{text}%", f"%{text.encode().hex()}%"),
    ).fetchone()
    assert found is not None
    return int(found[0])


def files(shop: Shop) -> Iterator[Path]:
    """What the processes wrote: logs, the journal, the state, the servers' own files."""
    for part in ("log", "simulator", "keys", "servers"):
        yield from (path for path in (shop.serving.directory / part).rglob("*") if path.is_file())
    yield from shop.serving.directory.glob("*.json")


def held_by_valkey(shop: Shop) -> bytes:
    """Every key with its value, as Valkey itself writes them out."""
    client = redis.Redis.from_url(shop.environment["paymint-api"]["REDIS_URL"])
    try:
        keys = list(client.scan_iter(count=1000))
        return b"\n".join(key + b" " + (client.dump(key) or b"") for key in keys)
    finally:
        client.close()
