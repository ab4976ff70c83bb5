"""Which saved instruments the main house is known to know."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "instruments",
        sa.Column("confirmed", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_index(
        "instruments_to_confirm",
        "instruments",
        ["created_at"],
        postgresql_where=sa.text("state = 'saved' AND NOT confirmed"),
    )


def downgrade() -> None:
    op.drop_index("instruments_to_confirm", "instruments")
    op.drop_column("instruments", "confirmed")
