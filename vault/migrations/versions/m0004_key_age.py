"""Which master key wraps a data key, and how old master keys are."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# What wrapped data keys before master keys had names.
_FIRST = "file:master"


def upgrade() -> None:
    op.create_table(
        "master_keys",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("rotation_began_at", sa.TIMESTAMP(timezone=True)),
        sa.Column("rotation_ended_at", sa.TIMESTAMP(timezone=True)),
        sa.Column("retired_at", sa.TIMESTAMP(timezone=True)),
        sa.PrimaryKeyConstraint("name", name=op.f("master_keys_pkey")),
    )
    op.add_column(
        "data_keys", sa.Column("master_key", sa.Text(), nullable=False, server_default=_FIRST)
    )
    op.alter_column("data_keys", "master_key", server_default=None)
    op.execute(
        "INSERT INTO master_keys (name, created_at)"  # nosec B608  # a constant
        f" SELECT '{_FIRST}', min(created_at) FROM data_keys HAVING count(*) > 0"
    )


def downgrade() -> None:
    op.drop_column("data_keys", "master_key")
    op.drop_table("master_keys")
