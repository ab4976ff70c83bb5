"""Alerts: what a merchant should look at, one open row for one thing."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from models.tables import ALERTS
from runtime.database import Row, Transaction, compile_sql

_OPEN = ALERTS.c.resolved_at.is_(None)


class Alert(NamedTuple):
    """What happened to whom: `type` is the document's AlertType, `subject` what it is about."""

    id: UUID
    merchant_id: UUID
    livemode: bool
    type: str
    subject: str
    created_at: datetime


def _raise_statement() -> sa.sql.ClauseElement:
    given = {name: sa.bindparam(name, type_=ALERTS.c[name].type) for name in Alert._fields}
    raising = insert(ALERTS).values(**given, last_seen_at=given["created_at"])
    return raising.on_conflict_do_update(
        index_elements=["merchant_id", "livemode", "type", "subject"],
        index_where=_OPEN,
        set_={"last_seen_at": raising.excluded.last_seen_at},
    )


_RAISE = compile_sql(_raise_statement())
_READ = compile_sql(
    sa.select(ALERTS).where(
        *(
            ALERTS.c[name] == sa.bindparam(name, type_=ALERTS.c[name].type)
            for name in ("id", "merchant_id", "livemode")
        )
    )
)
_SAME = ("merchant_id", "livemode", "type", "subject")
_READ_OPEN = compile_sql(
    sa.select(ALERTS).where(
        *(ALERTS.c[name] == sa.bindparam(name, type_=ALERTS.c[name].type) for name in _SAME),
        _OPEN,
    )
)
_RESOLVE = compile_sql(
    sa.update(ALERTS)
    .values(resolved_at=sa.bindparam("at", type_=ALERTS.c.resolved_at.type))
    .where(ALERTS.c.merchant_id == sa.bindparam("of_merchant", type_=ALERTS.c.id.type))
    .where(ALERTS.c.livemode == sa.bindparam("of_mode", type_=sa.Boolean))
    .where(ALERTS.c.type == sa.bindparam("of_type", type_=sa.Text))
    .where(ALERTS.c.subject == sa.bindparam("of_subject", type_=sa.Text), _OPEN)
)


async def read_open_alert(transaction: Transaction, alert: Alert) -> Row | None:
    """The open alert about the same thing as `alert`, if there is one."""
    same = {name: getattr(alert, name) for name in _SAME}
    return await transaction.maybe(_READ_OPEN, **same)


async def raise_alert(transaction: Transaction, alert: Alert) -> None:
    """Open an alert, or note that an open one was seen again."""
    await transaction.run(_RAISE, **alert._asdict())


async def read_alert(
    transaction: Transaction, merchant_id: UUID, livemode: bool, alert_id: UUID
) -> Row | None:
    """One alert, if it is there."""
    return await transaction.maybe(_READ, id=alert_id, merchant_id=merchant_id, livemode=livemode)


async def resolve_alert(
    transaction: Transaction,
    merchant_id: UUID,
    livemode: bool,
    about: tuple[str, str],
    now: datetime,
) -> None:
    """Close the open alert `about` (type, subject), if there is one."""
    kind, subject = about
    await transaction.run(
        _RESOLVE,
        of_merchant=merchant_id,
        of_mode=livemode,
        of_type=kind,
        of_subject=subject,
        at=now,
    )
