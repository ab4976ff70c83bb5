"""Sealing what a migration finds in clear, on the migration's own connection."""

from collections.abc import Callable
from typing import Any, Final, Protocol
from uuid import UUID

import sqlalchemy as sa

from models.data_keys import TABLES
from runtime.database import Statement
from runtime.wrapped_keys import MasterKey, NewKey, WrappedKeys

# Where a migration finds its sealer, among the attributes of Alembic's configuration.
SEALING: Final = "sealing"
BATCH: Final = 500


class Sealer(Protocol):
    """Seals for an owner and a purpose."""

    def seal(self, owner: UUID, purpose: str, text: str) -> bytes:
        """The text under seal."""
        ...

    def index(self, owner: UUID, purpose: str, text: str) -> bytes:
        """The keyed digest of the text."""
        ...


class BoundDataKeys:
    """Data keys read and written in the transaction of a migration.

    Its methods are those of `runtime.wrapped_keys.WrappedKeyStore` and wait for nothing.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    async def load(self, owner: UUID, use: str) -> WrappedKeys:
        rows = self._run(TABLES.load, owner=owner, use=use)
        return [(row.version, bytes(row.wrapped)) for row in rows]

    async def samples(self) -> list[bytes]:
        return [bytes(row.wrapped) for row in self._run(TABLES.samples)]

    async def add(self, key: NewKey) -> bool:
        if self._run(TABLES.add, **key._asdict()).rowcount:
            return True
        return self._run(TABLES.in_use, master=key.master).first() is not None

    async def meet(self, master: MasterKey) -> None:
        self._run(TABLES.meet, **master._asdict())

    def _run(self, statement: Statement, **given: Any) -> "sa.CursorResult[Any]":
        return self._connection.exec_driver_sql(statement.text, {**statement.constants, **given})


MakeSealer = Callable[[BoundDataKeys], Sealer]


def seal_column(
    connection: sa.Connection,
    sealer: Sealer | None,
    column: tuple[str, str, str, str],
    *,
    index: bool,
) -> None:
    """Fill a sealed column from a clear one: (table, clear, sealed, purpose).

    Raises RuntimeError where there is something to seal and nobody to do it.
    """
    table, clear, sealed, purpose = column
    look = sa.text(
        f"SELECT ctid::text AS place, merchant_id, {clear} AS clear FROM {table}"  # nosec B608  # our names
        f" WHERE {clear} IS NOT NULL AND {sealed} IS NULL LIMIT {BATCH}"
    )
    indexed = ", email_index = :digest" if index else ""
    fill = sa.text(f"UPDATE {table} SET {sealed} = :sealed{indexed} WHERE ctid = CAST(:at AS tid)")  # nosec B608  # our names
    while rows := connection.execute(look).all():
        if sealer is None:
            raise RuntimeError("there is something to seal: run python -m flows.migrate")
        for row in rows:
            given = {"at": row.place, "sealed": sealer.seal(row.merchant_id, purpose, row.clear)}
            if index:
                given["digest"] = sealer.index(row.merchant_id, purpose, row.clear)
            connection.execute(fill, given)
