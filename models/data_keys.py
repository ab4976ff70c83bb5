"""Wrapped data keys of the main house: what seals its secrets (adapters/keys/seals.py)."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from models.tables import DATA_KEYS
from runtime.database import Database, compile_sql

_LOAD = compile_sql(
    sa.select(DATA_KEYS.c.version, DATA_KEYS.c.wrapped)
    .where(
        DATA_KEYS.c.owner_id == sa.bindparam("owner_id"),
        DATA_KEYS.c.use == sa.bindparam("use"),
    )
    .order_by(DATA_KEYS.c.version)
)
_ADD = compile_sql(
    insert(DATA_KEYS)
    .values({name: sa.bindparam(name) for name in ("owner_id", "use", "version", "wrapped")})
    .on_conflict_do_nothing()
)


class DataKeyStore:
    """The store of `adapters.keys.seals.Seals`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, owner: UUID, use: str) -> list[tuple[int, bytes]]:
        """Every version and its wrapped key, oldest first."""
        async with self._database.reading() as transaction:
            rows = await transaction.all(_LOAD, owner_id=owner, use=use)
        return [(row["version"], bytes(row["wrapped"])) for row in rows]

    async def add(self, owner: UUID, use: str, version: int, wrapped: bytes) -> None:
        """Store a version, unless another process has stored it first."""
        async with self._database.transaction() as transaction:
            await transaction.run(_ADD, owner_id=owner, use=use, version=version, wrapped=wrapped)
