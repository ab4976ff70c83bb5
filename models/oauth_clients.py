"""Applications that merchants may let in.  They belong to the platform, not to a merchant."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from models.inserting import insert_row
from models.tables import OAUTH_CLIENTS as CLIENTS
from runtime.database import Row, Transaction, compile_sql

_CHANGEABLE = ("name", "redirect_uris", "scopes", "deleted_at")
_THIS_ONE = (
    CLIENTS.c.id == sa.bindparam("of_id", type_=CLIENTS.c.id.type),
    CLIENTS.c.deleted_at.is_(None),
)
_INSERT = insert_row(CLIENTS, "deleted_at", answered=True)
_FIND = compile_sql(sa.select(CLIENTS).where(*_THIS_ONE))
_LOCK = compile_sql(sa.select(CLIENTS).where(*_THIS_ONE).with_for_update())
_COUNT = compile_sql(
    sa.select(sa.func.count().label("count")).select_from(CLIENTS).where(_THIS_ONE[1])
)
_NAMES = compile_sql(
    sa.select(CLIENTS.c.id, CLIENTS.c.name).where(
        CLIENTS.c.id == sa.func.any(sa.bindparam("ids", type_=ARRAY(CLIENTS.c.id.type)))
    )
)
_SAVE = compile_sql(
    sa.update(CLIENTS)
    .values({name: sa.bindparam(name, type_=CLIENTS.c[name].type) for name in _CHANGEABLE})
    .where(*_THIS_ONE)
    .returning(CLIENTS)
)


async def insert_client(transaction: Transaction, **columns: Any) -> Row:
    """Register an application; the keywords are its columns.  Answers the row."""
    return await transaction.one(_INSERT, **columns)


async def find_client(transaction: Transaction, client_id: UUID) -> Row | None:
    """An application that was not deleted."""
    return await transaction.maybe(_FIND, of_id=client_id)


async def lock_client(transaction: Transaction, client_id: UUID) -> Row | None:
    """An application, held against other changes until the transaction ends."""
    return await transaction.maybe(_LOCK, of_id=client_id)


async def count_clients(transaction: Transaction) -> int:
    """How many there are; the operator registers them one by one."""
    count: int = (await transaction.one(_COUNT))["count"]
    return count


async def save_client(
    transaction: Transaction, client: Row, deleted_at: datetime | None = None
) -> Row:
    """Write what may change of an application."""
    changed = {name: client[name] for name in _CHANGEABLE} | {"deleted_at": deleted_at}
    return await transaction.one(_SAVE, of_id=client["id"], **changed)


async def client_names(transaction: Transaction, ids: Iterable[UUID]) -> dict[UUID, str]:
    """The names of these applications, of deleted ones too."""
    found = await transaction.all(_NAMES, ids=list(ids))
    return {row["id"]: row["name"] for row in found}
