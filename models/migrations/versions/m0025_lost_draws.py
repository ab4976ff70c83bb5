"""Draws that their network refused, and that Paymint bears."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hold_draws", sa.Column("lost_at", sa.TIMESTAMP(timezone=True)))
    op.create_check_constraint(
        "lost_is_final", "hold_draws", "lost_at IS NULL OR present_at IS NULL"
    )


def downgrade() -> None:
    op.drop_column("hold_draws", "lost_at")
