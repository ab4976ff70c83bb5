"""What attempts say of an endpoint: that it answers, that it fails, that it is given up.

The CTEs below are part of the statement that records attempts
(models/deliveries.py), so an endpoint is disabled in the transaction of the attempt that
shows it dead.  Endpoints are found by their primary key and written only when something
changes: the first failure, the success after it, the end.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from domain.alerts import WEBHOOK_ENDPOINT_DISABLED
from domain.webhook_endpoints import GIVEN_UP_AFTER
from models.tables import ALERTS, WEBHOOK_ENDPOINTS
from runtime.batches import FLAG, ID, NUMBER, TEXT, seconds, word

_GIVEN_UP_AFTER = seconds(int(GIVEN_UP_AFTER.total_seconds()))
_ENDPOINT = WEBHOOK_ENDPOINTS.c
_ONE = sa.literal_column("1", NUMBER)
_NONE = sa.literal_column("0", NUMBER)


def judged_endpoints(recorded: sa.CTE) -> sa.CTE:
    """One row per endpoint of `recorded`: did it answer, and since when did it fail.

    `recorded` has endpoint_id, merchant_id, succeeded (null where nothing was posted),
    attempted_at (business time) and alert_id.  Sorted, so that two workers never wait for
    each other.
    """
    row = recorded.c
    failed = row.succeeded.is_(False)
    some_id = sa.func.min(sa.cast(row.alert_id, TEXT))
    return (
        sa.select(
            row.merchant_id,
            row.endpoint_id,
            sa.func.bool_or(row.succeeded, type_=FLAG).label("answered"),
            sa.func.min(row.attempted_at).filter(failed).label("failed_first"),
            sa.func.max(row.attempted_at).filter(failed).label("failed_last"),
            sa.cast(some_id, ID).label("alert_id"),
        )
        .where(row.succeeded.is_not(None))
        .group_by(row.merchant_id, row.endpoint_id)
        .order_by(row.merchant_id, row.endpoint_id)
        .cte("judged")
    )


def marked_endpoints(judged: sa.CTE) -> sa.CTE:
    """A CTE that writes what changed of the endpoints, and disables those given up."""
    row = judged.c
    over = _ENDPOINT.failing_since <= row.failed_last - _GIVEN_UP_AFTER
    given_up = sa.and_(~row.answered, sa.func.coalesce(over, sa.false()))
    changes = sa.case(
        (row.answered, _ENDPOINT.failing_since.is_not(None)),
        else_=sa.or_(_ENDPOINT.failing_since.is_(None), over),
    )
    return (
        sa.update(WEBHOOK_ENDPOINTS)
        .values(
            failing_since=sa.case(
                (row.answered, sa.null()),
                else_=sa.func.coalesce(_ENDPOINT.failing_since, row.failed_first),
            ),
            status=sa.case((given_up, word("disabled")), else_=_ENDPOINT.status),
            revision=_ENDPOINT.revision + sa.case((given_up, _ONE), else_=_NONE),
        )
        .where(_ENDPOINT.id == row.endpoint_id, _ENDPOINT.merchant_id == row.merchant_id)
        .where(_ENDPOINT.status == word("enabled"), changes)
        .returning(
            _ENDPOINT.id,
            _ENDPOINT.merchant_id,
            _ENDPOINT.livemode,
            _ENDPOINT.status,
            row.failed_last,
            row.alert_id,
        )
        .cte("marked")
    )


def raised_alerts(marked: sa.CTE) -> sa.CTE:
    """A CTE that raises the alert of every endpoint that was disabled."""
    row = marked.c
    columns: dict[str, sa.ColumnElement[Any]] = {
        "id": row.alert_id,
        "merchant_id": row.merchant_id,
        "livemode": row.livemode,
        "type": word(WEBHOOK_ENDPOINT_DISABLED),
        "subject": sa.literal_column("'whe_'") + _hex_digits(row.id),
        "created_at": row.failed_last,
        "last_seen_at": row.failed_last,
    }
    disabled = sa.select(*columns.values()).where(row.status == word("disabled"))
    raising = insert(ALERTS).from_select(list(columns), disabled, include_defaults=False)
    return raising.on_conflict_do_update(
        index_elements=["merchant_id", "livemode", "type", "subject"],
        index_where=ALERTS.c.resolved_at.is_(None),
        set_={"last_seen_at": raising.excluded.last_seen_at},
    ).cte("raised")


def _hex_digits(identifier: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """The 32 digits of a public id (domain/ids.py)."""
    text = sa.cast(identifier, sa.Text)
    return sa.func.replace(text, sa.literal_column("'-'"), sa.literal_column("''"), type_=sa.Text)
