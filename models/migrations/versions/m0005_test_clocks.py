"""Test clocks: the end of authorisations, leases beside due moments, and their indexes."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("refunds", sa.Column("leased_until", sa.TIMESTAMP(timezone=True)))
    op.add_column("payments", sa.Column("expires_at", sa.TIMESTAMP(timezone=True)))
    op.execute(
        "UPDATE payments SET expires_at = created_at + interval '7 days'"
        " WHERE status = 'authorized'"
    )
    op.create_check_constraint(
        "only_authorized_expires", "payments", "status = 'authorized' OR expires_at IS NULL"
    )
    op.create_index(
        "payments_to_expire",
        "payments",
        ["expires_at"],
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )
    op.create_index(
        "payments_under_a_clock",
        "payments",
        ["merchant_id", "expires_at"],
        postgresql_where=sa.text("expires_at IS NOT NULL AND NOT livemode"),
    )
    op.create_index(
        "webhook_deliveries_under_a_clock",
        "webhook_deliveries",
        ["merchant_id", "next_attempt_at"],
        postgresql_where=sa.text("state = 'pending' AND attempts > 0 AND NOT livemode"),
    )


def downgrade() -> None:
    op.drop_index("webhook_deliveries_under_a_clock", "webhook_deliveries")
    op.drop_index("payments_under_a_clock", "payments")
    op.drop_index("payments_to_expire", "payments")
    op.drop_constraint("only_authorized_expires", "payments")
    op.drop_column("payments", "expires_at")
    op.drop_column("refunds", "leased_until")
