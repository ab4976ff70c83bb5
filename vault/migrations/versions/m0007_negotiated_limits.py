"""Limits of publishable keys that were negotiated with their merchants."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "negotiated_limits",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("multiplier", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", name="negotiated_limits_pkey"),
    )


def downgrade() -> None:
    op.drop_table("negotiated_limits")
