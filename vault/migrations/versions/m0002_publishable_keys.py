"""Publishable keys expire and are suspended."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "publishable_keys",
        sa.Column("suspended", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("publishable_keys", sa.Column("expires_at", sa.TIMESTAMP(timezone=True)))


def downgrade() -> None:
    op.drop_column("publishable_keys", "expires_at")
    op.drop_column("publishable_keys", "suspended")
