"""Deliveries are found by endpoint, so that no backlog is read to see what is behind it."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "webhook_deliveries_by_endpoint",
        "webhook_deliveries",
        ["merchant_id", "endpoint_id", sa.literal_column("least(attempts, 1)"), "next_attempt_at"],
        postgresql_where=sa.text("state = 'pending'"),
    )


def downgrade() -> None:
    op.drop_index("webhook_deliveries_by_endpoint", "webhook_deliveries")
