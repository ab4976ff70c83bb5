"""What was left of a hold when it ended, so that the database refuses to draw on it."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_RULE = """amount_released = CASE WHEN status IN ('released', 'expired')
    THEN amount_authorized - amount_drawn ELSE 0 END"""


def upgrade() -> None:
    op.add_column(
        "holds",
        sa.Column("amount_released", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.execute(
        "UPDATE holds SET amount_released = amount_authorized - amount_drawn"
        " WHERE status IN ('released', 'expired')"
    )
    op.create_check_constraint("ended_whole", "holds", _RULE)


def downgrade() -> None:
    op.drop_column("holds", "amount_released")
