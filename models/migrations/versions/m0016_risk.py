"""What a payment looked like when it was made."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSON

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payments", sa.Column("risk_signals", JSON()))


def downgrade() -> None:
    op.drop_column("payments", "risk_signals")
