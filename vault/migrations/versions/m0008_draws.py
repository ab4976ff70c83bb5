"""Draws on holds: captures for payments of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _replace("'authorise', 'capture', 'draw', 'reverse', 'refund'", "IN ('authorise', 'draw')")


def downgrade() -> None:
    _replace("'authorise', 'capture', 'reverse', 'refund'", "= 'authorise'")


def _replace(operations: str, approvals: str) -> None:
    op.drop_constraint("operation", "attempts", type_="check")
    op.create_check_constraint("operation", "attempts", f"operation IN ({operations})")
    op.drop_index("attempts_approved", "attempts")
    op.create_index(
        "attempts_approved",
        "attempts",
        ["payment_id", "merchant_id"],
        postgresql_where=sa.text(f"operation {approvals} AND outcome = 'approved'"),
    )
