"""Which request a token was spent for."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("instruments", sa.Column("spent_for", sa.Uuid()))


def downgrade() -> None:
    op.drop_column("instruments", "spent_for")
