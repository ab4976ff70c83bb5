"""Named leases: work of the whole house that one worker at a time should do.

The holder is a process number, which its successor has too: a worker that was killed and
is started again goes on at once.  A lease is no lock.  Who was stopped for longer than it lasts may
go on beside the next holder, so the work must be safe to do twice; it is only not wanted.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from models.tables import WORKER_LEASES
from runtime.batches import MOMENT
from runtime.database import Transaction, compile_sql

_LEASE = WORKER_LEASES.c
_HOLDER = sa.bindparam("holder", type_=sa.Integer)
_NOW = sa.bindparam("now", type_=MOMENT)


def _take_statement() -> sa.sql.ClauseElement:
    taking = insert(WORKER_LEASES).values(
        name=sa.bindparam("name", type_=sa.Text),
        holder=_HOLDER,
        expires_at=sa.bindparam("until", type_=MOMENT),
    )
    return taking.on_conflict_do_update(
        index_elements=[_LEASE.name],
        set_={"holder": taking.excluded.holder, "expires_at": taking.excluded.expires_at},
        where=sa.or_(_LEASE.holder == _HOLDER, _LEASE.expires_at <= _NOW),
    ).returning(_LEASE.name)


_TAKE = compile_sql(_take_statement())
_GIVE_BACK = compile_sql(sa.delete(WORKER_LEASES).where(_LEASE.holder == _HOLDER))


async def take_lease(
    transaction: Transaction, name: str, holder: int, now: datetime, until: datetime
) -> bool:
    """Take a named lease or prolong one's own; False while somebody else has it."""
    row = await transaction.maybe(_TAKE, name=name, holder=holder, now=now, until=until)
    return row is not None


async def give_leases_back(transaction: Transaction, holder: int) -> None:
    """End every named lease of a process."""
    await transaction.run(_GIVE_BACK, holder=holder)
