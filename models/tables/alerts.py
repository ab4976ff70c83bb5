"""What a merchant should look at."""

import sqlalchemy as sa

from models.tables.base import FILTERS, METADATA, MOMENT, created, identifier, tenant

ALERTS = sa.Table(
    "alerts",
    METADATA,
    identifier(),
    *tenant(),
    sa.Column("type", sa.Text, nullable=False),
    # What it is about: an endpoint's id, a version, a key's id.
    sa.Column("subject", sa.Text, nullable=False),
    created(),
    sa.Column("last_seen_at", MOMENT, nullable=False),
    sa.Column("resolved_at", MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    # One open alert for one thing, however often it happens.
    sa.Index(
        "alerts_open_once",
        "merchant_id",
        "livemode",
        "type",
        "subject",
        unique=True,
        postgresql_where=sa.text("resolved_at IS NULL"),
    ),
    sa.Index("alerts_by_time", "merchant_id", "livemode", sa.desc("created_at"), sa.desc("id")),
    info={
        FILTERS: {
            "status": sa.literal_column(
                "(CASE WHEN resolved_at IS NULL THEN 'open' ELSE 'resolved' END)", sa.Text
            )
        }
    },
)
