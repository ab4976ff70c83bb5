"""Attempts that were given up, and when the network is asked about them once more."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("look_again_at", sa.TIMESTAMP(timezone=True)))
    op.create_index(
        "attempts_to_look_at",
        "attempts",
        ["look_again_at"],
        postgresql_where=sa.text("look_again_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("attempts_to_look_at", "attempts")
    op.drop_column("attempts", "look_again_at")
