"""Negotiated limits, and keys that the operator has a look at."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "merchants",
        sa.Column("rate_limit_multiplier", sa.Integer(), server_default="1", nullable=False),
    )
    op.create_check_constraint(
        op.f("rate_limit_multiplier_bounded"),
        "merchants",
        "rate_limit_multiplier BETWEEN 1 AND 1000",
    )
    op.add_column("api_keys", sa.Column("flagged_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("api_keys", "flagged_at")
    op.drop_column("merchants", "rate_limit_multiplier")
