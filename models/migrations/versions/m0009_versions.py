"""API versions."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Whoever was there before there were pins was answered in this version.
_ANSWERED_SO_FAR = "2026-04-01"


def upgrade() -> None:
    pin = sa.Column(
        "api_version", sa.Text(), nullable=False, server_default=sa.text(f"'{_ANSWERED_SO_FAR}'")
    )
    op.add_column("merchants", pin)
    # A new account says its version itself.
    op.alter_column("merchants", "api_version", server_default=None)


def downgrade() -> None:
    op.drop_column("merchants", "api_version")
